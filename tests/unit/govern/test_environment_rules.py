"""Environments: everything they name is found or reported, and what is asked is asked of the databases they bind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from datasurface import (
    Airflow,
    AwsRole,
    AwsSecrets,
    BigInt,
    Column,
    Credential,
    CredentialKind,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Egress,
    EmbeddedPostgres,
    Environment,
    GitHubRepository,
    GovernanceZone,
    Hint,
    History,
    Kubernetes,
    PostgresDatabase,
    PythonModule,
    Snapshot,
    SnowflakeDatabase,
    SqliteDatabase,
    TaskKind,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.databases.base import capability_map
from datasurface.govern.check import check
from datasurface.model.capture import Capture
from datasurface.model.deployment import Deployment

PLACE = Egress(["10.1.2.0/24"])
KUBERNETES = Kubernetes(
    image="registry.example/jobs@sha256:" + "0" * 64,
    egress=dict.fromkeys(("crm_db", "crm_test", "lake", "local"), PLACE),
    api_server=PLACE,
    airflow_database=PLACE,
    secret_store=PLACE,
)
CRM_DB = PostgresDatabase("crm_db", host="crm", database="crm", credential="reader")

CAPTURE = Snapshot(CRM_DB)
YELLOW = YellowPlatform("yellow")


def lake(host: str = "lake", database: str = "lake", **more: object) -> PostgresDatabase:
    return PostgresDatabase("lake", host=host, database=database, credential="lake", **more)  # type: ignore[arg-type]


def model(
    *environments: Environment,
    capture: Capture = CAPTURE,
    platform: YellowPlatform = YELLOW,
    workspaces: Sequence[Workspace] = (),
) -> Ecosystem:
    orders = Dataset("orders", columns=[Column("id", BigInt, key=True)])
    reports = Workspace("reports", groups=[DatasetGroup("all", sinks=["crm.orders"], history=History.FULL)])
    store = Datastore("crm", capture=capture, datasets=[orders])
    team = Team("sales", datastores=[store], workspaces=[reports, *workspaces])
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[platform],
        zones=[GovernanceZone("usa", teams=[team])],
        environments=environments,
    )


def found(ecosystem: Ecosystem, environment: str | None = None) -> list[str]:
    report = check(ecosystem, capability_map(), environment=environment)
    return [f"{f.code} {f.severity.value}" for f in report.findings]


def test_a_model_bound_to_other_databases_has_no_findings() -> None:
    other = PostgresDatabase("crm_test", host="test", database="crm", credential="tester")
    test = Environment("test", containers={"crm_db": other, "local": lake()})
    assert found(model(test)) == found(model(test), "test") == []


@pytest.mark.parametrize("environment", [None, "prod", "dev"])
def test_what_an_environment_names_has_to_exist(environment: str | None) -> None:
    wrong = Environment(
        "prod", containers={"crm": lake()}, platforms=[YellowPlatform("green", container=lake())], secrets=["vault"]
    )
    ecosystem = model(wrong, Environment("dev", containers={"local": lake("dev")}))
    assert sorted(found(ecosystem, environment)) == ["DS-R014 error", "DS-R014 error", "DS-R015 error"]


def test_names_of_stand_ins_are_no_names_of_the_model() -> None:
    """Bound to `test`, the model uses the container `crm_test`; the environment `other` cannot replace that one."""
    test = Environment("test", containers={"crm_db": PostgresDatabase("crm_test", host="t", database="t")})
    other = Environment("other", containers={"crm_test": CRM_DB, "local": lake()})
    assert found(model(test, other), "test") == ["DS-R014 error"]


def test_captures_are_asked_of_the_database_that_stands_in() -> None:
    snowflake = SnowflakeDatabase("crm_db", account="a", warehouse="w", database="d")
    ecosystem = model(Environment("test", containers={"crm_db": snowflake}))
    assert found(ecosystem) == []
    assert found(ecosystem, "test") == ["DS-C005 error"]


def test_logins_are_asked_of_the_database_that_stands_in() -> None:
    token = Credential("crm", kind=CredentialKind.TOKEN)
    other = PostgresDatabase("crm_db", host="crm", database="crm", credential=token)
    ecosystem = model(Environment("test", containers={"crm_db": other}))
    assert found(ecosystem) == []
    assert found(ecosystem, "test") == ["DS-S010 error"]


def test_types_and_merges_are_asked_of_the_database_that_stands_in() -> None:
    ecosystem = model(Environment("test", containers={"local": SqliteDatabase("lake", path="/lake.db")}))
    assert found(ecosystem) == []
    assert found(ecosystem, "test") == ["DS-P001 error"]


def test_groups_are_served_by_the_platform_that_stands_in() -> None:
    live = YellowPlatform("yellow", container=lake(), histories=[History.LIVE])
    assert found(model(Environment("test", platforms=[live]))) == []
    assert "DS-P003 error" in found(model(Environment("test", platforms=[live])), "test")


def test_locations_are_those_of_the_database_that_stands_in() -> None:
    ecosystem = model(Environment("test", containers={"local": lake(locations=["nowhere"])}))
    assert found(ecosystem, "test") == found(ecosystem) == ["DS-R007 error"]
    assert found(model(Environment("test", containers={"local": lake(port=0)}))) == ["DS-C010 error"]


def test_an_embedded_database_is_no_place_for_what_is_deployed_or_in_production() -> None:
    assert found(model(Environment("prod", deployments=[KUBERNETES]))) == ["DS-E001 error"]
    assert found(model(Environment("prod", production=True))) == ["DS-E003 warning"]
    assert found(model(Environment("dev"))) == []
    source = model(
        Environment("prod", containers={"local": lake()}, deployments=[KUBERNETES]),
        capture=Snapshot(EmbeddedPostgres("own")),
    )
    assert found(source) == ["DS-E001 error"]
    both = model(Environment("dev"), Environment("prod", deployments=[KUBERNETES]))
    assert found(both, "dev") == ["DS-E004 info"]
    assert set(found(both, "prod")) == {"DS-E001 error", "DS-E004 info"}


def test_files_are_out_of_reach_where_jobs_are_deployed() -> None:
    def severity(path: str) -> list[str]:
        prod = Environment("prod", containers={"local": lake()}, deployments=[KUBERNETES])
        return found(model(prod, capture=Snapshot(SqliteDatabase("crm_db", path=path))))

    assert severity("data/crm.db") == ["DS-E002 error"]
    assert severity("/data/crm.db") == ["DS-E002 warning"]


def test_two_environments_do_not_share_a_platform() -> None:
    test = Environment("test", containers={"local": lake()})
    prod = Environment("prod", containers={"local": lake("LAKE.")})
    assert found(model(test, prod)) == found(model(test, prod), "prod") == ["DS-E004 error"]
    apart = Environment("prod", containers={"local": lake(database="prod")})
    assert found(model(test, apart)) == []
    renamed = Environment("own", platforms=[YellowPlatform("yellow", container=lake(database="own"))])
    assert found(model(test, apart, renamed)) == []
    assert found(model(test, prod, renamed), "own") == [], "the two others are no matter of this one"


def test_deployed_jobs_have_a_credential() -> None:
    prod = Environment("prod", containers={"local": lake()}, deployments=[KUBERNETES])
    nobody = Snapshot(PostgresDatabase("crm_db", host="crm", database="crm"))
    assert found(model(prod, capture=nobody)) == ["DS-E005 warning"]
    assert found(model(Environment("test", containers={"local": lake()}), capture=nobody)) == []
    own = Environment("prod", containers={"local": lake(), "crm_db": CRM_DB}, deployments=[KUBERNETES])
    assert found(model(own, capture=nobody)) == []


def test_hints_are_followed_where_something_is_deployed() -> None:
    hinted = YellowPlatform("yellow", hints={"crm": Hint(cpu=2, memory="4Gi")})
    prod = Environment("prod", containers={"local": lake()}, deployments=[KUBERNETES])
    assert found(model(platform=hinted)) == ["DS-S009 warning"]
    assert found(model(prod, platform=hinted)) == found(model(prod, platform=hinted), "prod") == []


def test_identities_are_given_to_pods() -> None:
    output = Datastore("sums", datasets=[Dataset("all", columns=[Column("id", BigInt, key=True)])])
    role = AwsRole("arn:aws:iam::123456789012:role/sums")
    adding = DataTransformer("add", code=PythonModule("m:f"), output=output, run_as=role)
    workspace = Workspace("sums", groups=[DatasetGroup("g", sinks=["crm.orders"])], transformer=adding)

    def codes(*deployments: Deployment, environment: str | None = None) -> list[str]:
        prod = Environment("prod", containers={"local": lake()}, secrets=[AwsSecrets()], deployments=deployments)
        return found(model(prod, Environment("dev"), workspaces=[workspace]), environment)

    assert codes(KUBERNETES) == codes(KUBERNETES, environment="prod") == []
    assert codes(KUBERNETES, environment="dev") == ["DS-S011 warning"]
    assert codes(KUBERNETES, Airflow(tasks=TaskKind.PROCESS)) == ["DS-S011 warning"]
    assert codes() == ["DS-S011 warning"]


def test_one_platform_has_one_stand_in() -> None:
    twice = [YellowPlatform("yellow", container=lake()), YellowPlatform("yellow", container=lake("other"))]
    assert "DS-D001 error" in found(model(Environment("test", platforms=twice)))
