"""The reference page of the release's tables, as Markdown, from the tables' own comments."""

from __future__ import annotations

from sqlalchemy import Column

from datasurface.release.tables import TABLES, Table

__all__ = ["tables_reference"]

_HEAD = """\
# The tables of a release

A release holds the compiled model as relational tables. `datasurface query "select …"` asks them, a release file is a
SQLite database of them, and jobs read their slice from it. This page is generated from the tables' definitions.

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


def tables_reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *[_section(table) for table in TABLES]])


def _section(mapped: type[Table]) -> str:
    table = mapped.metadata.tables[mapped.__tablename__]
    lines = [f"## {table.name}", "", table.comment or "", "", "| column | type | |", "|---|---|---|"]
    lines += [_line(column) for column in table.columns]
    return "\n".join(lines) + "\n"


def _line(column: Column[object]) -> str:
    kind = {"VARCHAR": "text", "TEXT": "text", "BOOLEAN": "yes or no"}.get(str(column.type), str(column.type).lower())
    key = " (key)" if column.primary_key else ""
    return f"| `{column.name}`{key} | {kind} | {column.comment or ''} |"
