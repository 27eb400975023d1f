"""What transformers' queries read and what their columns are made of, asked of whoever can read SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from datasurface.govern.code import CodeFacts, QueryLineage, Relation
from datasurface.govern.copies import copied_columns
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import PlacedWorkspace, all_datastores, all_workspaces, sinks_of, split_reference
from datasurface.model.schema import Dataset
from datasurface.model.transformer import DataTransformer, SqlQueries
from datasurface.model.vocabulary import History
from datasurface.names import group_schema, view_name

__all__ = ["ReadQuery", "column_lineage", "queries_of", "read_queries"]

_NAME_LIMIT = 63
_VERSION_COLUMNS = ("ds_batch_in", "ds_batch_out", "ds_valid_from", "ds_valid_to")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadQuery:
    """A query of a transformer, and what was found in it."""

    where: PlacedWorkspace
    transformer: DataTransformer
    dataset: str
    lineage: QueryLineage


def queries_of(code: SqlQueries, facts: CodeFacts) -> Mapping[str, str]:
    """Return the queries by dataset, from the model or its folder; none if that folder is not there."""
    return (facts.files(code.queries) or {}) if isinstance(code.queries, str) else code.queries


def read_queries(ecosystem: Ecosystem, facts: CodeFacts) -> Iterator[ReadQuery]:
    """Yield every query of the model, read; none if nothing can read them."""
    if facts.read is None:
        return
    datasets: dict[str, Dataset] | None = None
    for where in all_workspaces(ecosystem):
        transformer = where.workspace.transformer
        if transformer is None or not isinstance(transformer.code, SqlQueries):
            continue
        if datasets is None:
            datasets = {
                f"{p.datastore.name}.{d.name}": d for p in all_datastores(ecosystem) for d in p.datastore.datasets
            }
        relations = list(_relations(where, datasets))
        for name, text in sorted(queries_of(transformer.code, facts).items()):
            lineage = facts.read(text, relations)
            yield ReadQuery(where=where, transformer=transformer, dataset=name, lineage=lineage)


def column_lineage(ecosystem: Ecosystem, facts: CodeFacts) -> tuple[tuple[str, str], ...]:
    """Return which columns of inputs a column of an output is made of, where that is known: `store.dataset.column`.

    Of queries it is known if something can read them, of de-identified copies always.
    """
    found = set(copied_columns(ecosystem))
    for query in read_queries(ecosystem, facts):
        output = query.transformer.output
        declared = {c.name for d in output.datasets if d.name == query.dataset for c in d.columns}
        for column, origins in query.lineage.columns.items():
            if column in declared:
                found |= {(origin, f"{output.name}.{query.dataset}.{column}") for origin in origins}
    return tuple(sorted(found))


def _relations(where: PlacedWorkspace, datasets: Mapping[str, Dataset]) -> Iterator[Relation]:
    """Yield the views of a workspace, in the order in which names without a schema are looked up."""
    groups = where.workspace.groups
    for group in sorted(groups, key=lambda g: group_schema(where.workspace.name, g.name, _NAME_LIMIT)):
        schema = group_schema(where.workspace.name, group.name, _NAME_LIMIT)
        for sink in sinks_of(group):
            dataset, reference = datasets.get(sink.dataset), split_reference(sink.dataset)
            if dataset is None or reference is None:
                continue
            seen = tuple([c.name for c in dataset.columns if sink.columns is None or c.name in sink.columns])
            name = view_name(*reference, _NAME_LIMIT)
            yield Relation(schema=schema, name=name, dataset=sink.dataset, columns=seen)
            if group.history is History.FULL:
                name, seen = view_name(*reference, _NAME_LIMIT, history=True), (*seen, *_VERSION_COLUMNS)
                yield Relation(schema=schema, name=name, dataset=sink.dataset, columns=seen)
