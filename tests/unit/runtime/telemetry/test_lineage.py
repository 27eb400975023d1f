"""Names, parents, limits and the lineage of a transformer: what needs no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from openlineage.client.uuid import generate_static_uuid

from datasurface import (
    CONFIDENTIAL,
    PII,
    AuroraDatabase,
    BigInt,
    Classification,
    Column,
    Cron,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    EmbeddedPostgres,
    External,
    GitHubRepository,
    GitLabRepository,
    GovernanceZone,
    Latency,
    MySQLDatabase,
    OracleDatabase,
    PostgresDatabase,
    Snapshot,
    SnowflakeDatabase,
    SqliteDatabase,
    SqlQueries,
    SqlServerDatabase,
    String,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.graph.build import build_graph
from datasurface.model.infrastructure import Container
from datasurface.release.compile import Release, compile_release
from datasurface.release.labelling import owner_text
from datasurface.release.system import with_system
from datasurface.runtime.telemetry.containers import known
from datasurface.runtime.telemetry.events import BatchFinished, Platform, Subject
from datasurface.runtime.telemetry.limits import lag_limit
from datasurface.runtime.telemetry.lineage_datasets import inputs_of, outputs_of
from datasurface.runtime.telemetry.openlineage import job_name, job_namespace, run_id
from datasurface.runtime.telemetry.parents import Parent, parent_of, root_of
from datasurface.runtime.telemetry.trace import new_trace
from datasurface.store.ledger import DatasetCounts

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RUN = "0190a8f2-6f5e-7cc0-9d5c-2f4b1f0a7f11"
SERVER: dict[str, Any] = {"host": "db.acme.example", "database": "crm"}


@pytest.mark.parametrize(
    ("container", "namespace", "name"),
    [
        (PostgresDatabase("a", **SERVER), "postgres://db.acme.example:5432", "crm.s.t"),
        (AuroraDatabase("a", **SERVER), "postgres://db.acme.example:5432", "crm.s.t"),
        (MySQLDatabase("a", **SERVER), "mysql://db.acme.example:3306", "crm.s.t"),
        (SqlServerDatabase("a", **SERVER), "mssql://db.acme.example:1433", "crm.s.t"),
        (OracleDatabase("a", host="h", service="S", schema="X"), "oracle://h:1521", "S.s.t"),
        (SnowflakeDatabase("a", account="ORG-ACC", warehouse="w", database="D"), "snowflake://org-acc", "D.s.t"),
        (SqliteDatabase("a", path="x"), "sqlite://acme/a", "s.t"),
        (EmbeddedPostgres(), "embedded-postgres://acme/local", "acme.s.t"),
    ],
)
def test_names_of_datasets(container: Container, namespace: str, name: str) -> None:
    found = known(container, "acme")
    assert (found.namespace, found.dataset("s", "t")) == (namespace, name)


def test_the_parent_is_what_somebody_says() -> None:
    given = {"OPENLINEAGE_PARENT_ID": f"airflow://prod/a/daily.crm/{RUN}", "OPENLINEAGE_ROOT_PARENT_ID": f"n/r/{RUN}"}
    assert parent_of(given) == Parent(namespace="airflow://prod/a", name="daily.crm", run=RUN)
    assert root_of(given) == Parent(namespace="n", name="r", run=RUN)
    for text in ("", "x", f"/x/{RUN}", "n/x/no-uuid"):
        assert parent_of({"OPENLINEAGE_PARENT_ID": text}) is None
    assert parent_of({}) is None


def test_the_parent_of_an_airflow_task_is_computed_as_its_provider_does() -> None:
    task = {
        "AIRFLOW_CTX_DAG_ID": "acme.prod.yellow.crm",
        "AIRFLOW_CTX_TASK_ID": "run",
        "AIRFLOW_CTX_LOGICAL_DATE": "2026-05-01T12:00:00+00:00",
        "AIRFLOW_CTX_TRY_NUMBER": "2",
    }
    expected = generate_static_uuid(instant=NOW, data=b"default.acme.prod.yellow.crm.run.2.-1")
    assert parent_of(task) == Parent(namespace="default", name="acme.prod.yellow.crm.run", run=str(expected))
    assert parent_of({**task, "AIRFLOW_CTX_LOGICAL_DATE": "soon"}) is None
    assert parent_of({k: v for k, v in task.items() if "DATE" not in k}) is None


@pytest.mark.parametrize(
    ("every", "latency", "limit"),
    [
        ("10 minutes", Latency.SECONDS, 900),
        ("30 seconds", Latency.SECONDS, 90),
        ("10 minutes", Latency.HOURS, 86400),
        ("2 days", Latency.HOURS, 3 * 86400),
        (Cron("0 6 * * *"), Latency.MINUTES, 27 * 3600),
        (External(), Latency.SECONDS, None),
        ("nonsense", Latency.SECONDS, None),
    ],
)
def test_from_when_on_a_stream_is_late(every: Any, latency: Latency, limit: float | None) -> None:
    assert lag_limit(every, latency, NOW) == limit


def test_owners_in_a_word() -> None:
    assert owner_text(GitHubRepository("acme/model")) == "github:acme/model@main"
    assert owner_text(GitLabRepository("https://gitlab.example/", "a/b", branch="x")) == "https://gitlab.example/a/b@x"


def released() -> Release:
    crm = PostgresDatabase("crm_db", **SERVER)
    customers = Dataset(
        "customers",
        classification=[CONFIDENTIAL],
        columns=[Column("id", BigInt, key=True), Column("mail", String(80), classification=[PII])],
    )
    secret = Classification("SECRET", level=9, scheme="acme")
    domains = Dataset(
        "domains",
        columns=[Column("domain", String(80), key=True), Column("n", BigInt)],
        classification=[secret],
        deprecated="use hosts",
    )
    derive = DataTransformer(
        "derive",
        code=SqlQueries({"domains": "select mail as domain, count(*) as n from crm_customers group by 1"}),
        output=Datastore("derived", datasets=[domains]),
    )
    team = Team(
        "sales",
        datastores=[Datastore("crm", capture=Snapshot(crm), datasets=[customers])],
        workspaces=[
            Workspace(
                "w",
                groups=[DatasetGroup("in", sinks=["crm.customers"])],
                transformer=derive,
                production=True,
            ),
            Workspace("r", groups=[DatasetGroup("g", sinks=["derived.domains"], latency=Latency.MINUTES)]),
        ],
    )
    ecosystem = Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[YellowPlatform("yellow", container=PostgresDatabase("lake", host="lake", database="lake"))],
        zones=[GovernanceZone("usa", owner=GitHubRepository("acme/usa"), teams=[team])],
    )
    lineage = [("crm.customers.mail", "derived.domains.domain"), ("crm.customers.id", "derived.domains.n")]
    return compile_release(ecosystem, build_graph(with_system(ecosystem)), column_lineage=lineage)


def subject(stream: str, batch: int = 7) -> Subject:
    spec = released().platforms[0]
    job = spec.job(stream)
    assert job is not None
    platform = Platform(
        ecosystem="acme",
        environment="prod",
        name="yellow",
        epoch="e",
        container=spec.container,
        schema="ds_yellow",
        table=lambda reference: reference,
        views=lambda _stream, dataset: [f"r_g.{dataset}"],
    )
    return Subject(platform=platform, job=job, batch_id=batch, release="d", owner="me", trace=new_trace())


def test_governance_reaches_the_job_and_not_its_digest() -> None:
    job = subject("derived").job
    assert job.labels is not None
    assert (job.labels.zone, job.labels.team, job.labels.owner) == ("usa", "sales", "github:acme/usa@main")
    assert (job.labels.production, job.labels.latency) == (True, Latency.MINUTES)
    assert job.labels.classifications == ("acme:SECRET",)
    assert job.labels.dataset("domains").origins["n"] == ("crm.customers.id",)
    ingestion = subject("crm").job
    assert ingestion.labels is not None
    assert ingestion.labels.classifications == ("CONFIDENTIAL", "PII")
    assert not ingestion.labels.production
    bare = type(ingestion).from_json(ingestion.to_json())
    assert bare.labels == ingestion.labels
    object.__setattr__(bare, "labels", None)
    assert bare.job_digest == ingestion.job_digest


def test_a_transformer_s_lineage_joins_that_of_its_inputs() -> None:
    about = subject("derived")
    (read,) = inputs_of(about, None)
    (made,) = outputs_of(subject("crm"), None)
    assert (
        (read.namespace, read.name)
        == (made.namespace, made.name)
        == ("postgres://lake:5432", "lake.ds_yellow.crm.customers")
    )
    finished = BatchFinished(
        subject=about,
        started_at=NOW,
        at=NOW,
        seconds=1,
        outcome="merged",
        datasets={"domains": DatasetCounts(rows_read=5, inserted=3, updated=1)},
    )
    (written,) = outputs_of(about, finished)
    assert written.outputFacets is not None
    assert written.outputFacets["outputStatistics"].rowCount == 4  # type: ignore[attr-defined]
    facets = written.facets or {}
    fields = facets["columnLineage"].fields  # type: ignore[attr-defined]
    assert [(f.namespace, f.name, f.field) for f in fields["domain"].inputFields] == [
        ("postgres://lake:5432", "lake.ds_yellow.crm.customers", "mail")
    ]
    tags = {(tag.key, tag.value) for tag in facets["tags"].tags or ()}  # type: ignore[attr-defined]
    assert {("classification", "acme:SECRET"), ("deprecated", "use hosts"), ("production", "true")} <= tags
    assert facets["symlinks"].identifiers[0].name == "lake.r_g.domains"  # type: ignore[attr-defined]


def test_a_run_has_one_id_whoever_works_on_it() -> None:
    one = subject("crm")
    space = job_namespace(one)
    assert (space, job_name(one)) == ("datasurface.acme.prod", "yellow.crm")
    assert run_id(space, one) == run_id(space, subject("crm"))
    others = {run_id(space, subject("crm", 8)), run_id(space, subject("derived")), run_id("other", one)}
    assert len(others | {run_id(space, one)}) == 4
