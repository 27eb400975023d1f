"""Records of streams and why they exist, how data flows, consumers' views, findings, and what jobs read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from datasurface.govern.report import Finding
from datasurface.graph.nodes import Graph, Stream
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import all_workspaces, sinks_of, split_reference
from datasurface.model.vocabulary import History
from datasurface.names import group_schema, view_name
from datasurface.release.bind import replaced
from datasurface.release.job import PlatformSpec, ViewSpec
from datasurface.release.records.base import Record, joined
from datasurface.release.tables import (
    DocumentRow,
    EdgeRow,
    FindingRow,
    JobRow,
    StreamDatasetRow,
    StreamReasonRow,
    StreamRow,
    ViewRow,
)

__all__ = ["column_records", "document_records", "finding_records", "pipeline_records"]


def pipeline_records(
    ecosystem: Ecosystem, graph: Graph, platforms: Sequence[PlatformSpec], name_limits: Mapping[str, int]
) -> Iterator[Record]:
    """Yield what the model implies."""
    for stream in graph.streams:
        yield from _stream(stream)
    for edge in graph.edges:
        yield EdgeRow, {"kind": "flow", "platform": edge.platform, "source": edge.source, "target": edge.target}
    yield from _lineage(ecosystem)
    for platform in platforms:
        for view in platform.views:
            yield _view(platform.name, view, name_limits[platform.name], history=False)
            if view.history is History.FULL:
                yield _view(platform.name, view, name_limits[platform.name], history=True)


def _stream(stream: Stream) -> Iterator[Record]:
    key = {"platform": stream.platform, "stream": stream.name}
    yield (
        StreamRow,
        {
            "platform": stream.platform,
            "name": stream.name,
            "kind": stream.kind.value,
            "zone": stream.zone,
            "team": stream.team,
            "datastore": stream.datastore.name,
            "priority": stream.priority.value,
            "latency": stream.latency.value,
        },
    )
    for need in stream.datasets:
        name = need.dataset.name
        wants = {"history": need.history.value, "retention": need.retention, "latency": need.latency.value}
        yield StreamDatasetRow, {**key, "dataset": name, **wants}
        for reason in need.reasons:
            asked = {"workspace": reason.workspace, "group_name": reason.group, "asked_for": reason.dataset}
            yield StreamReasonRow, {**key, "dataset": name, **asked, "wants": reason.wants}


def _lineage(ecosystem: Ecosystem) -> Iterator[Record]:
    """Yield the edges from datasets to the groups that consume them, and from groups to what is derived from them."""
    for placed in all_workspaces(ecosystem):
        transformer = placed.workspace.transformer
        outputs = [f"{transformer.output.name}.{d.name}" for d in transformer.output.datasets] if transformer else []
        for group in placed.workspace.groups:
            node = f"group:{placed.workspace.name}.{group.name}"
            for sink in sinks_of(group):
                if split_reference(sink.dataset) is not None:
                    yield _lineage_edge(f"dataset:{sink.dataset}", node)
            for output in outputs:
                yield _lineage_edge(node, f"dataset:{output}")


def column_records(lineage: Sequence[tuple[str, str]]) -> Iterator[Record]:
    """Yield the edges between columns of inputs and columns of what queries derive from them."""
    for source, target in lineage:
        yield (
            EdgeRow,
            {"kind": "column", "platform": "", "source": f"column:{source}", "target": f"column:{target}"},
        )


def _lineage_edge(source: str, target: str) -> Record:
    return EdgeRow, {"kind": "lineage", "platform": "", "source": source, "target": target}


def _view(platform: str, view: ViewSpec, limit: int, *, history: bool) -> Record:
    return ViewRow, {
        "platform": platform,
        "schema": group_schema(view.workspace, view.group, limit),
        "name": view_name(view.datastore, view.dataset, limit, history=history),
        "workspace": view.workspace,
        "group_name": view.group,
        "stream": view.stream,
        "datastore": view.datastore,
        "dataset": view.dataset,
        "history": history,
        "columns": joined(view.columns),
    }


def finding_records(findings: Sequence[Finding]) -> Iterator[Record]:
    """Yield what `check` found."""
    for position, found in enumerate(findings, start=1):
        yield (
            FindingRow,
            {
                "position": position,
                "code": found.code,
                "severity": found.severity.value,
                "path": found.path,
                "message": found.message,
                "hint": found.hint,
                "file": found.position.path if found.position else None,
                "line": found.position.line if found.position else None,
            },
        )


def document_records(ecosystem: str, model_json: str, platforms: Sequence[PlatformSpec]) -> Iterator[Record]:
    """Yield what jobs read: the model's document, each platform's without its jobs, and the jobs."""
    yield DocumentRow, {"kind": "model", "name": ecosystem, "content": model_json}
    for platform in platforms:
        content = replaced(platform, jobs=()).to_json()
        yield DocumentRow, {"kind": "platform", "name": platform.name, "content": content}
        for job in platform.jobs:
            key = {"platform": platform.name, "stream": job.stream}
            spec, digest = job.to_json_and_digest()
            yield JobRow, {**key, "job_digest": digest, "spec": spec}
