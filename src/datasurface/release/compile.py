"""Compile a checked model into a release: one job spec a stream, one view spec a sink, the rows of the model's tables.

Pure: no clock, no file, no database. Equal models give equal releases with equal digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from datasurface.govern.capabilities import CapabilityMap
from datasurface.govern.report import Finding
from datasurface.graph.build import build_graph
from datasurface.graph.nodes import Export, Graph, Stream, StreamDataset, StreamKind, TransformerNode
from datasurface.model.capture import Capture
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import (
    all_datastores,
    capture_credential,
    credential_of,
    platform_credential,
    source_of,
    split_reference,
)
from datasurface.model.platform import Environment, Hint, YellowPlatform
from datasurface.model.schema import Dataset
from datasurface.release.bind import Binding, better_hint, binding_of, replaced
from datasurface.release.datasets import job_checks, job_dataset, secret_keys
from datasurface.release.job import Follows, JobSpec, PlatformSpec, ReaderSpec, ViewSpec
from datasurface.release.labelling import labelled
from datasurface.release.outputs import output_job
from datasurface.release.readers import reader_specs
from datasurface.release.system import asks_for_system, system_zone, with_system

if TYPE_CHECKING:
    from datasurface.release.records import Record
    from datasurface.release.tables import Table

__all__ = ["FORMAT", "Release", "compile_release", "pipelines_of", "release_digest"]

FORMAT = 2
"""The version of what a release holds; a part of its digest."""

_DEFAULT_NAME_LIMIT = 63
_NeedKey = tuple[str, str]
"""The names of a stream and of one of its datasets."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A compiled model.

    Attributes:
        digest: SHA-256, in hex, of the model's canonical JSON, the environment's name, the format's version, and the
            system's datastores if somebody consumes one.
        ecosystem: The model, without what DataSurface adds to it.
        model_json: The model's canonical JSON.
        environment: The name of the environment that binds it; None for the model as it is.
        platforms: What each platform that moves data has to run and to show, sorted by name.
        graph: The pipelines derived from the model.
        findings: What `check` found; no part of the digest.
        name_limits: The longest name in each platform's merge database, in bytes, by the platform's name.
        column_lineage: Which column each column of a query's output is made of, as pairs of `store.dataset.column`, as
            far as it is known; no part of the digest.
        format: The version of what a release holds.
    """

    digest: str
    ecosystem: Ecosystem
    model_json: str
    environment: str | None
    platforms: tuple[PlatformSpec, ...]
    graph: Graph
    findings: tuple[Finding, ...]
    name_limits: Mapping[str, int]
    column_lineage: tuple[tuple[str, str], ...] = ()
    format: int = FORMAT

    def platform(self, name: str) -> PlatformSpec | None:
        """Return the platform of that name, or None if there is none that moves data."""
        return next((p for p in self.platforms if p.name == name), None)

    def records(self, *, documents: bool = True) -> Iterator[Record]:
        """Yield the rows of all tables one by one, as a table and its values; computed while they are taken.

        Without `documents` those are left out that only jobs read.

        Where a model gives a name twice, which `check` reports, a key comes twice; the first row is to have it.
        """
        from datasurface.release.records import records_of  # noqa: PLC0415 - jobs and plans need no tables

        return records_of(self, documents=documents)

    def rows(self) -> Mapping[str, list[Table]]:
        """Return the rows of all tables as mapped instances, by the table's name; for models of moderate size."""
        from datasurface.release.records import each_key_once  # noqa: PLC0415 - jobs and plans need no tables
        from datasurface.release.tables import TABLES  # noqa: PLC0415 - jobs and plans need no tables

        found: dict[str, list[Table]] = {table.__tablename__: [] for table in TABLES}
        for table, values in each_key_once(self.records()):
            found[table.__tablename__].append(table(**values))
        return found


def compile_release(
    ecosystem: Ecosystem,
    graph: Graph,
    findings: Sequence[Finding] = (),
    *,
    environment: str | None = None,
    capabilities: CapabilityMap | None = None,
    column_lineage: Sequence[tuple[str, str]] = (),
) -> Release:
    """Return the release of a model that `check` found no error in.

    Args:
        ecosystem: The model, without what DataSurface adds to it.
        graph: The pipelines derived from it as it is bound, with what DataSurface adds: those of `pipelines_of`.
        findings: What `check` found, to be kept beside the model.
        environment: The name of the environment that binds the model; None for the model as it is.
        capabilities: What the databases can do: how long the names of views may be.
        column_lineage: What the columns of queries' outputs are made of, to be kept beside the model.

    Raises:
        ConfigurationError: the model has no environment of that name.
    """
    binding = binding_of(ecosystem, environment)
    bound = binding.model(ecosystem)
    _require_bound(graph, bound)
    model_json = ecosystem.to_json()
    platforms = labelled(_platforms(bound, graph, binding), bound, graph, column_lineage)
    return Release(
        digest=release_digest(ecosystem, model_json, environment),
        ecosystem=ecosystem,
        model_json=model_json,
        environment=environment,
        platforms=platforms,
        graph=graph,
        findings=tuple(findings),
        name_limits={p.name: _name_limit(p, capabilities or {}) for p in platforms},
        column_lineage=tuple(column_lineage),
    )


def pipelines_of(ecosystem: Ecosystem, environment: str | None) -> Graph:
    """Return the pipelines derived from a model as an environment binds it, with what DataSurface adds.

    Raises:
        ConfigurationError: the model has no environment of that name.
    """
    return build_graph(with_system(binding_of(ecosystem, environment).model(ecosystem)))


def _require_bound(graph: Graph, bound: Ecosystem) -> None:
    """Refuse a graph of other databases than the environment's: its jobs would read and write the wrong ones."""
    captures: dict[str, list[Capture | None]] = {}
    for placed in all_datastores(bound):
        captures.setdefault(placed.datastore.name, []).append(placed.datastore.capture)
    for stream in graph.streams:
        declared = stream.datastore.capture
        if declared is not None and declared not in captures.get(stream.datastore.name, (declared,)):
            raise ValueError(f"the graph is not of the bound model: stream {stream.name} reads {declared.container!r}")


def _name_limit(platform: PlatformSpec, capabilities: CapabilityMap) -> int:
    known = capabilities.get(type(platform.container).__name__)
    return known.name_limit if known else _DEFAULT_NAME_LIMIT


def release_digest(ecosystem: Ecosystem, model_json: str, environment: str | None) -> str:
    """Return the digest of the release of a model, whose canonical JSON is given because it takes long to make."""
    return _digest(model_json, environment, _system_json(ecosystem))


def _system_json(ecosystem: Ecosystem) -> str | None:
    """Return the system's zone, which another version of DataSurface may have otherwise, if somebody consumes of it."""
    return system_zone().to_json() if asks_for_system(ecosystem) else None


def _digest(model_json: str, environment: str | None, system: str | None) -> str:
    """Hash the parts, each with its length before it, so that no two sets of parts meet."""
    digest = hashlib.sha256(f"datasurface release {FORMAT}\n".encode())
    for part in (environment, model_json, system):
        encoded = b"" if part is None else part.encode()
        digest.update(f"{-1 if part is None else len(encoded)}:".encode() + encoded)
    return digest.hexdigest()


def _platforms(ecosystem: Ecosystem, graph: Graph, binding: Binding) -> tuple[PlatformSpec, ...]:
    """Return every platform that moves data, those without streams too, so that a plan can retire what they had."""
    work: dict[str, _Work] = {}
    for stream in graph.streams:
        work.setdefault(stream.platform, _Work()).streams.append(stream)
    for export in graph.exports:
        work.setdefault(export.platform, _Work()).exports.append(export)
    for node in graph.transformers:
        work.setdefault(node.platform, _Work()).transformers.update(dict.fromkeys(node.outputs, node))
    yellow = sorted((p for p in ecosystem.platforms if isinstance(p, YellowPlatform)), key=lambda p: p.name)
    return tuple([_platform(p, work.get(p.name, _Work()), binding) for p in yellow])


@dataclass(frozen=True, slots=True)
class _Work:
    """What the graph gives one platform to do; transformers by the streams of their outputs."""

    streams: list[Stream] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    transformers: dict[str, TransformerNode] = field(default_factory=dict)
    _by_workspace: dict[str, list[Export]] = field(default_factory=dict)

    def inputs_of(self, workspace: str) -> Sequence[Export]:
        """Return what the groups of a workspace see."""
        if not self._by_workspace:
            for export in self.exports:
                self._by_workspace.setdefault(export.workspace.name, []).append(export)
        return self._by_workspace.get(workspace, ())


def _platform(platform: YellowPlatform, work: _Work, binding: Binding) -> PlatformSpec:
    container = binding.with_database(platform.container)
    needs = {(s.name, d.dataset.name): (s, d) for s in work.streams for d in s.datasets}
    return PlatformSpec(
        platform.name,
        ecosystem=binding.ecosystem,
        environment=binding.environment.name if binding.environment else None,
        container=container,
        credential=platform_credential(replaced(platform, container=container)),
        secrets=binding.secrets(platform),
        jobs=sorted((_job(s, platform, work, needs, binding) for s in work.streams), key=lambda j: j.stream),
        views=sorted(
            (v for e in work.exports for v in _views(e, needs)),
            key=lambda v: (v.workspace, v.group, v.datastore, v.dataset),
        ),
        readers=sorted(
            _readers(work.exports, needs), key=lambda r: (r.workspace, r.role, r.cleared or "", r.to_json())
        ),
        follows=_follows(binding.environment),
    )


def _follows(environment: Environment | None) -> Follows | None:
    """Return which releases reach an environment by themselves; None unless it has both a rule and a store."""
    if environment is None or environment.releases is None or environment.release_store is None:
        return None
    credential = credential_of(environment.release_credential)
    return Follows(environment.releases, store=environment.release_store, credential=credential)


def _readers(exports: Sequence[Export], needs: Mapping[_NeedKey, tuple[Stream, StreamDataset]]) -> Iterator[ReaderSpec]:
    """Yield who may read the workspaces that a platform serves."""
    seen: dict[str, dict[_NeedKey, tuple[str, Dataset]]] = {}
    workspaces = {export.workspace.name: export.workspace for export in exports if export.workspace.readers}
    for export in exports:
        for sink, stream in export.sinks if export.workspace.name in workspaces else ():
            reference = split_reference(sink.dataset)
            found = needs.get((stream, reference[1] if reference else ""))
            if found is not None:
                place = (found[0].datastore.name, found[1].dataset.name)
                seen.setdefault(export.workspace.name, {})[place] = (place[0], found[1].dataset)
    for name, workspace in sorted(workspaces.items()):
        yield from reader_specs(workspace, list(seen.get(name, {}).values()))


def _job(
    stream: Stream,
    platform: YellowPlatform,
    work: _Work,
    needs: Mapping[_NeedKey, tuple[Stream, StreamDataset]],
    binding: Binding,
) -> JobSpec:
    if stream.kind is StreamKind.OUTPUT:
        node = work.transformers[stream.name]
        exports = work.inputs_of(node.workspace.name)
        return output_job(stream, platform, node, exports, needs, binding)
    declared = stream.datastore.capture
    if declared is None:
        raise ValueError(f"stream {stream.name} is an ingestion, but datastore {stream.datastore.name} has no capture")
    capture = binding.completed(declared)
    schema = getattr(capture.container, "schema", None)
    hint = _hint(stream, platform)
    return JobSpec(
        stream.name,
        platform=platform.name,
        datastore=stream.datastore.name,
        datasets=[job_dataset(d, *source_of(d.dataset, schema)) for d in stream.datasets],
        capture=capture,
        credential=capture_credential(replaced(stream.datastore, capture=capture)),
        consistency=capture.consistency,
        guard=stream.datastore.guard,
        priority=stream.priority,
        connections=_connections(hint, capture),
        keep_batches=platform.keep_batches,
        checks=tuple(job_checks(stream)),
        secret_keys=tuple(secret_keys(stream)),
        resources=hint,
    )


def _hint(stream: Stream, platform: YellowPlatform) -> Hint | None:
    """Return what a platform says of a stream: of its dataset alone, or else of all of the datastore."""
    return better_hint(platform.hints.get(stream.datastore.name), platform.hints.get(stream.name))


def _connections(hint: Hint | None, capture: Capture) -> int:
    """Return how many connections a stream may use: its container's, fewer if a hint says so."""
    allowed = getattr(capture.container, "connections", 1)
    wanted = hint.connections if hint else None
    return int(allowed if wanted is None else min(wanted, allowed))


def _views(export: Export, needs: Mapping[_NeedKey, tuple[Stream, StreamDataset]]) -> Iterator[ViewSpec]:
    for sink, stream_name in export.sinks:
        reference = split_reference(sink.dataset)
        stream, need = needs.get((stream_name, reference[1] if reference else ""), (None, None))
        if stream is None or need is None:
            continue
        chosen = None if sink.columns is None else frozenset(sink.columns)
        yield ViewSpec(
            workspace=export.workspace.name,
            group=export.group.name,
            stream=stream.name,
            datastore=stream.datastore.name,
            dataset=need.dataset.name,
            columns=[c.name for c in need.dataset.columns if chosen is None or c.name in chosen],
            history=export.group.history,
        )
