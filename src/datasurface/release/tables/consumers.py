"""Tables of who needs what: workspaces, their groups and sinks, and the transformers that derive data from them."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.tables.base import Declared, Owned, Table, documentation

__all__ = [
    "DatasetGroupRow",
    "DeIdentificationRow",
    "ReaderRow",
    "SinkColumnRow",
    "SinkRow",
    "TransformerRow",
    "TransformerSecretRow",
    "WorkspaceRow",
]


class WorkspaceRow(Owned, Declared, Table):
    """Workspaces: the consumers."""

    __tablename__ = "workspace"
    published: ClassVar[str] = "workspaces"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the ecosystem.")
    zone: Mapped[str] = mapped_column(comment="Refers to `zone.name`.")
    team: Mapped[str] = mapped_column(comment="Refers to `team.name` in that zone.")
    priority: Mapped[str] = mapped_column(comment="`low`, `medium`, `high` or `critical`.")
    production: Mapped[bool] = mapped_column(comment="Whether production depends on it.")
    container: Mapped[str | None] = mapped_column(comment="Where its views are; NULL for the platform's database.")
    deprecated: Mapped[str | None] = mapped_column(comment="Why, and what to use instead.")
    doc: Mapped[str] = documentation()


class ReaderRow(Table):
    """People and groups who may read a workspace."""

    __tablename__ = "workspace_reader"
    published: ClassVar[str] = "workspace_readers"

    workspace: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `workspace.name`.")
    reader: Mapped[str] = mapped_column(primary_key=True, comment="As the model names them.")
    until: Mapped[str | None] = mapped_column(comment="When access ends; NULL for never.")
    clearance: Mapped[str | None] = mapped_column(comment="The classifications covered; NULL hides nothing.")
    login: Mapped[bool] = mapped_column(comment="Whether DataSurface makes the login.")


class DatasetGroupRow(Declared, Table):
    """Groups of the workspaces: datasets that are needed in the same way."""

    __tablename__ = "dataset_group"
    published: ClassVar[str] = "groups"

    workspace: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `workspace.name`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the workspace.")
    history: Mapped[str] = mapped_column(comment="`live` or `full`.")
    latency: Mapped[str] = mapped_column(comment="`seconds`, `minutes`, `hours` or `days`.")
    retention: Mapped[str | None] = mapped_column(comment="How long closed versions are kept; NULL for ever.")
    regulator: Mapped[str | None] = mapped_column(comment="Who demands it, if somebody does.")
    platform: Mapped[str | None] = mapped_column(comment="The platform it names; NULL leaves it to the rules.")


class SinkRow(Declared, Table):
    """What the groups consume."""

    __tablename__ = "sink"
    published: ClassVar[str] = "sinks"

    workspace: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `workspace.name`.")
    group_name: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset_group.name`.")
    reference: Mapped[str] = mapped_column(primary_key=True, comment="`datastore.dataset`, as the model writes it.")
    datastore: Mapped[str | None] = mapped_column(comment="Refers to `datastore.name`; NULL if the reference is none.")
    dataset: Mapped[str | None] = mapped_column(comment="Refers to `dataset.name` in that datastore.")
    columns: Mapped[str | None] = mapped_column(comment="Those wanted, joined by `, `; NULL for all.")
    accept_deprecated: Mapped[bool] = mapped_column(comment="Whether it may consume what is deprecated.")


class SinkColumnRow(Table):
    """The columns of those sinks that do not want all of their dataset's, one row each."""

    __tablename__ = "sink_column"
    published: ClassVar[str] = "sink_columns"

    workspace: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `workspace.name`.")
    group_name: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset_group.name`.")
    reference: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `sink.reference` in that group.")
    column: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `column.name` in the sink's dataset.")


class TransformerRow(Declared, Table):
    """Transformers: code that derives a datastore from what a workspace consumes."""

    __tablename__ = "transformer"
    published: ClassVar[str] = "transformers"

    workspace: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `workspace.name`.")
    name: Mapped[str] = mapped_column(comment="Its name.")
    output: Mapped[str] = mapped_column(comment="Refers to `datastore.name`.")
    code_kind: Mapped[str] = mapped_column(comment="Such as `SqlQueries`.")
    code: Mapped[str] = mapped_column(Text, comment="What it runs, as JSON.")
    every: Mapped[str | None] = mapped_column(comment="When it runs; NULL when its inputs have changed.")
    mode: Mapped[str] = mapped_column(comment="`snapshot` or `changes`.")
    run_as: Mapped[str | None] = mapped_column(comment="The identity under which it runs.")
    params: Mapped[str] = mapped_column(Text, comment="What it is told, as a JSON object.")


class TransformerSecretRow(Table):
    """The names of the secrets that transformers are given."""

    __tablename__ = "transformer_secret"
    published: ClassVar[str] = "transformer_secrets"

    workspace: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `transformer.workspace`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="The name under which the code knows it.")
    credential: Mapped[str] = mapped_column(comment="Refers to `credential.name`.")


class DeIdentificationRow(Table):
    """What is done to the columns of de-identified copies."""

    __tablename__ = "deidentification"
    published: ClassVar[str] = "deidentifications"

    datastore: Mapped[str] = mapped_column(primary_key=True, comment="The copy. Refers to `datastore.name`.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset.name` in that datastore.")
    column: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `column.name` in that dataset.")
    workspace: Mapped[str] = mapped_column(comment="Refers to `transformer.workspace`.")
    source_datastore: Mapped[str | None] = mapped_column(comment="What is copied. Refers to `datastore.name`.")
    source_dataset: Mapped[str | None] = mapped_column(comment="Refers to `dataset.name` in that datastore.")
    method: Mapped[str] = mapped_column(comment="`Tokenise`, `KeyedHash`, `Redact` or `Generalise`.")
    settings: Mapped[str] = mapped_column(Text, comment="Of the method, as a JSON object; what is by default left out.")
    replaces: Mapped[str] = mapped_column(comment="Classifications that the copy has no more, joined by `, `.")
