"""A release as its file holds it: all that plan and apply need, without the model's code and without compiling it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from datasurface.errors import ModelCallError, StoreError
from datasurface.model.ecosystem import Ecosystem
from datasurface.release.archive import ArchivePart, archive, archived_datasets
from datasurface.release.compile import release_digest
from datasurface.release.file import open_release, read_platform, reading
from datasurface.release.job import PlatformSpec
from datasurface.release.tables import TABLES, DocumentRow, FindingRow, ReleaseRow

__all__ = ["Released", "file_digest", "read_released"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A release in a file.

    Attributes:
        ecosystem: The ecosystem's name.
        environment: What binds it; None for the model as it is.
        model_json: The model's canonical JSON.
        platforms: What each platform has to run and to show, sorted by name.
        errors: What `check` had found that stands in the way of applying it.
    """

    path: Path
    digest: str
    ecosystem: str
    environment: str | None
    model_json: str
    platforms: tuple[PlatformSpec, ...]
    errors: tuple[str, ...]

    def platform(self, name: str) -> PlatformSpec | None:
        """Return the platform of that name, or None if there is none that moves data."""
        return next((p for p in self.platforms if p.name == name), None)

    def archive_of(self, platform: PlatformSpec) -> Iterator[ArchivePart]:
        """Yield what a platform has to keep of the release: nothing if nobody there consumes the model's tables."""
        wanted = archived_datasets(platform)
        if not wanted:
            return
        engine = open_release(self.path)
        with reading(self.path), engine.connect() as connection:
            rows = (
                (table, dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
                for table in TABLES
                if table.published in wanted
                for row in connection.execute(select(*table.__table__.columns))
            )
            yield from archive(rows, wanted)


def read_released(path: Path) -> Released:
    """Read a release file, and show that it is what its digest says.

    Raises:
        StoreError: there is no such file, it is damaged or changed, or another version of DataSurface made it.
    """
    engine = open_release(path)
    with reading(path), engine.connect() as connection:
        row = connection.execute(select(ReleaseRow.digest, ReleaseRow.ecosystem, ReleaseRow.environment)).one()
        documents = connection.execute(select(DocumentRow.kind, DocumentRow.name, DocumentRow.content)).all()
        columns = select(FindingRow.code, FindingRow.path, FindingRow.message)
        found = connection.execute(columns.where(FindingRow.severity == "error"))
        errors = tuple([f"{f.code} {f.path}: {f.message}" for f in found])
    models = [document.content for document in documents if document.kind == "model"]
    names = sorted(document.name for document in documents if document.kind == "platform")
    try:
        _require_digest(path, row.digest, models[0] if models else "", row.environment)
        specs = tuple(spec for name in names if (spec := read_platform(path, name)) is not None)
    except ModelCallError as error:
        raise StoreError(
            f"release {row.digest[:12]} says what this package does not know: {error.message}",
            hint="a newer DataSurface made it: install that one",
        ) from error
    return Released(
        path=path,
        digest=row.digest,
        ecosystem=row.ecosystem,
        environment=row.environment,
        model_json=models[0],
        platforms=specs,
        errors=errors,
    )


def _require_digest(path: Path, digest: str, model_json: str, environment: str | None) -> None:
    """Raise `StoreError` if the model in a file is not the one that its digest is of."""
    ecosystem = Ecosystem.from_json(model_json)
    if release_digest(ecosystem, model_json, environment) != digest:
        raise StoreError(
            f"release file {path} was changed, or another DataSurface made it: it is not of digest {digest[:12]}",
            hint="build it again with this package",
        )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
