"""The reference pages of the tables of releases and of operations, as Markdown, from the tables' own comments."""

from __future__ import annotations

from sqlalchemy import Column
from sqlalchemy.orm import DeclarativeBase

from datasurface.release.system import MODEL_STORE, OPERATIONS_STORE, SECURITY_STORE
from datasurface.release.system.log import ReleaseLogRow
from datasurface.release.system.operations import OPERATIONS, SECURITY
from datasurface.release.tables import TABLES

__all__ = ["operations_reference", "tables_reference"]

_HEAD = """\
# The tables of a release

A release holds the compiled model as relational tables. `datasurface query "select …"` asks them, a release file is a
SQLite database of them, and jobs read their slice from it. This page is generated from the tables' definitions.

The datastore `datasurface_model` has the same tables as datasets, for consumers in any workspace; this page says under
which name. A release file shows each table under that name too, as a view: `datasurface_model_columns` is the table
`column`, so that a query for a workspace can be tried with `datasurface query`. See
[ask the model](../how-to/ask-the-model.md).

Keys are the names that the model gives. `file` and `line` say where an object stands in the model's source, relative
to the model folder. Lists that are only to be read are one text joined by `, `. SQLite shows yes and no as 1 and 0.

Some questions:

```sql
-- who consumes what is personal
select distinct s.workspace, s.group_name, c.datastore, c.dataset, c."column"
from column_classification c join sink s on s.datastore = c.datastore and s.dataset = c.dataset
where c.name = 'PII';

-- what nobody asks for
select d.datastore, d.name from dataset d
where not exists (select * from sink s where s.datastore = d.datastore and s.dataset = d.name);

-- why a stream exists
select workspace, group_name, asked_for, wants from stream_reason where stream = 'crm';
```
"""


_OPERATIONS_HEAD = """\
# What a platform did

The datasets of `datasurface_operations`, which DataSurface adds to every ecosystem. A platform on which somebody
consumes one of them writes what it knows every five minutes; `platform` says which platform it was. This page is
generated from the definitions.

`datasurface_security` is written once an hour by the code that makes roles and grants as the model says: whoever
consumes it has that sync, and its trail.

Batches, failures, checks and audits reach back 30 days here; a batch that changed nothing is left out, because `lag`
says how fresh its stream is. The platform itself forgets finished batches after 400 days and all but the last 20
releases. A consumer with `history=History.FULL` keeps every version: who had which grant, and what was late when.
"""


def tables_reference() -> str:
    """Return the page of the release's tables."""
    log = _section(ReleaseLogRow, f"only as the dataset `{MODEL_STORE}.{ReleaseLogRow.published}`")
    return "\n".join([_HEAD, *[_section(table, _known_as(table.published)) for table in TABLES], log])


def operations_reference() -> str:
    """Return the page of the tables of operations."""
    sections = [_section(t, f"dataset `{OPERATIONS_STORE}.{t.published}`") for t in OPERATIONS]
    sections += [_section(t, f"dataset `{SECURITY_STORE}.{t.published}`") for t in SECURITY]
    return "\n".join([_OPERATIONS_HEAD, *sections])


def _known_as(published: str) -> str:
    return f"dataset `{MODEL_STORE}.{published}`" if published else "for jobs alone"


def _section(mapped: type[DeclarativeBase], known_as: str) -> str:
    table = mapped.metadata.tables[mapped.__tablename__]
    lines = [f"## {table.name}", "", f"{table.comment or ''} ({known_as})", "", "| column | type | |", "|---|---|---|"]
    lines += [_line(column) for column in table.columns]
    return "\n".join(lines) + "\n"


def _line(column: Column[object]) -> str:
    kind = {"VARCHAR": "text", "TEXT": "text", "BOOLEAN": "yes or no", "DATETIME": "timestamp"}.get(
        str(column.type), str(column.type).lower()
    )
    key = " (key)" if column.primary_key else ""
    return f"| `{column.name}`{key} | {kind} | {column.comment or ''} |"
