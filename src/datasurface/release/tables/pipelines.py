"""Tables of what the model implies: streams and why they exist, how data flows, the views consumers get, findings."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.tables.base import Declared, Table

__all__ = ["EdgeRow", "FindingRow", "StreamDatasetRow", "StreamReasonRow", "StreamRow", "ViewRow"]


class StreamRow(Table):
    """Streams: what each platform moves because somebody needs it."""

    __tablename__ = "stream"
    published: ClassVar[str] = "streams"

    platform: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `platform.name`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="`datastore` or `datastore.dataset`.")
    kind: Mapped[str] = mapped_column(comment="`ingestion` or `output`.")
    zone: Mapped[str] = mapped_column(comment="Refers to `zone.name`.")
    team: Mapped[str] = mapped_column(comment="Refers to `team.name` in that zone.")
    datastore: Mapped[str] = mapped_column(comment="Refers to `datastore.name`.")
    priority: Mapped[str] = mapped_column(comment="The highest of all who depend on it.")
    latency: Mapped[str] = mapped_column(comment="The tightest of all who depend on it.")


class StreamDatasetRow(Table):
    """What a stream carries: the strongest need of all who asked."""

    __tablename__ = "stream_dataset"
    published: ClassVar[str] = "stream_datasets"

    platform: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `platform.name`.")
    stream: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `stream.name` on that platform.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset.name` in its datastore.")
    history: Mapped[str] = mapped_column(comment="`live` or `full`.")
    retention: Mapped[str | None] = mapped_column(comment="The longest of all; NULL for ever.")
    latency: Mapped[str] = mapped_column(comment="The tightest of all.")


class StreamReasonRow(Table):
    """Why a stream carries a dataset: who asked for what."""

    __tablename__ = "stream_reason"
    published: ClassVar[str] = "stream_reasons"

    platform: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `platform.name`.")
    stream: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `stream.name` on that platform.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset.name` in its datastore.")
    workspace: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `workspace.name`.")
    group_name: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `dataset_group.name`.")
    asked_for: Mapped[str] = mapped_column(primary_key=True, comment="What the group's sink names.")
    wants: Mapped[str] = mapped_column(comment="In words.")


class EdgeRow(Table):
    """How data flows: between the nodes of the graph, between datasets and groups, and between columns in queries."""

    __tablename__ = "edge"
    published: ClassVar[str] = "edges"

    kind: Mapped[str] = mapped_column(primary_key=True, comment="`flow`, `lineage` or, from SQL, `column`.")
    platform: Mapped[str] = mapped_column(
        primary_key=True, comment="Refers to `platform.name`; empty for others than flow."
    )
    source: Mapped[str] = mapped_column(
        primary_key=True,
        comment="`source:`, `stream:` or `transformer:NAME`; `dataset:S.D`, `group:W.G`; `column:S.D.C`.",
    )
    target: Mapped[str] = mapped_column(
        primary_key=True,
        comment="`stream:`, `transformer:` or `export:NAME`; `group:W.G`, `dataset:S.D`; `column:S.D.C`.",
    )


class ViewRow(Table):
    """The views that consumers get."""

    __tablename__ = "view"
    published: ClassVar[str] = "views"

    platform: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `platform.name`.")
    schema: Mapped[str] = mapped_column(primary_key=True, comment="The view's schema, shortened if need be.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="The view's name, shortened if need be.")
    workspace: Mapped[str] = mapped_column(comment="Refers to `workspace.name`.")
    group_name: Mapped[str] = mapped_column(comment="Refers to `dataset_group.name`.")
    stream: Mapped[str] = mapped_column(comment="Refers to `stream.name` on that platform.")
    datastore: Mapped[str] = mapped_column(comment="Refers to `datastore.name`.")
    dataset: Mapped[str] = mapped_column(comment="Refers to `dataset.name` in that datastore.")
    history: Mapped[bool] = mapped_column(comment="Whether it shows every version instead of the current rows.")
    columns: Mapped[str] = mapped_column(Text, comment="The model's columns that it shows, joined by `, `.")


class FindingRow(Declared, Table):
    """What `check` found."""

    __tablename__ = "finding"
    published: ClassVar[str] = "findings"

    position: Mapped[int] = mapped_column(primary_key=True, comment="Its place in the report, from 1.")
    code: Mapped[str] = mapped_column(comment="Which rule.")
    severity: Mapped[str] = mapped_column(comment="How bad it is.")
    path: Mapped[str] = mapped_column(comment="The object, by its path in the model.")
    message: Mapped[str] = mapped_column(Text, comment="What is wrong.")
    hint: Mapped[str] = mapped_column(Text, comment="What to do.")
