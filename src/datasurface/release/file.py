"""The release file: all tables of a release in one SQLite file, written whole or not at all, read only from then on.

Jobs read their own slice of it: one platform, or one stream's job.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from datasurface.errors import DataSurfaceError, StoreError
from datasurface.model.ecosystem import Ecosystem
from datasurface.release.bind import replaced
from datasurface.release.compile import FORMAT, Release
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.records import Record, Value
from datasurface.release.system import MODEL_STORE
from datasurface.release.tables import TABLES, DocumentRow, JobRow, ReleaseRow, Table

__all__ = [
    "in_memory",
    "open_release",
    "read_digest",
    "read_ecosystem",
    "read_job",
    "read_platform",
    "reading",
    "write_records",
    "write_release",
]

_BATCH = 5000
_READABLE = 0o644
_LONGEST_PATH = 480  # bytes; SQLite allows 512, names of journals included


def write_release(release: Release, path: Path) -> None:
    """Write the release to `path`; whoever opens it sees the old file or the whole new one.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(descriptor)
        draft = Path(name)
        try:
            _fill_at(release, draft)
            draft.chmod(_READABLE)
            _sync(draft)
            draft.replace(path)
            _sync(path.parent)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except (OSError, DBAPIError) as error:
        raise StoreError(f"cannot write the release file {path}: {_cause(error)}") from error


def _fill_at(release: Release, draft: Path) -> None:
    """Fill a file, in a short temporary folder first where SQLite could not open it by its path."""
    if not _too_long(draft):
        _fill(release, draft)
        return
    with tempfile.TemporaryDirectory(prefix="datasurface-") as folder:
        near = Path(folder) / "release.sqlite"
        _fill(release, near)
        shutil.copyfile(near, draft)


def _fill(release: Release, draft: Path) -> None:
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(draft), poolclass=NullPool)
    with engine.connect() as connection:
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"user_version={FORMAT}"):
            connection.exec_driver_sql(f"PRAGMA {setting}")
        write_records(connection, release.records())
        connection.commit()


def write_records(connection: Connection, records: Iterable[Record]) -> None:
    """Create the tables in a SQLite database and insert the records in bulk; the caller commits."""
    Table.metadata.create_all(connection)
    for statement in _published_views():
        connection.exec_driver_sql(statement)
    inserts = {table: _Insert(connection, table) for table in TABLES}
    for table, values in records:
        inserts[table].add(values)
    for pending in inserts.values():
        pending.flush()


def _published_views() -> Iterator[str]:
    """Yield views that show the tables as a workspace sees them, so that one query can be asked here and there."""
    for table in TABLES:
        if table.published:
            name = f"{MODEL_STORE}_{table.published}"
            yield f'CREATE VIEW IF NOT EXISTS "{name}" AS SELECT * FROM "{table.__tablename__}"'


class _Insert:
    """Collects rows of one table and hands them to the driver as they are: a release may have millions."""

    def __init__(self, connection: Connection, table: type[Table]) -> None:
        statement = insert(table).on_conflict_do_nothing().compile(dialect=connection.dialect)
        names = statement.positiontup or []
        self._connection = connection
        self._sql = str(statement)
        self._values = itemgetter(*names)
        self._rows: list[tuple[Value, ...]] = []

    def add(self, values: Mapping[str, Value]) -> None:
        """Add a row; where its key is taken, the earlier row stays."""
        self._rows.append(self._values(values))
        if len(self._rows) == _BATCH:
            self.flush()

    def flush(self) -> None:
        """Insert what was collected."""
        if self._rows:
            self._connection.exec_driver_sql(self._sql, self._rows)
            self._rows = []


def in_memory(release: Release) -> Engine:
    """Return an engine on the release's tables in memory, for queries; it refuses to be written to."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.connect() as connection:
        write_records(connection, release.records())
        connection.commit()
        connection.exec_driver_sql("PRAGMA query_only=ON")
    return engine


def open_release(path: Path) -> Engine:
    """Return an engine that only reads the release file.

    Raises:
        StoreError: there is no such file, it is no release, or a newer package wrote it.
    """
    if not path.is_file():
        raise StoreError(f"no release file {path}", hint="run `datasurface build`")
    engine = create_engine("sqlite://", creator=lambda: _opened(path), poolclass=NullPool)
    with reading(path), engine.connect() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version != FORMAT:
            raise StoreError(
                f"release file {path} has format {version}, this package reads format {FORMAT}",
                hint="build it again with this package",
            )
        connection.execute(select(ReleaseRow.digest)).one()
    return engine


def _opened(path: Path) -> sqlite3.Connection:
    """Open a release file to be read; where its path is too long for SQLite, a copy in memory."""
    if not _too_long(path):
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection = sqlite3.connect(":memory:")
    connection.deserialize(path.read_bytes())
    connection.execute("PRAGMA query_only=ON")
    return connection


def _too_long(path: Path) -> bool:
    # SQLite follows symbolic links itself, so none makes a path shorter for it.
    return len(os.fsencode(path.resolve())) > _LONGEST_PATH


def read_digest(path: Path) -> str:
    """Return the digest of the release in a file."""
    with _connection(path) as connection:
        return connection.execute(select(ReleaseRow.digest)).scalar_one()


def read_ecosystem(path: Path) -> Ecosystem:
    """Return the model in a release file; its objects know no position."""
    with _connection(path) as connection:
        query = select(DocumentRow.content).where(DocumentRow.kind == "model")
        return Ecosystem.from_json(connection.execute(query).scalar_one())


def read_job(path: Path, platform: str, stream: str) -> JobSpec | None:
    """Return the job of one stream, reading nothing else; None if the release has no such stream."""
    with _connection(path) as connection:
        query = select(JobRow.spec).where(JobRow.platform == platform, JobRow.stream == stream)
        spec = connection.execute(query).scalar_one_or_none()
    return None if spec is None else JobSpec.from_json(spec)


def read_platform(path: Path, platform: str) -> PlatformSpec | None:
    """Return one platform with its jobs and views; None if the release has no such platform that moves data."""
    with _connection(path) as connection:
        query = select(DocumentRow.content).where(DocumentRow.kind == "platform", DocumentRow.name == platform)
        content = connection.execute(query).scalar_one_or_none()
        if content is None:
            return None
        jobs = select(JobRow.spec).where(JobRow.platform == platform).order_by(JobRow.stream)
        specs = connection.execute(jobs).scalars().all()
    return replaced(PlatformSpec.from_json(content), jobs=[JobSpec.from_json(s) for s in specs])


@contextmanager
def _connection(path: Path) -> Iterator[Connection]:
    engine = open_release(path)
    with reading(path), engine.connect() as connection:
        yield connection


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell what goes wrong in the database as what it means: the file is damaged or no release."""
    try:
        yield
    except DataSurfaceError:
        raise
    except (DBAPIError, LookupError, ValueError) as error:
        raise StoreError(
            f"{path} is no readable release file: {_cause(error)}", hint="run `datasurface build`"
        ) from error


def _cause(error: Exception) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)


def _sync(path: Path) -> None:
    """Force a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
