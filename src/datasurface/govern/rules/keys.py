"""Keys: every dataset has columns, a key is never NULL, and its types can be compared by the merge database."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, step, store_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.effective import PlacedDatastore
from datasurface.model.schema import Dataset
from datasurface.model.vocabulary import OutputMode

__all__ = ["keys"]


def keys(scope: Scope) -> Iterator[Finding]:
    """DS-K001, DS-K002, DS-K003, DS-K005: columns and keys of datasets."""
    for placed in scope.datastores:
        for dataset in placed.datastore.datasets:
            key = [c for c in dataset.columns if c.key]
            if key and not any(c.nullable for c in key):
                continue
            path = step(store_path(placed), "dataset", dataset.name)
            if not dataset.columns:
                message = f"dataset {shown(dataset.name)} has no columns"
                yield finding("DS-K002", dataset, path, message, "list the columns to read, or remove the dataset")
            elif not key:
                yield _keyless(placed, dataset, path)
            for column in key:
                if column.nullable:
                    message = f"the key column {shown(column.name)} may be NULL, which no key can be"
                    hint = "leave nullable= away, or take the column out of the key"
                    yield finding("DS-K001", column, step(path, "column", column.name), message, hint)


def _keyless(placed: PlacedDatastore, dataset: Dataset, path: str) -> Finding:
    """Return what follows from having no key: a change would not find its row, all else is a multiset."""
    transformer = placed.workspace.transformer if placed.workspace is not None else None
    if transformer is not None and transformer.mode is OutputMode.CHANGES:
        message = f"transformer {shown(transformer.name)} writes changes of {shown(dataset.name)}, which has no key"
        hint = "mark its key columns with key=True, or let the transformer write whole tables"
        return finding("DS-K005", dataset, path, message, hint)
    message = f"dataset {shown(dataset.name)} has no key: it is a multiset, n equal rows are n rows"
    return finding("DS-K003", dataset, path, message, "mark its key columns with key=True if it has a key")
