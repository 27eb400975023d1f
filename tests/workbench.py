"""A platform for tests: a model made in Python, applied to a real merge database, run batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from datasurface import (
    Dataset,
    DatasetGroup,
    Datastore,
    Ecosystem,
    GitHubRepository,
    GovernanceZone,
    History,
    PostgresDatabase,
    Snapshot,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.databases.base import capability_map
from datasurface.engine.batch import BatchResult
from datasurface.govern.check import check
from datasurface.graph.build import build_graph
from datasurface.release.archive import archive_of
from datasurface.release.compile import Release, compile_release
from datasurface.release.system import with_system
from datasurface.runtime.apply import Applied, apply_plan
from datasurface.runtime.job import JobRunner
from datasurface.runtime.plan import Plan, make_plan
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.runtime.security import open_access
from datasurface.security.sync import sync


def container(name: str, url: str) -> PostgresDatabase:
    """Return the container that a URL means; its login goes by the credential of the same name."""
    parts = urlsplit(url)
    return PostgresDatabase(
        name, host=parts.hostname or "", port=parts.port or 5432, database=parts.path[1:], credential=name
    )


def environ(**urls: str) -> dict[str, str]:
    """Return the environment that holds the secrets of URLs by credential name."""
    found = dict(os.environ)
    for name, url in urls.items():
        parts = urlsplit(url)
        found[f"DATASURFACE_{name.upper()}_USER"] = unquote(parts.username or "")
        found[f"DATASURFACE_{name.upper()}_PASSWORD"] = unquote(parts.password or "")
    return found


def model(
    source: PostgresDatabase | object,
    target: PostgresDatabase,
    datasets: Sequence[Dataset],
    *,
    history: History = History.FULL,
    groups: Sequence[DatasetGroup] | None = None,
    **datastore: object,
) -> Ecosystem:
    """Return a model with one datastore `shop`, and one workspace `reports` with a group `all` that takes all of it."""
    sinks = [f"shop.{d.name}" for d in datasets]
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[YellowPlatform("yellow", container=target)],
        zones=[
            GovernanceZone(
                "usa",
                teams=[
                    Team(
                        "sales",
                        datastores=[
                            Datastore(
                                "shop",
                                **{"capture": Snapshot(source, every="1 minute"), "datasets": datasets, **datastore},  # type: ignore[arg-type]
                            )
                        ],
                        workspaces=[
                            Workspace(
                                "reports",
                                groups=groups
                                if groups is not None
                                else [DatasetGroup("all", sinks=sinks, history=history)],
                            )
                        ],
                    )
                ],
            )
        ],
    )


class Workbench:
    """An opened platform, and what tests do with it."""

    def __init__(self, running: RunningPlatform, release: Release, target: str, runner: JobRunner) -> None:
        self.running = running
        self.release = release
        self.target = target
        self.runner = runner

    def plan(self, ecosystem: Ecosystem | None = None) -> Plan:
        if ecosystem is not None:
            self.release = compiled(ecosystem)
        return make_plan(self.running, self.release.platforms[0], self.release.digest)

    def apply(self, ecosystem: Ecosystem | None = None, *, prune: bool = False, busy_for: float = 5) -> Applied:
        plan = self.plan(ecosystem)
        spec = self.release.platforms[0]
        tables = archive_of(self.release, spec)
        applied = apply_plan(
            self.running, spec, plan, self.release.model_json, tables=tables, prune=prune, busy_for=busy_for
        )
        if any(job.transformer is not None for job in spec.jobs):
            with open_access(self.running, spec, self.release.digest) as access:
                assert sync(access).complete
            self.running.store.engine.dispose()
        return applied

    def run(self, stream: str = "shop", *, accept: bool = False) -> BatchResult:
        job, digest = self.running.job(stream)
        return self.runner.run(job, digest, accept=accept)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.target) as connection:
            return connection.execute(query.encode()).fetchall()


def compiled(ecosystem: Ecosystem) -> Release:
    """Compile a model that has no errors."""
    capabilities = capability_map()
    whole = with_system(ecosystem)
    graph = build_graph(whole)
    report = check(whole, capabilities, graph=graph)
    assert not report.errors, report.to_text()
    return compile_release(ecosystem, graph, report.findings, capabilities=capabilities)


@contextmanager
def workbench(
    ecosystem: Ecosystem, target: str, folder: Path, secrets: dict[str, str], *, silence: float = 30.0
) -> Iterator[Workbench]:
    """Open a platform, applied; transformers have their logins."""
    release = compiled(ecosystem)
    secrets.setdefault("DATASURFACE_SECRETS", str(folder / "secrets"))
    with open_platform(release.platforms[0], folder, secrets) as running:
        runner = JobRunner(running, silence=silence, retries=(0.1, 0.2))
        bench = Workbench(running, release, target, runner)
        bench.apply()
        try:
            yield bench
        finally:
            runner.close()
