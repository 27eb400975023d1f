"""Users' SQL, read: which relations a query reads, and which columns its answer is made of (sqlglot, extra `sql`)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datasurface.govern.code import QueryLineage, QueryReader, Relation

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.lineage import Node

__all__ = ["query_reader", "read_query"]

_DIALECT = "postgres"
_UNNAMED = re.compile(r"_col_\d+\Z")
"""What sqlglot calls a column without a name."""
_TOKEN = re.compile(r"<Token token_type: [^,]*, text: (.*?), line: .*?>", re.DOTALL)


def query_reader() -> QueryReader | None:
    """Return what reads queries; None if sqlglot is not installed."""
    return read_query if importlib.util.find_spec("sqlglot") else None


def read_query(text: str, relations: Sequence[Relation]) -> QueryLineage:
    """Return what a query reads and what its columns are made of."""
    import sqlglot  # noqa: PLC0415 - only models with queries pay for it
    from sqlglot import exp  # noqa: PLC0415
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    try:
        parsed = sqlglot.parse(text, read=_DIALECT)
    except SqlglotError as error:
        return QueryLineage(problem=_said(error))
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        return QueryLineage(problem="it is not one query")
    query = parsed[0]
    unknown = _resolve(query, relations)
    if unknown:
        return QueryLineage(unknown=tuple(sorted(unknown)))
    whole = _whole_rows(query, relations)
    if whole:
        return QueryLineage(problem=f"it uses whole rows of {', '.join(sorted(whole))} as values")
    try:
        found = _columns(query, relations)
        named = {name: origins for name, origins in found.items() if not _UNNAMED.match(name)}
        return QueryLineage(columns=named, complete=len(named) == len(found))
    except (SqlglotError, RecursionError, KeyError, ValueError) as error:
        return QueryLineage(problem=_said(error))


def _said(error: Exception) -> str:
    """Return what is wrong without the query's text, which sqlglot repeats in colours."""
    errors = getattr(error, "errors", None)
    if errors:
        found = _TOKEN.search(str(errors[0]["description"]))
        where = "the end" if found is None or found[1] == "SENTINEL" else repr(found[1])
        return f"{_TOKEN.sub(where, str(errors[0]['description'])).rstrip('.')} in line {errors[0]['line']}"
    return " ".join(str(error).split()) or type(error).__name__


def _resolve(query: exp.Query, relations: Sequence[Relation]) -> set[str]:
    """Give every table its schema; return those that are no relation, as they are named."""
    from sqlglot import exp  # noqa: PLC0415
    from sqlglot.optimizer.normalize_identifiers import normalize_identifiers  # noqa: PLC0415

    normalize_identifiers(query, dialect=_DIALECT)
    places: dict[str, list[str]] = {}
    for relation in relations:
        places.setdefault(relation.name, []).append(relation.schema)
    unknown = set()
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or (not table.db and _is_local(table)):
            continue
        schemas = places.get(table.name, [])
        if not table.db and schemas:
            table.set("db", exp.to_identifier(schemas[0], quoted=True))
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        elif table.db not in schemas or table.catalog:
            unknown.add(".".join(part.name for part in table.parts))
    return unknown


def _is_local(table: exp.Table) -> bool:
    """Tell whether a name means a part of the query: a WITH around it, if that comes before or is recursive."""
    from sqlglot import exp  # noqa: PLC0415

    inside: Any = table
    while inside is not None:
        clause = next((v for v in inside.args.values() if isinstance(v, exp.With)), None)
        if clause is not None:
            own = next((n for n, cte in enumerate(clause.expressions) if _holds(cte, table)), len(clause.expressions))
            seen = clause.expressions[: own + 1 if clause.recursive else own]
            if any(cte.alias == table.name for cte in seen):
                return True
        inside = inside.parent
    return False


def _holds(outer: Any, inner: Any) -> bool:
    while inner is not None and inner is not outer:
        inner = inner.parent
    return inner is outer


def _whole_rows(query: exp.Query, relations: Sequence[Relation]) -> set[str]:
    """Return the tables whose rows are used as values: what becomes of their columns cannot be told."""
    from sqlglot import exp  # noqa: PLC0415

    names = {t.alias_or_name for t in query.find_all(exp.Table, exp.Subquery) if isinstance(t.this, _sources())}
    columns = {name for relation in relations for name in relation.columns}
    return {c.name for c in query.find_all(exp.Column) if not c.table and c.name in names - columns}


def _sources() -> tuple[type[Any], ...]:
    from sqlglot import exp  # noqa: PLC0415

    return exp.Identifier, exp.Query


def _columns(query: exp.Query, relations: Sequence[Relation]) -> Mapping[str, tuple[str, ...]]:
    from sqlglot.lineage import lineage  # noqa: PLC0415
    from sqlglot.schema import MappingSchema  # noqa: PLC0415

    shape: dict[str, Any] = {}
    for relation in relations:
        shape.setdefault(relation.schema, {})[relation.name] = dict.fromkeys(relation.columns, "unknown")
    schema = MappingSchema(shape, dialect=_DIALECT, normalize=False)
    datasets = {(r.schema, r.name): r for r in relations}
    nodes: Mapping[str, Node] = lineage(None, query, schema, dialect=_DIALECT, validate_qualify_columns=False)
    found = {name: tuple(sorted(_origins(node, datasets))) for name, node in nodes.items()}
    return {} if any(name in {"", "*"} for name in found) else found


def _origins(node: Node, datasets: Mapping[tuple[str, str], Relation]) -> set[str]:
    from sqlglot import exp  # noqa: PLC0415

    found = set()
    for leaf in node.walk():
        table = leaf.expression
        if leaf.downstream or not isinstance(table, exp.Table):
            continue
        relation = datasets.get((table.db, table.name))
        column = leaf.name.rpartition(".")[2].strip('"')
        if relation is not None and column in relation.columns:
            found.add(f"{relation.dataset}.{column}")
    return found
