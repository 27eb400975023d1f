"""The nodes of the graph: streams, transformers and exports, each with the reasons why it exists. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from datasurface.model.datastore import Datastore
from datasurface.model.schema import Dataset
from datasurface.model.vocabulary import History, Latency, Priority
from datasurface.model.workspace import DatasetGroup, DatasetSink, Workspace

__all__ = [
    "Edge",
    "Export",
    "Graph",
    "GraphProblem",
    "Reason",
    "Stream",
    "StreamDataset",
    "StreamKind",
    "TransformerNode",
]


class StreamKind(StrEnum):
    """Where a stream's rows come from."""

    INGESTION = "ingestion"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    """Who asked for something: a group of a workspace, and for what.

    Attributes:
        workspace: The workspace that asks.
        group: Its group.
        dataset: `store.dataset` as the sink names it.
        wants: In words: `history full, latency minutes, kept 7 years`.
    """

    workspace: str
    group: str
    dataset: str
    wants: str

    def __str__(self) -> str:
        return f"group {self.group} of workspace {self.workspace} asks for {self.dataset} ({self.wants})"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDataset:
    """A dataset that a stream has to carry; the strongest need of all who asked.

    Attributes:
        retention: The longest of all needs, as declared; None for ever.
        latency: The tightest of all needs.
    """

    dataset: Dataset
    history: History
    retention: str | None
    latency: Latency
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A datastore on a platform, or one dataset of it (`Consistency.DATASET`).

    Attributes:
        name: `<datastore>` or `<datastore>.<dataset>`; unique on its platform.
        datasets: Only those that somebody asks for, in the datastore's order.
        priority: The highest of all who depend on it, through transformers too.
    """

    platform: str
    name: str
    kind: StreamKind
    zone: str
    team: str
    datastore: Datastore
    datasets: tuple[StreamDataset, ...]
    priority: Priority
    latency: Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerNode:
    """A transformer that runs on a platform because somebody there consumes its output."""

    platform: str
    workspace: Workspace
    inputs: tuple[str, ...]
    """Names of the streams it reads, sorted; its own output among them if it refers to itself."""
    outputs: tuple[str, ...]
    """Names of the streams of its output."""
    triggers: tuple[str, ...] = ()
    """Names of the streams that it follows, sorted: its inputs without those that come back to it in a cycle."""
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What a group of a workspace sees on a platform."""

    platform: str
    workspace: Workspace
    group: DatasetGroup
    sinks: tuple[tuple[DatasetSink, str], ...]
    """Each sink with the name of the stream that feeds it; sinks that nothing can feed are left out."""


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """Data flows from one node to another.

    Ids are `stream:NAME`, `transformer:WORKSPACE`, `export:WORKSPACE.GROUP` and
    `source:CONTAINER`.
    """

    platform: str
    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphProblem:
    """Something that keeps a part of the model from running; `check` turns it into a finding.

    Attributes:
        kind: One of `no_platform`, `unknown_platform`, `platform_cannot`, `tie`, `no_source`.
        subject: The object of the model at which to report it.
        path: The path of that object, such as `workspace reports / group live`.
        message: What is wrong.
    """

    kind: str
    subject: object
    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All pipelines derived from a model; every tuple is sorted, so equal models give equal graphs."""

    streams: tuple[Stream, ...] = ()
    transformers: tuple[TransformerNode, ...] = ()
    exports: tuple[Export, ...] = ()
    edges: tuple[Edge, ...] = ()
    unused: tuple[str, ...] = ()
    """Datasets `store.dataset` that nobody asks for, without those of the system."""
    idle_system: tuple[str, ...] = ()
    """The system's datastores that nobody consumes, if the model was given the system's zone."""
    problems: Sequence[GraphProblem] = ()
