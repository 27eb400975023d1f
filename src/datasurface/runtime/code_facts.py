"""What is known of transformers' code besides the model: installed kinds, files of queries, what reads queries."""

from __future__ import annotations

from pathlib import Path

from datasurface.govern.code import CodeFacts
from datasurface.release.sql import query_reader
from datasurface.transform.base import kinds
from datasurface.transform.sql import read_folder

__all__ = ["code_facts"]


def code_facts(folder: Path | None) -> CodeFacts:
    """Return what is known on this machine about the code of the model in a folder; None for one without files."""
    return CodeFacts(
        kinds=frozenset(kinds()),
        read=query_reader(),
        files=lambda name: None if folder is None else read_folder(folder / name),
    )
