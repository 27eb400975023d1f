"""Tables of what there is: datastores, their datasets and columns, classifications, and who may consume."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.tables.base import Declared, Owned, Table, documentation

__all__ = [
    "ApprovalRow",
    "ClassificationRow",
    "ColumnClassificationRow",
    "ColumnRow",
    "DatasetCheckRow",
    "DatasetRow",
    "DatastoreRow",
]


class DatastoreRow(Owned, Declared, Table):
    """Datastores, outputs of transformers included."""

    __tablename__ = "datastore"
    published: ClassVar[str] = "datastores"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the ecosystem.")
    zone: Mapped[str] = mapped_column(comment="Refers to `zone.name`.")
    team: Mapped[str] = mapped_column(comment="Refers to `team.name` in that zone.")
    workspace: Mapped[str | None] = mapped_column(comment="Whose transformer makes it; NULL if it is captured.")
    capture: Mapped[str | None] = mapped_column(comment="How it is read, such as `Snapshot`.")
    container: Mapped[str | None] = mapped_column(comment="Refers to `container.name`.")
    credential: Mapped[str | None] = mapped_column(comment="What it is read with, inherited or its own.")
    credential_inherited: Mapped[bool] = mapped_column(comment="Whether the credential is the container's.")
    every: Mapped[str | None] = mapped_column(comment="How often it is read.")
    consistency: Mapped[str | None] = mapped_column(comment="`datastore` or `dataset`.")
    access: Mapped[str] = mapped_column(comment="`open` or `approval`.")
    production: Mapped[bool] = mapped_column(comment="Whether it holds production data.")
    deprecated: Mapped[str | None] = mapped_column(comment="Why, and what to use instead.")
    guard_max_deleted: Mapped[float] = mapped_column(comment="The share of rows above which deletes park a batch.")
    guard_above_rows: Mapped[int] = mapped_column(comment="Only tables with more rows are guarded so.")
    guard_allow_empty: Mapped[bool] = mapped_column(comment="Whether a table may become empty.")
    doc: Mapped[str] = documentation()


class ApprovalRow(Declared, Table):
    """Which groups may consume a datastore with access by approval."""

    __tablename__ = "approval"
    published: ClassVar[str] = "approvals"

    datastore: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `datastore.name`.")
    reference: Mapped[str] = mapped_column(primary_key=True, comment="`workspace.group` or `workspace.group:dataset`.")
    workspace: Mapped[str] = mapped_column(comment="Refers to `workspace.name`.")
    group_name: Mapped[str] = mapped_column(comment="Refers to `dataset_group.name` in that workspace.")
    dataset: Mapped[str | None] = mapped_column(comment="The dataset; NULL for all of the datastore.")


class DatasetRow(Declared, Table):
    """Datasets of the datastores."""

    __tablename__ = "dataset"
    published: ClassVar[str] = "datasets"

    datastore: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `datastore.name`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the datastore.")
    position: Mapped[int] = mapped_column(comment="Its place in the datastore, from 1.")
    source_schema: Mapped[str | None] = mapped_column(comment="The schema at the source, the container's included.")
    source_table: Mapped[str] = mapped_column(comment="The physical name at the source.")
    classification: Mapped[str] = mapped_column(comment="Classifications that hold for all columns, joined by `, `.")
    deprecated: Mapped[str | None] = mapped_column(comment="Why, and what to use instead.")
    doc: Mapped[str] = documentation()


class ColumnRow(Declared, Table):
    """Columns of the datasets."""

    __tablename__ = "column"
    published: ClassVar[str] = "columns"

    datastore: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `datastore.name`.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset.name` in that datastore.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the dataset.")
    position: Mapped[int] = mapped_column(comment="Its place in the dataset, from 1.")
    type: Mapped[str] = mapped_column(comment="As a model writes it: `String(80)`.")
    key: Mapped[bool] = mapped_column(comment="Whether it is part of the key.")
    nullable: Mapped[bool] = mapped_column(comment="Whether it may be NULL.")
    source: Mapped[str] = mapped_column(comment="The physical name at the source.")
    classification: Mapped[str] = mapped_column(comment="Its own and its dataset's classifications, joined by `, `.")
    doc: Mapped[str] = documentation()


class ColumnClassificationRow(Table):
    """Classifications of the columns, one row each."""

    __tablename__ = "column_classification"
    published: ClassVar[str] = "column_classifications"

    datastore: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `datastore.name`.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset.name` in that datastore.")
    column: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `column.name` in that dataset.")
    scheme: Mapped[str] = mapped_column(primary_key=True, comment="Whose classification; empty for DataSurface's own.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Such as `PII`.")
    level: Mapped[int] = mapped_column(comment="Higher is more sensitive, within the scheme.")
    inherited: Mapped[bool] = mapped_column(comment="Whether it is the dataset's.")


class ClassificationRow(Table):
    """Classifications that the model uses, in data or in policies."""

    __tablename__ = "classification"
    published: ClassVar[str] = "classifications"

    scheme: Mapped[str] = mapped_column(primary_key=True, comment="Whose classification; empty for DataSurface's own.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Such as `PII`.")
    level: Mapped[int] = mapped_column(comment="Higher is more sensitive, within the scheme.")


class DatasetCheckRow(Declared, Table):
    """Conditions that a dataset's rows must meet before they are published."""

    __tablename__ = "dataset_check"
    published: ClassVar[str] = "dataset_checks"

    datastore: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `datastore.name`.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset.name` in that datastore.")
    position: Mapped[int] = mapped_column(primary_key=True, comment="Its place in the dataset, from 1.")
    kind: Mapped[str] = mapped_column(comment="The class that declares it.")
    condition: Mapped[str] = mapped_column(Text, comment="What it says, as JSON.")
