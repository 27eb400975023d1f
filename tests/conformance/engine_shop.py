"""A small shop for the engine's tests: a source to write to, a platform to run, and the model that joins them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from datasurface import Dataset, DatasetGroup, Ecosystem, History, PostgresDatabase, Snapshot, YellowPlatform
from datasurface.engine.batch import BatchResult
from datasurface.model.vocabulary import Consistency
from workbench import Workbench, container, environ, model, workbench

__all__ = ["Shop", "shop_on"]

Rows = list[tuple[Any, ...]]


@dataclass
class Shop:
    """A source database, a merge database, and what is between them once `open` was called."""

    source: psycopg.Connection[tuple[Any, ...]]
    target: psycopg.Connection[tuple[Any, ...]]
    source_url: str
    target_url: str
    folder: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _bench: Workbench | None = None

    @property
    def bench(self) -> Workbench:
        assert self._bench is not None
        return self._bench

    @property
    def database(self) -> PostgresDatabase:
        return container("src", self.source_url)

    def model(
        self,
        *datasets: Dataset,
        history: History = History.FULL,
        keep_batches: int = 0,
        consistency: Consistency = Consistency.DATASTORE,
        groups: Sequence[DatasetGroup] | None = None,
        **datastore: object,
    ) -> Ecosystem:
        made = model(
            self.database,
            container("dst", self.target_url),
            datasets,
            history=history,
            groups=groups,
            **{"capture": Snapshot(self.database, every="1 minute", consistency=consistency), **datastore},
        )
        platforms = [YellowPlatform("yellow", container=container("dst", self.target_url), keep_batches=keep_batches)]
        return dataclasses.replace(made, platforms=platforms)

    def open(self, ecosystem: Ecosystem) -> Workbench:
        secrets = environ(src=self.source_url, dst=self.target_url)
        self._bench = self._stack.enter_context(workbench(ecosystem, self.target_url, self.folder, secrets))
        return self._bench

    def close(self) -> None:
        self._stack.close()

    def do(self, *statements: str) -> None:
        """Change the source, each statement by itself."""
        for statement in statements:
            self.source.execute(statement.encode())

    def run(self, stream: str = "shop", *, accept: bool = False) -> BatchResult:
        return self.bench.run(stream, accept=accept)

    def merged(self, stream: str = "shop") -> tuple[int, int, int]:
        """Run a batch that must succeed; return what it inserted, updated and deleted."""
        result = self.run(stream)
        assert result.ok, result
        return result.counts.inserted, result.counts.updated, result.counts.deleted

    def seen(self, dataset: str, columns: str = "*", *, order: str = "1") -> Rows:
        return self.rows(f"SELECT {columns} FROM reports_all.shop_{dataset} ORDER BY {order}")

    def versions(self, dataset: str, columns: str) -> Rows:
        """Return all versions: the columns, then the batches in which they began and ended."""
        both = f"{columns}, ds_batch_in, ds_batch_out"
        return self.rows(f"SELECT {both} FROM reports_all.shop_{dataset}_history ORDER BY {both}")

    def admin(self, statement: str) -> None:
        """Do something in the merge database as its owner would."""
        self.target.execute(statement.encode())

    def rows(self, query: str) -> Rows:
        return self.target.execute(query.encode()).fetchall()

    def tables(self) -> list[str]:
        """Return the platform's tables of data; the platform's own have no dot in their names."""
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'ds_yellow' AND tablename ~ '[.]' ORDER BY 1"
        return [name for (name,) in self.rows(query)]


@contextmanager
def shop_on(urls: tuple[str, str], folder: Path) -> Iterator[Shop]:
    """Open both databases; the platform follows with `open`."""
    source_url, target_url = urls
    with (
        psycopg.connect(source_url, autocommit=True) as source,
        psycopg.connect(target_url, autocommit=True) as target,
    ):
        shop = Shop(source, target, source_url, target_url, folder)
        try:
            yield shop
        finally:
            shop.close()
