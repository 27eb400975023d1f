from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from datasurface import (
    Assign,
    BigInt,
    Cloud,
    Column,
    Consistency,
    Credential,
    CredentialKind,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    DataTransformer,
    Ecosystem,
    EmbeddedPostgres,
    Environment,
    GitHubRepository,
    GovernanceZone,
    Guard,
    Hint,
    History,
    LegacyPlatform,
    PostgresDatabase,
    Priority,
    PythonModule,
    Snapshot,
    SqliteDatabase,
    SqlQueries,
    String,
    Team,
    Vendor,
    Workspace,
    YellowPlatform,
)
from datasurface.errors import ConfigurationError
from datasurface.model.base import Noun
from datasurface.release.compile import Release, compile_release, pipelines_of
from datasurface.release.job import Changed, JobSpec, PlatformSpec

OWNER = GitHubRepository("acme/model")
CRM_DB = PostgresDatabase("crm_db", host="db.acme.example", database="crm", schema="app", credential="inherited")
ORDERS = Dataset(
    "orders", columns=[Column("order_id", BigInt, key=True), Column("customer", String(80)), Column("z", BigInt)]
)
CRM = Datastore("crm", capture=Snapshot(CRM_DB), datasets=[ORDERS])
REPORTS = Workspace("reports", groups=[DatasetGroup("live", sinks=["crm.orders"])])


def model(
    *,
    stores: Sequence[Datastore] = (CRM,),
    workspaces: Sequence[Workspace] = (REPORTS,),
    platform: YellowPlatform | None = None,
    environments: Sequence[Environment] = (),
    team_owner: GitHubRepository | None = None,
) -> Ecosystem:
    team = Team("sales", owner=team_owner, datastores=stores, workspaces=workspaces)
    return Ecosystem(
        "acme",
        owner=OWNER,
        platforms=[platform or YellowPlatform("yellow")],
        zones=[GovernanceZone("usa", teams=[team])],
        environments=environments,
    )


def compiled(ecosystem: Ecosystem, environment: str | None = None) -> Release:
    return compile_release(ecosystem, pipelines_of(ecosystem, environment), environment=environment)


def only_job(ecosystem: Ecosystem, environment: str | None = None) -> JobSpec:
    (job,) = compiled(ecosystem, environment).platforms[0].jobs
    return job


def test_a_job_knows_its_source_without_the_model() -> None:
    job = only_job(model())
    (orders,) = job.datasets
    assert (orders.source_schema, orders.source_table) == ("app", "orders")
    assert [(c.name, c.key, c.nullable) for c in orders.columns] == [
        ("order_id", True, False),
        ("customer", False, True),
        ("z", False, True),
    ]
    assert job.credential == Credential("inherited")
    assert (job.stream, job.datastore, job.connections) == ("crm", "crm", 4)


def test_a_datasets_own_schema_and_a_captures_own_credential_win() -> None:
    dataset = Dataset("orders", source=("sales", "Order Details"), columns=ORDERS.columns)
    own = Credential("own", kind=CredentialKind.TOKEN)
    job = only_job(model(stores=[Datastore("crm", capture=Snapshot(CRM_DB, credential=own), datasets=[dataset])]))
    assert (job.datasets[0].source_schema, job.datasets[0].source_table) == ("sales", "Order Details")
    assert job.credential == own


def test_a_source_without_schemas_has_none() -> None:
    store = Datastore("crm", capture=Snapshot(SqliteDatabase("f", path="a.db")), datasets=[ORDERS])
    assert only_job(model(stores=[store])).datasets[0].source_schema is None


def test_an_embedded_database_is_named_after_the_ecosystem_unless_it_says_otherwise() -> None:
    store = Datastore("crm", capture=Snapshot(EmbeddedPostgres("src", database="other")), datasets=[ORDERS])
    release = compiled(model(stores=[store]))
    assert release.platforms[0].container == EmbeddedPostgres(database="acme")
    assert release.platforms[0].jobs[0].source == EmbeddedPostgres("src", database="other")
    nameless = Datastore("crm", capture=Snapshot(EmbeddedPostgres("src")), datasets=[ORDERS])
    assert only_job(model(stores=[nameless])).source == EmbeddedPostgres("src", database="acme")


def test_the_strongest_need_reaches_the_job() -> None:
    groups = [
        DatasetGroup("a", sinks=["crm.orders"], history=History.FULL, retention="2 years"),
        DatasetGroup("b", sinks=["crm.orders"], retention="10 days"),
    ]
    platform = YellowPlatform("yellow", keep_batches=7, hints={"crm": Hint(connections=2)})
    guard = Guard(max_deleted=0.1)
    store = Datastore("crm", capture=Snapshot(CRM_DB), datasets=[ORDERS], guard=guard)
    workspace = Workspace("reports", groups=groups, priority=Priority.CRITICAL)
    job = only_job(model(stores=[store], workspaces=[workspace], platform=platform))
    assert (job.datasets[0].history, job.datasets[0].retention_days) == (History.FULL, 732)
    assert (job.priority, job.keep_batches, job.connections, job.guard) == (Priority.CRITICAL, 7, 2, guard)


def test_what_a_group_sees_has_the_datasets_order() -> None:
    sink = DatasetSink("crm.orders", columns=["z", "order_id"])
    groups = [DatasetGroup("few", sinks=[sink]), DatasetGroup("all", sinks=["crm.orders"], history=History.FULL)]
    views = compiled(model(workspaces=[Workspace("w", groups=groups)])).platforms[0].views
    assert [(v.group, v.columns, v.history) for v in views] == [
        ("all", ("order_id", "customer", "z"), History.FULL),
        ("few", ("order_id", "z"), History.LIVE),
    ]


def test_each_dataset_by_itself_is_a_job_of_its_own() -> None:
    second = Dataset("items", columns=[Column("item_id", BigInt, key=True)])
    capture = Snapshot(CRM_DB, consistency=Consistency.DATASET)
    workspace = Workspace("w", groups=[DatasetGroup("g", sinks=["crm.orders", "crm.items"])])
    spec = compiled(
        model(stores=[Datastore("crm", capture=capture, datasets=[ORDERS, second])], workspaces=[workspace])
    ).platforms[0]
    assert [(j.stream, [d.name for d in j.datasets]) for j in spec.jobs] == [
        ("crm.items", ["items"]),
        ("crm.orders", ["orders"]),
    ]
    assert [(v.stream, v.dataset) for v in spec.views] == [("crm.items", "items"), ("crm.orders", "orders")]


def test_a_platform_without_streams_is_there_and_one_that_moves_nothing_is_not() -> None:
    ecosystem = dataclasses.replace(
        model(),
        platforms=[LegacyPlatform("old"), YellowPlatform("yellow"), YellowPlatform("idle")],
        assignments=[Assign("yellow", workspace="reports")],
    )
    assert [(p.name, len(p.jobs), len(p.views)) for p in compiled(ecosystem).platforms] == [
        ("idle", 0, 0),
        ("yellow", 1, 1),
    ]


def test_the_output_of_a_transformer_is_a_job_that_runs_when_its_inputs_have_changed() -> None:
    output = Datastore("derived", datasets=[Dataset("totals", columns=[Column("n", BigInt)])])
    transformer = DataTransformer("t", code=SqlQueries({"totals": "select 1"}), output=output)
    maker = Workspace("maker", groups=[DatasetGroup("in", sinks=["crm.orders"])], transformer=transformer)
    user = Workspace("user", groups=[DatasetGroup("g", sinks=["derived.totals"])])
    spec = compiled(model(workspaces=[maker, user])).platforms[0]
    assert [j.stream for j in spec.jobs] == ["crm", "derived"]
    assert [(v.workspace, v.stream) for v in spec.views] == [("maker", "crm"), ("user", "derived")]
    job = spec.jobs[1]
    assert job.source == spec.container
    assert isinstance(job.capture.every, Changed)
    assert (job.datasets[0].source_schema, job.datasets[0].source_table) == ("ds_yellow.maker", "totals")
    assert job.transformer is not None
    assert job.transformer.triggers == ("crm",)
    assert [(i.group, i.datastore, i.dataset) for i in job.transformer.inputs] == [("in", "crm", "orders")]
    assert JobSpec.from_json(job.to_json()) == job


def test_what_nobody_consumes_of_an_output_is_known_and_not_stored() -> None:
    both = [Dataset(name, columns=[Column("n", BigInt)]) for name in ("totals", "spare")]
    transformer = DataTransformer("t", code=PythonModule("m:f"), output=Datastore("derived", datasets=both))
    maker = Workspace("maker", groups=[DatasetGroup("in", sinks=["crm.orders"])], transformer=transformer)
    user = Workspace("user", groups=[DatasetGroup("g", sinks=["derived.totals"])])
    job = compiled(model(workspaces=[maker, user])).platforms[0].jobs[1]
    assert [d.name for d in job.datasets] == ["totals"]
    assert job.transformer is not None
    assert job.transformer.unused == ("spare",)


def test_a_platform_knows_better_what_a_transformer_needs() -> None:
    output = Datastore("derived", datasets=[Dataset("totals", columns=[Column("n", BigInt)])])
    needs = Hint(memory="1G", timeout="1 hour")
    transformer = DataTransformer("t", code=PythonModule("m:f"), output=output, resources=needs)
    maker = Workspace("maker", groups=[DatasetGroup("in", sinks=["crm.orders"])], transformer=transformer)
    user = Workspace("user", groups=[DatasetGroup("g", sinks=["derived.totals"])])
    platform = YellowPlatform("yellow", hints={"maker": Hint(memory="2G")})
    ecosystem = dataclasses.replace(model(workspaces=[maker, user]), platforms=[platform])
    job = compiled(ecosystem).platforms[0].jobs[1]
    assert job.transformer is not None
    assert job.transformer.resources == job.resources == Hint(memory="2G", timeout="1 hour")
    other = dataclasses.replace(ecosystem, platforms=[YellowPlatform("yellow", hints={"maker": Hint(memory="4G")})])
    again = compiled(other).platforms[0].jobs[1]
    assert again.resources == Hint(memory="4G", timeout="1 hour")
    assert again.job_digest == job.job_digest, "what code needs is no other code"


def test_hints_of_streams_reach_their_jobs_and_are_no_other_job() -> None:
    def job(**hints: Hint) -> JobSpec:
        capture = Snapshot(CRM_DB, consistency=Consistency.DATASET)
        platform = YellowPlatform("yellow", hints={name.replace("__", "."): hint for name, hint in hints.items()})
        return only_job(model(stores=[Datastore("crm", capture=capture, datasets=[ORDERS])], platform=platform))

    plain = job()
    hinted = job(crm=Hint(cpu=0.5, memory="1Gi"), crm__orders=Hint(memory="2Gi"))
    assert (plain.stream, plain.resources) == ("crm.orders", None)
    assert hinted.resources == Hint(cpu=0.5, memory="2Gi")
    assert hinted.job_digest == plain.job_digest


def test_an_environment_binds_containers_platforms_and_stores() -> None:
    test_db = PostgresDatabase("crm_test", host="test", database="crm", schema="t", credential="tester")
    warehouse = PostgresDatabase("wh", host="wh", database="wh", credential="writer")
    environment = Environment(
        "test",
        containers={"crm_db": test_db},
        platforms=[YellowPlatform("yellow", container=warehouse)],
        secrets=["files"],
    )
    ecosystem = model(environments=[environment])
    (platform,) = compiled(ecosystem, "test").platforms
    assert (platform.container, platform.credential) == (warehouse, Credential("writer"))
    assert (platform.secrets, platform.environment) == (("files",), "test")
    assert platform.jobs[0].source == test_db
    assert platform.jobs[0].credential == Credential("tester")
    assert platform.jobs[0].datasets[0].source_schema == "t"
    assert only_job(ecosystem).source == CRM_DB
    assert compiled(ecosystem).platforms[0].secrets == ("environment", "files")


def test_an_unknown_environment_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="prod"):
        compiled(model(environments=[Environment("prod")]), "tset")


def test_a_platform_survives_its_json_form() -> None:
    platform = compiled(model()).platforms[0]
    assert PlatformSpec.from_json(platform.to_json()) == platform


def test_compiling_twice_gives_the_same() -> None:
    first, second = compiled(model()), compiled(Ecosystem.from_json(model().to_json()))
    assert first.digest == second.digest
    assert first.platforms == second.platforms


def test_the_environment_counts_in_the_digest() -> None:
    ecosystem = model(environments=[Environment("a"), Environment("b")])
    assert len({compiled(ecosystem, name).digest for name in (None, "a", "b")}) == 3


CHANGES: list[tuple[Noun, str, object]] = [
    (ORDERS.columns[0], "doc", "the number"),
    (ORDERS, "source", ("x", "y")),
    (CRM, "production", True),
    (CRM.guard, "above_rows", 7),
    (CRM_DB, "port", 5433),
    (REPORTS, "readers", ["ada"]),
    (REPORTS.groups[0], "retention", "1 day"),
    (OWNER, "branch", "dev"),
]


def replaced_everywhere(noun: object, old: Noun, new: Noun) -> object:
    if noun is old:
        return new
    if isinstance(noun, tuple):
        return tuple([replaced_everywhere(item, old, new) for item in noun])
    if not isinstance(noun, Noun):
        return noun
    values = {name: replaced_everywhere(getattr(noun, name), old, new) for name in type(noun).__dataclass_fields__}  # type: ignore[attr-defined]
    return type(noun)(**values)


@pytest.mark.parametrize(("old", "name", "value"), CHANGES, ids=lambda v: v if isinstance(v, str) else None)
def test_any_field_of_any_object_counts_in_the_digest(old: Noun, name: str, value: object) -> None:
    changed = replaced_everywhere(model(), old, dataclasses.replace(old, **{name: value}))  # type: ignore[type-var]
    assert isinstance(changed, Ecosystem)
    assert compiled(changed).digest != compiled(model()).digest


def job_digest(**changes: object) -> str:
    return only_job(model(**changes)).job_digest  # type: ignore[arg-type]


def test_the_job_digest_ignores_docs_owners_guards_priorities_and_other_streams() -> None:
    documented = Dataset("orders", doc="d", columns=[dataclasses.replace(c, doc="x") for c in ORDERS.columns])
    store = Datastore("crm", doc="d", guard=Guard(max_deleted=0.9), capture=Snapshot(CRM_DB), datasets=[documented])
    other = Datastore("hr", capture=Snapshot(CRM_DB), datasets=[ORDERS])
    eager = Workspace("reports", priority=Priority.HIGH, groups=REPORTS.groups)
    both = Workspace("both", groups=[DatasetGroup("g", sinks=["hr.orders"])])
    release = compiled(model(stores=[other, store], workspaces=[eager, both], team_owner=GitHubRepository("a/b")))
    job = release.platforms[0].job("crm")
    assert job is not None
    assert job.job_digest == job_digest()


@pytest.mark.parametrize(
    "changes",
    [
        {
            "stores": [
                Datastore("crm", capture=Snapshot(CRM_DB), datasets=[Dataset("orders", columns=ORDERS.columns[:2])])
            ]
        },
        {
            "stores": [
                Datastore(
                    "crm", capture=Snapshot(CRM_DB), datasets=[Dataset("orders", source="o", columns=ORDERS.columns)]
                )
            ]
        },
        {"stores": [Datastore("crm", capture=Snapshot(EmbeddedPostgres("x")), datasets=[ORDERS])]},
        {"workspaces": [Workspace("r", groups=[DatasetGroup("l", sinks=["crm.orders"], history=History.FULL)])]},
    ],
    ids=["column", "source", "container", "history"],
)
def test_the_job_digest_follows_columns_source_capture_and_history(changes: dict[str, object]) -> None:
    assert job_digest(**changes) != job_digest()


def test_vendors_of_a_model_do_not_touch_the_jobs() -> None:
    with_vendor = dataclasses.replace(model(), vendors=[Vendor("v", cloud=Cloud.AWS)])
    assert compiled(with_vendor).platforms == compiled(model()).platforms
    assert compiled(with_vendor).digest != compiled(model()).digest
