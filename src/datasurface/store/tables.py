"""The platform's own tables, in its schema of the merge database. Declared for any database that SQLAlchemy knows.

They are declared without a schema; `bind` says in which schema a connection finds them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "SCHEMA_VERSION",
    "VIEWS",
    "access_changes",
    "activations",
    "audits",
    "bind",
    "checks",
    "datasets",
    "following",
    "jobs",
    "ledger",
    "ledger_datasets",
    "logins",
    "metadata",
    "platform",
    "release_tables",
    "releases",
    "streams",
    "system_runs",
    "totals",
    "views",
]

SCHEMA_VERSION = 3
"""Rises with every change of these tables."""

metadata = MetaData()
_moment = DateTime(timezone=True)

platform = Table(
    "platform",
    metadata,
    Column("schema_version", Integer, nullable=False),
    Column("ecosystem", Text, nullable=False),
    Column("environment", Text),
    Column("name", Text, nullable=False),
    Column("epoch", String(36), nullable=False),
    Column("created_at", _moment, nullable=False),
    comment="One row: whose platform this is, and which version of these tables",
)

releases = Table(
    "releases",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("model", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("built_at", _moment, nullable=False),
    Column("activated_at", _moment),
    Column("active", Boolean, nullable=False),
    comment="Releases that were applied; at most one is active",
)

activations = Table(
    "activations",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("at", _moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("how", String(16), nullable=False),
    Column("ref_kind", String(8)),
    Column("ref", Text),
    Column("commit_id", Text),
    Column("committed_at", _moment),
    comment="Which release became active when, made so by whom, and of which tag or branch it is",
)

following = Table(
    "following",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("seen", Text),
    Column("pending", Text),
    Column("pin", Text),
    comment="What the follower saw at its last look, which release waits and why, and what a rollback holds back",
)

jobs = Table(
    "jobs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("spec", Text, nullable=False),
    comment="A release's slice for each stream: all that its job reads",
)

release_tables = Table(
    "release_tables",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("columns", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    comment="The tables of the active release that somebody consumes as datasets: compressed rows, in parts",
)

streams = Table(
    "streams",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("owner", Text),
    Column("heartbeat", _moment),
    Column("token", BigInteger, nullable=False),
    Column("next_batch", BigInteger, nullable=False),
    Column("position", Text),
    Column("read_at", _moment),
    Column("started_at", _moment),
    Column("changed_batch", BigInteger),
    comment="One row a stream: who owns it, how far it has been read, and which merged batch last changed a row",
)

datasets = Table(
    "datasets",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("loaded", Boolean, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("last_read", BigInteger, nullable=False),
    Column("history_from", BigInteger),
    Column("history_from_at", _moment),
    Column("pruned_at", _moment),
    Column("pruned_through", BigInteger),
    comment="One row a dataset of a stream: how many rows are current, and since which batch history is kept",
)

views = Table(
    "views",
    metadata,
    Column("schema_name", Text, primary_key=True),
    Column("view_name", Text, primary_key=True),
    Column("stream", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("columns", Text, nullable=False),
    Column("history", Boolean, nullable=False),
    Column("statement", Text, nullable=False),
    comment="The consumers' views that this platform made, and no others",
)

ledger = Table(
    "ledger",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("batch_id", BigInteger, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("started_at", _moment, nullable=False),
    Column("finished_at", _moment),
    Column("read_at", _moment),
    Column("rows_read", BigInteger, nullable=False),
    Column("inserted", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("model_digest", String(64), nullable=False),
    Column("job_digest", String(64), nullable=False),
    Column("candidate", Text),
    Column("error", Text),
    Column("memory", BigInteger),
    comment="One row a batch of a stream",
)

ledger_datasets = Table(
    "ledger_datasets",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("batch_id", BigInteger, primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("staging_kind", String(8)),
    Column("staging_table", Text),
    Column("seed", Boolean, nullable=False),
    Column("rows_read", BigInteger, nullable=False),
    Column("inserted", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    comment="The same by dataset, and where its rows are staged",
)

totals = Table(
    "totals",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("through", BigInteger, nullable=False),
    Column("batches", BigInteger, nullable=False),
    Column("rows_read", BigInteger, nullable=False),
    Column("inserted", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("seconds", Float(53), nullable=False),
    comment="What the batches of each stream came to through a number, by how they ended, for counters that never fall",
)

system_runs = Table(
    "system_runs",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("at", _moment, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("ok_at", _moment),
    Column("error", Text, nullable=False),
    comment="How the last run of each job of the system ended, and when one last ended well",
)

audits = Table(
    "audits",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("ran_at", _moment, primary_key=True),
    Column("verified_through", BigInteger, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("wrong", BigInteger, nullable=False),
    Column("changed_since", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    comment="Results of audits: through which batch consumers' rows were proved equal to the source",
)

access_changes = Table(
    "access_changes",
    metadata,
    Column("sync", String(36), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at", _moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("statements", Text, nullable=False),
    Column("model_digest", String(64), nullable=False),
    comment="Every change of roles, grants and logins: who made it, when, what, and for which release",
)

logins = Table(
    "logins",
    metadata,
    Column("role", Text, primary_key=True),
    Column("credential", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("previous", Text),
    Column("issued_at", _moment, nullable=False),
    comment="Which of the two alternating logins of a role is in use, and since when it has its password",
)

checks = Table(
    "checks",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("batch_id", BigInteger, primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("check_name", Text, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("on_failure", String(8), nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("failing_rows", BigInteger),
    Column("detail", Text, nullable=False),
    Column("newest", _moment),
    Column("definition", String(64), nullable=False),
    comment="What the checks of datasets said of a batch; one that had nothing new to look at says nothing",
)

VIEWS: dict[str, str] = {
    "batches": (
        "SELECT stream, batch_id, state, started_at, finished_at, rows_read, inserted, updated, deleted, "
        "model_digest, error FROM {schema}.ledger"
    ),
    "batch_datasets": (
        "SELECT d.stream, d.batch_id, d.dataset, l.state, l.started_at, l.finished_at, d.rows_read, d.inserted, "
        "d.updated, d.deleted, l.model_digest, l.error "
        "FROM {schema}.ledger_datasets d JOIN {schema}.ledger l ON l.stream = d.stream AND l.batch_id = d.batch_id"
    ),
    "batch_checks": (
        "SELECT stream, batch_id, dataset, check_name, kind, on_failure, ok, failing_rows, detail FROM {schema}.checks"
    ),
}
"""The public views; `{schema}` stands for the platform's schema, quoted."""


def bind(connection: Connection, schema: str) -> Connection:
    """Return the connection with these tables found in `schema`."""
    return connection.execution_options(schema_translate_map={None: schema})
