"""What `check` says about models that are nearly right, and how its report looks."""

from __future__ import annotations

import json

import pytest

from datasurface import (
    FP8E4M3,
    Access,
    BigInt,
    Column,
    Credential,
    CredentialKind,
    Cron,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    DataTransformer,
    Ecosystem,
    GitHubRepository,
    GovernanceZone,
    History,
    Integer,
    Latency,
    PostgresDatabase,
    PythonModule,
    Snapshot,
    String,
    Team,
    Watermark,
    Workspace,
    YellowPlatform,
)
from datasurface.govern.capabilities import Capabilities
from datasurface.govern.check import check
from datasurface.govern.report import Report, Severity
from datasurface.model.types import DataType
from datasurface.names import shorten


def holds(given: DataType) -> str | None:
    return None if isinstance(given, FP8E4M3) else "something"


def small(limit: int) -> Capabilities:
    return Capabilities(
        database="Small",
        containers=("PostgresDatabase", "EmbeddedPostgres"),
        captures=frozenset({"Snapshot"}),
        merges=frozenset({"live", "full"}),
        name_limit=limit,
        physical_type=holds,
        keyable=lambda given: not isinstance(given, String),
    )


CAPABILITIES = {name: small(63) for name in small(63).containers}
DATABASE = PostgresDatabase("db", host="h", database="d")
ORDERS = Dataset("orders", columns=[Column("order_id", BigInt, key=True)])


def store(name: str = "crm", *datasets: Dataset, every: str | Cron = "1 hour") -> Datastore:
    return Datastore(name, capture=Snapshot(DATABASE, every=every), datasets=datasets or [ORDERS])


def reading(
    *sinks: DatasetSink | str, name: str = "reports", group: str = "live", history: History = History.LIVE
) -> Workspace:
    return Workspace(name, groups=[DatasetGroup(group, sinks=sinks or ["crm.orders"], history=history)])


def model(*parts: Datastore | Workspace, platforms: list[YellowPlatform] | None = None) -> Ecosystem:
    team = Team(
        "sales",
        datastores=[p for p in parts if isinstance(p, Datastore)],
        workspaces=[p for p in parts if isinstance(p, Workspace)],
    )
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[YellowPlatform("yellow")] if platforms is None else platforms,
        zones=[GovernanceZone("usa", teams=[team])],
    )


def checked(*parts: Datastore | Workspace, limit: int = 63) -> Report:
    return check(model(*parts), {name: small(limit) for name in CAPABILITIES})


def codes(*parts: Datastore | Workspace, limit: int = 63) -> list[str]:
    return [found.code for found in checked(*parts, limit=limit).findings]


def test_all_findings_come_in_one_run_each_with_its_path_and_line():
    orders = Dataset("orders", columns=[Column("ds_x", FP8E4M3), Column("name", String, key=True, nullable=True)])
    report = checked(store("crm", orders), reading("crm.orders", "crm.nothing"))
    assert {f.code for f in report.findings} == {"DS-N003", "DS-T002", "DS-K001", "DS-K004", "DS-R002"}
    found = next(f for f in report.findings if f.code == "DS-N003")
    assert found.path == "zone usa / team sales / datastore crm / dataset orders / column ds_x"
    assert found.position is not None
    assert found.position.path.endswith("test_check.py")


def test_findings_are_sorted_by_their_lines():
    report = checked(
        store("crm", Dataset("z z", columns=[Column("a", BigInt, key=True)]), Dataset("b", columns=[])),
        reading("crm.b", "x"),
    )
    lines = [f.position.line for f in report.findings if f.position]
    assert lines == sorted(lines)
    assert len(lines) == len(report.findings)


@pytest.mark.parametrize("name", ["value", "order", "_id", "SELECT", "x" * 63])
def test_any_identifier_is_a_legal_column(name: str):
    assert codes(store("crm", Dataset("orders", columns=[Column(name, BigInt, key=True)])), reading()) == []


@pytest.mark.parametrize("source", ["Order Details", "größe", ("sales", "Order Details")])
def test_any_name_of_the_source_is_legal(source: str):
    columns = [Column("id", BigInt, key=True, source="the id")]
    assert codes(store("crm", Dataset("orders", source=source, columns=columns)), reading()) == []


@pytest.mark.parametrize("source", ["", "a\0b", "é" * 32, ("", "t"), ("s", "\ud800")])
def test_a_name_that_no_source_can_have(source: str):
    columns = [Column("id", BigInt, key=True)]
    assert codes(store("crm", Dataset("orders", source=source, columns=columns)), reading()) == ["DS-N005"]


@pytest.mark.parametrize(("workspace", "group"), [("ds", "x"), ("ds_a", "b"), ("pg", "x"), ("information", "schema")])
def test_reserved_schemas(workspace: str, group: str):
    assert codes(store(), reading(name=workspace, group=group)) == ["DS-N004"]


@pytest.mark.parametrize(("workspace", "group"), [("dsx", "x"), ("pgx", "x"), ("a", "ds_b")])
def test_schemas_that_only_look_reserved(workspace: str, group: str):
    assert codes(store(), reading(name=workspace, group=group)) == []


def test_types_that_nobody_carries_are_not_judged():
    odd = Dataset("odd", columns=[Column("id", BigInt, key=True), Column("f", FP8E4M3)])
    assert codes(store("crm", ORDERS, odd), reading()) == []


def test_a_type_inside_another_is_judged_with_it():
    from datasurface import Array, Decimal, Struct  # noqa: PLC0415 - only here

    wrong = Dataset(
        "orders", columns=[Column("id", BigInt, key=True), Column("a", Array(Struct({"d": Decimal(2, 3)})))]
    )
    assert codes(store("crm", wrong), reading()) == ["DS-T001"]


def test_a_type_nested_without_end_is_a_finding_not_a_crash():
    from datasurface import Array  # noqa: PLC0415 - only here

    deep: DataType = Integer()
    for _ in range(5000):
        deep = Array(deep)
    wrong = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("a", deep)])
    assert codes(store("crm", wrong), reading()) == ["DS-T001"]


@pytest.mark.parametrize(
    ("approval", "expected"),
    [
        ("reports.live", []),
        ("reports.live:orders", []),
        ("reports.live:lines", ["DS-A001"]),
        ("reports.other", ["DS-R009", "DS-A001"]),
        ("reports", ["DS-R008", "DS-A001"]),
        ("reports.live:", ["DS-R008", "DS-A001"]),
    ],
)
def test_approvals(approval: str, expected: list[str]):
    lines = Dataset("lines", columns=[Column("id", BigInt, key=True)])
    guarded = Datastore(
        "crm",
        capture=Snapshot(DATABASE),
        datasets=[ORDERS, lines],
        access=Access.APPROVAL,
        approvals=[approval],
    )
    assert sorted(codes(guarded, reading())) == sorted(expected)


def test_views_meet_only_within_a_group():
    past = Dataset("orders_history", columns=[Column("id", BigInt, key=True)])
    crm = store("crm", ORDERS, past)
    both = ["crm.orders", "crm.orders_history"]
    assert codes(crm, reading(*both, history=History.FULL)) == ["DS-V001"]
    assert codes(crm, reading(*both)) == []
    assert codes(crm, reading("crm.orders"), reading("crm.orders_history", name="past", history=History.FULL)) == []


def test_views_of_stores_and_datasets_that_meet():
    column = Column("id", BigInt, key=True)
    a_b, a = store("a_b", Dataset("c", columns=[column])), store("a", Dataset("b_c", columns=[column]))
    assert codes(a_b, a, reading("a_b.c", "a.b_c")) == ["DS-V001"]


def test_groups_on_different_databases_may_have_one_schema():
    blue = YellowPlatform("blue", container=PostgresDatabase("other", host="h", database="d"))
    first = Workspace("a_b", groups=[DatasetGroup("c", sinks=["crm.orders"], platform="yellow")])
    second = Workspace("a", groups=[DatasetGroup("b_c", sinks=["crm.orders"], platform="blue")])
    apart = model(store(), first, second, platforms=[YellowPlatform("yellow"), blue])
    assert check(apart, CAPABILITIES).findings == ()
    third = Workspace("a", groups=[DatasetGroup("b_c", sinks=["crm.orders"], platform="yellow")])
    together = model(store(), first, third, platforms=[YellowPlatform("yellow"), blue])
    assert [f.code for f in check(together, CAPABILITIES).findings] == ["DS-V002"]


def test_shortened_names_are_shown():
    report = checked(store("customers", ORDERS), reading("customers.orders", history=History.FULL), limit=20)
    assert report.names == {
        "reports_live.customers_orders_history": f"reports_live.{shorten('customers_orders_history', 20)}"
    }
    assert shorten("customers_orders_history", 20) in report.to_text()


@pytest.mark.parametrize(
    ("every", "latency", "expected"),
    [
        ("1 hour", Latency.MINUTES, []),
        ("61 minutes", Latency.MINUTES, ["DS-P009"]),
        ("1 day", Latency.HOURS, []),
        (Cron("0 6 * * *"), Latency.HOURS, []),
        (Cron("0 6 * * 1-5"), Latency.HOURS, ["DS-P009"]),
        ("1 minute", Latency.SECONDS, []),
    ],
)
def test_latency_against_every(every: str | Cron, latency: Latency, expected: list[str]):
    wants = Workspace("reports", groups=[DatasetGroup("live", sinks=["crm.orders"], latency=latency)])
    assert codes(store(every=every), wants) == expected


def test_what_nobody_consumes_is_only_a_warning_if_it_cannot_be_read_yet():
    marked = Datastore("log", capture=Watermark(DATABASE, column="order_id"), datasets=[ORDERS])
    idle = checked(store(), marked, reading())
    assert [(f.code, f.severity) for f in idle.findings] == [("DS-C004", Severity.WARNING)]
    used = checked(store(), marked, reading("log.orders"))
    assert [(f.code, f.severity) for f in used.findings] == [("DS-C004", Severity.ERROR)]
    assert "by platform yellow" in used.findings[0].message


def test_a_transformer_may_be_declared_whether_somebody_needs_it_or_not():
    output = Datastore("totals", datasets=[ORDERS])
    sums = Workspace(
        "sums",
        groups=[DatasetGroup("inputs", sinks=["crm.orders"])],
        transformer=DataTransformer("add", code=PythonModule("m:f"), output=output),
    )
    assert codes(store(), reading(), sums) == []
    assert codes(store(), reading("totals.orders"), sums) == []


@pytest.mark.parametrize(
    ("names", "messages"),
    [
        (["api", "api_2"], []),
        (["a b-c"], ["the name 'a b-c' of the secret is not an identifier"]),
        (
            ["../x", ""],
            ["the name '' of the secret is not an identifier", "the name '../x' of the secret is not an identifier"],
        ),
        (["api", "API"], ["the names 'api' and 'API' of secrets make the same variable"]),
    ],
)
def test_secrets_have_names_that_variables_can_have(names: list[str], messages: list[str]):
    output = Datastore("totals", datasets=[ORDERS])
    secret = Credential("partner", kind=CredentialKind.TOKEN)
    adding = DataTransformer("add", code=PythonModule("m:f"), output=output, secrets=dict.fromkeys(names, secret))
    sums = Workspace("sums", groups=[DatasetGroup("inputs", sinks=["crm.orders"])], transformer=adding)
    found = checked(store(), reading("totals.orders"), sums).findings
    assert sorted(f.message for f in found if f.code == "DS-N001") == messages
    assert len(messages) == len(found)


def test_strict_fails_on_warnings_and_never_on_infos():
    multiset = Dataset("orders", columns=[Column("id", BigInt)])
    info = checked(store("crm", multiset), reading())
    assert [f.severity for f in info.findings] == [Severity.INFO]
    assert info.ok(strict=True)
    warning = checked(store())
    assert [f.code for f in warning.findings] == ["DS-P008"]
    assert warning.ok()
    assert not warning.ok(strict=True)


def test_the_json_form_has_its_documented_keys():
    document = json.loads(json.dumps(checked(store(), reading("crm.orders", "crm.order")).to_json()))
    assert sorted(document) == ["counts", "findings", "names", "ok", "streams"]
    assert document["counts"] == {"errors": 1, "warnings": 0, "infos": 0}
    assert document["streams"] == 1
    assert sorted(document["findings"][0]) == ["code", "file", "hint", "line", "message", "path", "severity"]


def test_a_model_from_json_is_checked_without_positions():
    again = Ecosystem.from_json(model(store(), reading("crm.order")).to_json())
    found = check(again, CAPABILITIES).findings
    assert {f.code for f in found} == {"DS-R002", "DS-P008"}
    assert all(f.position is None for f in found)


def test_names_of_hostile_objects_are_escaped():
    report = checked(store("crm\n\x1b[31m"), reading("crm.orders"))
    assert "\x1b" not in report.to_text()
    assert report.errors
