"""Queries: `SqlQueries`, one for each output dataset, in the model or in files of a folder."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from datasurface.errors import ConfigurationError
from datasurface.model.transformer import Code, SqlQueries
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext

__all__ = ["SqlQueriesKind", "read_folder"]

_FOLDER = "DATASURFACE_QUERIES"


class SqlQueriesKind:
    """Runs each query in the database, where its rows stay."""

    def version(self, code: Code, place: Place) -> str:
        """Return the digest of the queries, if they are in files."""
        queries = _code(code).queries
        if not isinstance(queries, str):
            return ""
        found = "\0".join(f"{name}\0{text}" for name, text in sorted(_read(_folder(queries, place)).items()))
        return hashlib.sha256(found.encode()).hexdigest()

    def launch(self, code: Code, place: Place) -> Launch:
        """Find the folder of the queries, if they are in one."""
        queries = _code(code).queries
        if not isinstance(queries, str):
            return Launch(python=Path(sys.executable))
        folder = _folder(queries, place)
        return Launch(python=Path(sys.executable), reads=(folder,), environment={_FOLDER: str(folder)})

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Write the answer of each query to its output.

        A query names its inputs as views of the workspace's groups, such as `crm_orders`; a name that several groups
        have means the first one's, in the order of their names.

        Raises:
            ConfigurationError: an output has no query, or a query no output.
        """
        queries = _code(code).queries
        texts = _read(Path(os.environ[_FOLDER])) if isinstance(queries, str) else queries
        missing, extra = sorted(set(context.outputs) - set(texts)), sorted(set(texts) - set(context.outputs))
        if missing or extra:
            raise ConfigurationError(
                f"outputs without a query: {', '.join(missing) or 'none'}; "
                f"queries without an output: {', '.join(extra) or 'none'}"
            )
        for name, text in texts.items():
            context.output(name).write_sql(text.strip().rstrip(";"))


def _code(code: Code) -> SqlQueries:
    if not isinstance(code, SqlQueries):
        raise TypeError(f"{code!r} is no SqlQueries")
    return code


def _folder(queries: str, place: Place) -> Path:
    path = Path(queries) if place.folder is None else place.folder / queries
    if not path.is_dir():
        raise ConfigurationError(f"there is no folder of queries {path}")
    return path


def read_folder(folder: Path) -> Mapping[str, str] | None:
    """Return the queries in a folder by the names of their files without `.sql`; None if there is no such folder."""
    return _read(folder) if folder.is_dir() else None


def _read(folder: Path) -> Mapping[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))}
