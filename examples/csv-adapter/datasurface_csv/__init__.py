"""What a folder of CSV files can do, and the door to reading it. Imports nothing that reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datasurface.govern.capabilities import Capabilities
from datasurface.model.infrastructure import FileStore

if TYPE_CHECKING:
    from datasurface.databases.base import Login, Source

__all__ = ["ADAPTER", "CsvAdapter"]


class CsvAdapter:
    """Folders of CSV files, read only."""

    capabilities = Capabilities(
        database="CSV files",
        containers=("FileStore",),
        captures=frozenset({"Snapshot"}),
        name_limit=250,
    )

    def source(self, login: Login) -> Source:
        """Open a folder to read."""
        from datasurface_csv.source import CsvSource  # noqa: PLC0415 - `check` starts without what reads

        return CsvSource(login)

    def container_from_url(self, url: str) -> FileStore | None:
        """Return the folder that `csv://PATH` means; None for another scheme."""
        scheme, separator, path = url.partition("://")
        return FileStore("csv", uri=path) if separator and scheme == "csv" else None


ADAPTER = CsvAdapter()
