"""Write the model of the active release into a datastore: the tables that were kept when it was applied, as they are.

Nothing is compiled here, and no row becomes an object: text goes into the output tables block by block. The list of
releases alone is continued from what was written before.
"""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.errors import SourceError
from datasurface.release.archive import unpacked
from datasurface.release.job import JobDataset
from datasurface.release.system import RELEASES
from datasurface.store.releases import activated_at, table_parts
from datasurface.transform.system.base import SystemRun

__all__ = ["externalize_model"]


def externalize_model(run: SystemRun) -> None:
    """Write every dataset of the model that somebody consumes.

    Raises:
        SourceError: the platform keeps no tables of the active release.
    """
    for dataset in run.job.datasets:
        if dataset.name == RELEASES:
            run.context.output(RELEASES).write(_releases(run))
        else:
            _copy(run, dataset)


def _copy(run: SystemRun, dataset: JobDataset) -> None:
    """Copy a table of the release."""
    relation = run.context.output(dataset.name).relation
    parts = table_parts(run.reader, run.schema, run.release, dataset.name)
    number = 0
    for number, part in enumerate(parts, start=1):  # noqa: B007 - counted for what comes after
        run.session.write_text(relation, part.columns, [unpacked(part.content)])
    if not number:
        raise SourceError(
            f"the platform keeps no table {dataset.name!r} of the active release {run.release[:12]}",
            hint="run `datasurface apply` with this package",
        )


def _releases(run: SystemRun) -> Iterator[dict[str, object]]:
    """Yield the releases so far: those that were written before, and the active one after the newest of them."""
    known = {row["digest"]: row for row in run.context.input(f"{run.job.datastore}.{RELEASES}").dicts()}
    newest = max(known.values(), key=lambda row: row["published_at"], default=None)
    if newest is None or newest["digest"] != run.release:
        known[run.release] = {
            "digest": run.release,
            "previous": newest["digest"] if newest else None,
            "published_at": activated_at(run.reader, run.schema, run.release),
        }
    yield from known.values()
