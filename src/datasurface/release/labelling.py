"""Write onto each job what governance says of its stream, for monitoring and lineage. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from datasurface.graph.nodes import Graph, Stream, StreamDataset
from datasurface.model.classification import Classification
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import PlacedDatastore, all_datastores, owner_of_team
from datasurface.model.ownership import GitHubRepository, GitLabRepository, LocalRepository, Repository
from datasurface.release.bind import replaced
from datasurface.release.job import PlatformSpec
from datasurface.release.labels import DatasetLabels, JobLabels

__all__ = ["labelled", "owner_text"]

_Origins = Mapping[str, Mapping[str, Sequence[str]]]
"""The columns that a query's output is made of: by `store.dataset`, then by column."""


def labelled(
    platforms: Iterable[PlatformSpec], ecosystem: Ecosystem, graph: Graph, lineage: Sequence[tuple[str, str]]
) -> tuple[PlatformSpec, ...]:
    """Return the platforms with the labels of their jobs.

    Args:
        platforms: What each platform has to run.
        ecosystem: The model, with what DataSurface adds to it or without.
        graph: The pipelines derived from it.
        lineage: Which column each column of a query's output is made of, as pairs of `store.dataset.column`.
    """
    streams = {(s.platform, s.name): s for s in graph.streams}
    placed = {p.datastore.name: p for p in all_datastores(ecosystem)}
    origins = _origins(lineage)
    return tuple(
        [
            replaced(
                platform,
                jobs=[
                    replaced(job, labels=_labels(streams[platform.name, job.stream], ecosystem, placed, origins))
                    for job in platform.jobs
                ],
            )
            for platform in platforms
        ]
    )


def owner_text(owner: Repository) -> str:
    """Return a repository in one word: `github:acme/model@main`."""
    match owner:
        case GitHubRepository():
            return f"github:{owner.name}@{owner.branch}"
        case GitLabRepository():
            return f"{owner.url.rstrip('/')}/{owner.name}@{owner.branch}"
        case LocalRepository():
            return f"{owner.path}@{owner.branch}"
    return type(owner).__name__


def _labels(
    stream: Stream, ecosystem: Ecosystem, placed: Mapping[str, PlacedDatastore], origins: _Origins
) -> JobLabels:
    store, where = stream.datastore, placed.get(stream.datastore.name)
    workspace = where.workspace if where else None
    found = [_dataset(store.name, need, origins) for need in stream.datasets]
    return JobLabels(
        zone=stream.zone,
        team=stream.team,
        owner=owner_text(owner_of_team(ecosystem, where.zone, where.team) if where else ecosystem.owner),
        production=store.production or bool(workspace and workspace.production),
        deprecated=store.deprecated,
        latency=stream.latency,
        datasets=[labels for labels in found if labels != DatasetLabels(labels.dataset)],
    )


def _dataset(store: str, need: StreamDataset, origins: _Origins) -> DatasetLabels:
    dataset = need.dataset
    return DatasetLabels(
        dataset.name,
        classifications=_names(dataset.classification),
        columns={c.name: _names(c.classification) for c in dataset.columns if c.classification},
        deprecated=dataset.deprecated,
        origins=origins.get(f"{store}.{dataset.name}", {}),
    )


def _names(classifications: Iterable[Classification]) -> tuple[str, ...]:
    return tuple(sorted(f"{c.scheme}:{c.name}" if c.scheme else c.name for c in classifications))


def _origins(lineage: Sequence[tuple[str, str]]) -> _Origins:
    found: dict[str, dict[str, list[str]]] = {}
    for source, target in sorted(set(lineage)):
        dataset, _, column = target.rpartition(".")
        found.setdefault(dataset, {}).setdefault(column, []).append(source)
    return found
