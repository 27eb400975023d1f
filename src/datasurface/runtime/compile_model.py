"""From a model folder to a release: load, derive the graph, check, compile. The one chain that commands share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from datasurface.databases.base import capability_map
from datasurface.errors import ConfigurationError
from datasurface.govern.check import check
from datasurface.govern.queries import column_lineage
from datasurface.govern.report import Report
from datasurface.graph.build import build_graph
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.load import load
from datasurface.release.bind import binding_of
from datasurface.release.compile import Release, compile_release
from datasurface.release.system import with_system
from datasurface.runtime.code_facts import code_facts
from datasurface.secrets.resolve import installed_stores

__all__ = ["compile_ecosystem", "compile_model", "keep_release", "require_ok"]

_OWN_FOLDER = ".datasurface"


def compile_model(folder: Path, environment: str | None = None) -> tuple[Release, Report]:
    """Load, check and compile the model of a folder; the release is made even where the report has errors.

    Raises:
        ModelLoadError: the folder holds no model that can be loaded.
        ModelCallError: its code makes an object with wrong arguments.
        ConfigurationError: it has no environment of that name.
    """
    with _no_collection():
        return compile_ecosystem(load(folder), environment, folder=folder)


def compile_ecosystem(
    ecosystem: Ecosystem, environment: str | None = None, *, folder: Path | None = None
) -> tuple[Release, Report]:
    """Check and compile a model that was made in this process; `folder` is where its files are, if it has any.

    Raises:
        ConfigurationError: it has no environment of that name.
    """
    with _no_collection():
        capabilities = capability_map()
        facts = code_facts(folder)
        whole = with_system(binding_of(ecosystem, environment).model(ecosystem))
        graph = build_graph(whole)
        report = check(
            with_system(ecosystem),
            capabilities,
            whole=whole,
            graph=graph,
            environment=environment,
            secret_stores=installed_stores(),
            code=facts,
        )
        release = compile_release(
            ecosystem,
            graph,
            report.findings,
            environment=environment,
            capabilities=capabilities,
            column_lineage=column_lineage(ecosystem, facts),
        )
    return release, report


def require_ok(report: Report) -> None:
    """Refuse a model with errors.

    Raises:
        ConfigurationError: `check` found errors; the message holds them all.
    """
    if report.errors:
        number = len(report.errors)
        found = "\n\n".join(finding.to_text() for finding in report.errors)
        raise ConfigurationError(
            f"the model has {number} error{'s' if number > 1 else ''}:\n\n{found}\n",
            hint="`datasurface check` shows all findings",
        )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch the garbage collector off: a model and what is made of it only grow, and a large one costs it seconds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def keep_release(
    release: Release, folder: Path, output: Path | None = None, *, environ: Mapping[str, str] = os.environ
) -> Path:
    """Write a release to `output` and return where it is.

    By default that is `$DATASURFACE_HOME/releases`, else `.datasurface/releases` in the model folder.

    Raises:
        StoreError: the file cannot be written.
    """
    from datasurface.release.file import write_release  # noqa: PLC0415 - the tables' mapping costs half a second

    home = environ.get("DATASURFACE_HOME")
    own = Path(home).absolute() if home else folder / _OWN_FOLDER
    path = own / "releases" / f"{release.digest}.sqlite" if output is None else output.absolute()
    with _no_collection():
        write_release(release, path)
    if output is None and not home:
        _ignore(own)
    return path


def _ignore(folder: Path) -> None:
    """Keep what commands write out of the model's repository."""
    with suppress(FileExistsError), (folder / ".gitignore").open("x") as file:
        file.write("*\n")
