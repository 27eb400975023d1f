"""What one stream's job needs to know, and what one platform has to show: the slices of a release that jobs read.

They are nouns, so that their JSON form and digest come from the one mechanism. A job never sees the model.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime

from datasurface.model.base import EMPTY_MAPPING, Noun, noun
from datasurface.model.capture import Capture, Every, External
from datasurface.model.datastore import Guard
from datasurface.model.identity import CloudIdentity
from datasurface.model.infrastructure import Container, Credential, CredentialLike
from datasurface.model.ownership import Repository
from datasurface.model.platform import Hint
from datasurface.model.schema import Check
from datasurface.model.secret_stores import StoreChoice
from datasurface.model.serial import encode
from datasurface.model.transformer import Code
from datasurface.model.types import BigInt, DataType, String
from datasurface.model.vocabulary import Consistency, History, OutputMode, Priority
from datasurface.release.labels import JobLabels

__all__ = [
    "CHANGE_COLUMNS",
    "Changed",
    "Follows",
    "InputDataset",
    "JobChecks",
    "JobColumn",
    "JobDataset",
    "JobSpec",
    "OutputCapture",
    "PlatformSpec",
    "ReaderSpec",
    "TransformerSpec",
    "ViewSpec",
]


@noun
class JobColumn(Noun):
    """A column as a job reads and stores it."""

    name: str = field(kw_only=False)
    type: DataType = field(kw_only=False)
    key: bool = False
    nullable: bool = True
    source: str


CHANGE_COLUMNS = (
    JobColumn("ds_op", String(), nullable=False, source="ds_op"),
    JobColumn("ds_seq", BigInt(), nullable=False, source="ds_seq"),
)
"""What a staged change has beside the dataset's columns: `I`, `U` or `D`, and its place in the order of the batch."""


@noun
class JobDataset(Noun):
    """A table that a job reads.

    Attributes:
        name: The dataset's logical name.
        source_schema: The schema at the source; None where the database has none.
        source_table: The physical name at the source.
        history: FULL if anybody needs its earlier versions.
        retention_days: How long closed versions are kept; None for ever.
    """

    name: str = field(kw_only=False)
    source_schema: str | None = None
    source_table: str
    columns: Sequence[JobColumn]
    history: History = History.LIVE
    retention_days: int | None = None

    @property
    def key_columns(self) -> tuple[JobColumn, ...]:
        """The key, in the dataset's order; empty for a multiset."""
        return tuple([c for c in self.columns if c.key])


@noun
class Changed(External):
    """No schedule: a transformer without `every` runs whenever its inputs have changed."""


@noun
class JobChecks(Noun):
    """What holds for a dataset before its rows are published.

    Attributes:
        dataset: The dataset's name.
        hidden: Columns whose values may not stand in messages, because of what they are classified as.
    """

    dataset: str = field(kw_only=False)
    checks: Sequence[Check]
    hidden: Sequence[str] = ()


@noun
class OutputCapture(Capture):
    """How the stream of a transformer's output is read: the code is run, then its output tables are taken whole.

    Attributes:
        container: The platform's own database, which holds the output tables.
        every: When the code runs.
    """

    container: Container = field(kw_only=False)
    credential: CredentialLike = None
    every: Every = Changed()
    consistency: Consistency = Consistency.DATASTORE


@noun
class InputDataset(Noun):
    """A dataset that a transformer reads, as one group of its workspace sees it.

    Attributes:
        stream: The stream that feeds it.
        columns: What the group sees of it, in order.
        key: The columns of its key, whether the group sees them or not.
    """

    group: str
    datastore: str
    dataset: str
    stream: str
    columns: Sequence[JobColumn]
    key: Sequence[str] = ()
    history: History = History.LIVE


@noun
class TransformerSpec(Noun):
    """A transformer that runs on a platform: its code, what it reads, and what it is given.

    Attributes:
        name: The transformer's name.
        workspace: The workspace that it belongs to, which also names its login and its output schema.
        secrets: The credentials it gets, by the name it knows them under.
        inputs: What it reads, sorted by group, datastore and dataset; its own output among them if it refers to itself.
        triggers: The streams whose changes make it run, and that it waits for, sorted: its inputs without itself, and
            without those that come back to it in a cycle.
        unused: Datasets of its output that nobody consumes; what it writes there is dropped.
        user: The system user that its code runs as on the platform's machine; None for the platform's own.
    """

    name: str = field(kw_only=False)
    workspace: str
    code: Code
    run_as: CloudIdentity | None = None
    secrets: Mapping[str, Credential] = EMPTY_MAPPING
    params: Mapping[str, str | bool | int | float] = EMPTY_MAPPING
    resources: Hint | None = None
    inputs: Sequence[InputDataset] = ()
    triggers: Sequence[str] = ()
    unused: Sequence[str] = ()
    user: str | None = None


@noun
class JobSpec(Noun):
    """One stream: everything that a batch of it needs.

    Attributes:
        stream: `<datastore>` or `<datastore>.<dataset>`.
        capture: How the source is read, container and schedule included.
        credential: What the source is logged in with; None for the driver's defaults.
        connections: How many connections to the source may be used at once.
        keep_batches: For how many batches deltas are kept.
        mode: Whether a batch stages whole tables, or the changes of them.
        checks: The checks of those datasets that have some; no part of the job digest, for they read what is staged.
        transformer: What derives the rows, if this is a transformer's output.
        secret_keys: The datasets whose keys may not stand in messages, because of what they are classified as; no part
            of the job digest.
        labels: What governance says of it, for monitoring and lineage; no part of the job digest.
        resources: What a batch needs when it runs, for what deploys it; no part of the job digest.
    """

    stream: str = field(kw_only=False)
    platform: str
    datastore: str
    datasets: Sequence[JobDataset]
    capture: Capture
    credential: Credential | None = None
    consistency: Consistency = Consistency.DATASTORE
    guard: Guard = Guard()
    priority: Priority = Priority.MEDIUM
    connections: int = 4
    keep_batches: int = 0
    mode: OutputMode = OutputMode.SNAPSHOT
    checks: Sequence[JobChecks] = ()
    transformer: TransformerSpec | None = None
    secret_keys: Sequence[str] = ()
    labels: JobLabels | None = None
    resources: Hint | None = None

    @property
    def source(self) -> Container:
        """The container that is read."""
        return self.capture.container

    def staged(self, dataset: JobDataset) -> JobDataset:
        """Return a dataset with the columns that its staging has: changes carry two more."""
        if self.mode is OutputMode.SNAPSHOT:
            return dataset
        return dataclasses.replace(dataset, columns=(*dataset.columns, *CHANGE_COLUMNS))

    @property
    def job_digest(self) -> str:
        """SHA-256 of what an open batch depends on: datasets, source, capture, code, history; not guard or priority."""
        return self.to_json_and_digest()[1]

    def to_json_and_digest(self) -> tuple[str, str]:
        """Return the canonical JSON text and the job digest, walking over the columns only once."""
        data = encode(self)
        parts = [_canonical(dataset) for dataset in data["datasets"]]
        parts += [_canonical(data["capture"]), self.consistency.value]
        if self.mode is not OutputMode.SNAPSHOT:
            parts.append(self.mode.value)
        if self.transformer is not None:
            parts.append(_canonical({k: v for k, v in data["transformer"].items() if k != "resources"}))
        return _canonical(data), hashlib.sha256("\n".join(parts).encode()).hexdigest()


@noun
class ViewSpec(Noun):
    """What one group of a workspace sees of one dataset."""

    workspace: str
    group: str
    stream: str
    datastore: str
    dataset: str
    columns: Sequence[str]
    history: History = History.LIVE


@noun
class ReaderSpec(Noun):
    """Who may read a workspace's views on a platform.

    Attributes:
        role: The role in the database, or the person's name if a login is made.
        group: Whether the role has to be a group, which cannot log in.
        login: Whether a login is made.
        until: The moment at which access ends, as ISO text in UTC; None for never.
        cleared: What a clearance covers, in words; None if nothing is hidden.
        hidden: The columns that are, as `store.dataset.column`, sorted.
    """

    role: str = field(kw_only=False)
    workspace: str
    group: bool = False
    login: bool = False
    until: str | None = None
    cleared: str | None = None
    hidden: Sequence[str] = ()

    @property
    def ends(self) -> datetime | None:
        """The moment at which access ends."""
        return None if self.until is None else datetime.fromisoformat(self.until)


@noun
class Follows(Noun):
    """Which releases reach an environment by themselves, and where they are.

    Attributes:
        rule: A pattern of tags, or `branch:NAME`.
        store: Where they are published, as the model says it.
        credential: The login to a repository that is followed directly.
    """

    rule: str = field(kw_only=False)
    store: Repository | str
    credential: Credential | None = None


@noun
class PlatformSpec(Noun):
    """One platform: its merge database, its streams and the views it has to show.

    Attributes:
        name: The platform's name.
        ecosystem: Whose platform it is.
        environment: Which environment binds it; None for the model as it is.
        container: The merge database.
        secrets: The secret stores to ask, in order.
        readers: Who may read the views, sorted by workspace and name.
        follows: Which releases reach it by themselves; None if somebody applies them.
    """

    name: str = field(kw_only=False)
    ecosystem: str
    environment: str | None = None
    container: Container
    credential: Credential | None = None
    secrets: Sequence[StoreChoice] = ("environment", "files")
    jobs: Sequence[JobSpec] = ()
    views: Sequence[ViewSpec] = ()
    readers: Sequence[ReaderSpec] = ()
    follows: Follows | None = None

    def job(self, stream: str) -> JobSpec | None:
        """Return the job of a stream, or None if there is none of that name."""
        return next((job for job in self.jobs if job.stream == stream), None)


def _canonical(data: object) -> str:
    """Return JSON data as `to_json` writes it."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
