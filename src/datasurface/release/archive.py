"""The rows of a release's tables as compressed texts: how they reach a platform's database without the model's code.

Whoever applies a release has all that it says, places in the source and findings included; whoever runs it later has
only the platform's database. So the tables that somebody consumes are kept there, and are copied, not compiled, from
there. The texts are what PostgreSQL reads by `COPY … (FORMAT csv, NULL 'nan')`: every text is quoted, so an unquoted
`nan` is no value.
"""

from __future__ import annotations

import csv
import io
import math
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from datasurface.model.transformer import SystemCode
from datasurface.release.compile import Release
from datasurface.release.job import PlatformSpec

if TYPE_CHECKING:
    from datasurface.release.records import Record, Value
    from datasurface.release.tables import Table

__all__ = ["EXTERNALIZE_MODEL", "ArchivePart", "archive", "archive_of", "archived_datasets", "unpacked"]

EXTERNALIZE_MODEL = "externalize_model"
"""The system code that writes what is kept into a datastore."""

_ROWS = 20_000
_FAST = 1
_NOTHING = math.nan
"""What the `csv` module writes without quotes although it is not a value of any table: there are no such floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePart:
    """Some rows of a table.

    Attributes:
        dataset: Under which name the table is published.
        part: Its place among the table's, from 1.
        columns: The columns, in the order of the text.
        content: The rows, compressed.
    """

    dataset: str
    part: int
    columns: tuple[str, ...]
    content: bytes


def archive_of(release: Release, platform: PlatformSpec) -> Iterator[ArchivePart]:
    """Yield what a platform has to keep of a release: nothing if nobody there consumes the model's tables."""
    wanted = archived_datasets(platform)
    return archive(release.records(documents=False), wanted) if wanted else iter(())


def archived_datasets(platform: PlatformSpec) -> set[str]:
    """Return the names of the model's tables that somebody on a platform consumes."""
    return {
        dataset.name
        for job in platform.jobs
        if job.transformer is not None
        if isinstance(job.transformer.code, SystemCode) and job.transformer.code.name == EXTERNALIZE_MODEL
        for dataset in job.datasets
    }


def archive(records: Iterable[Record], datasets: Collection[str]) -> Iterator[ArchivePart]:
    """Yield the rows of the tables that are published under these names; as they come, so that few are in memory."""
    from datasurface.release.records import each_key_once  # noqa: PLC0415 - mapping the tables takes half a second
    from datasurface.release.tables import TABLES  # noqa: PLC0415 - as above

    packers = {table: _Packer.of(table) for table in TABLES if table.published in datasets}
    for table, values in each_key_once(record for record in records if record[0] in packers):
        packer = packers[table]
        packer.add(values)
        if packer.full:
            yield packer.take()
    yield from (packer.take() for packer in packers.values() if packer.rows or not packer.parts)


def unpacked(content: bytes) -> bytes:
    """Return the rows of a part as text."""
    return zlib.decompress(content)


@dataclass(slots=True)
class _Packer:
    """Gathers rows of one table."""

    dataset: str
    columns: tuple[str, ...]
    values_of: Callable[[dict[str, Value]], tuple[Value, ...]]
    rows: list[tuple[Value, ...]] = field(default_factory=list)
    parts: int = 0

    @classmethod
    def of(cls, table: type[Table]) -> _Packer:
        """Return one for a table."""
        names = tuple(table.metadata.tables[table.__tablename__].columns.keys())
        return cls(table.published, names, itemgetter(*names))

    @property
    def full(self) -> bool:
        """Whether it is time to take a part."""
        return len(self.rows) == _ROWS

    def add(self, values: dict[str, Value]) -> None:
        """Add a row."""
        self.rows.append(self.values_of(values))

    def take(self) -> ArchivePart:
        """Return what was gathered, and begin again."""
        self.parts += 1
        rows, self.rows = self.rows, []
        return ArchivePart(dataset=self.dataset, part=self.parts, columns=self.columns, content=_packed(rows))


def _packed(rows: Iterable[tuple[Value, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([_NOTHING if value is None else value for value in row] if None in row else row for row in rows)
    readable = text.getvalue().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return zlib.compress(readable.encode(errors="replace"), _FAST)
