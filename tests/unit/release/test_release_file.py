from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from datasurface import (
    INTERNAL,
    PII,
    Access,
    AllowedLocations,
    Assign,
    BigInt,
    Classification,
    Column,
    ConsumerReplica,
    Credential,
    Cron,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    DataTransformer,
    Ecosystem,
    Environment,
    ForbiddenClassifications,
    GitHubRepository,
    GitLabRepository,
    GovernanceZone,
    History,
    LocalRepository,
    PostgresDatabase,
    PrimaryIngestion,
    Snapshot,
    SqlQueries,
    String,
    Team,
    Vendor,
    Workspace,
    YellowPlatform,
    deidentified,
)
from datasurface.databases.base import capability_map
from datasurface.errors import StoreError
from datasurface.govern.check import check
from datasurface.graph.build import build_graph
from datasurface.graph.nodes import Graph
from datasurface.model.base import noun
from datasurface.model.schema import Check
from datasurface.release import file
from datasurface.release.compile import Release, compile_release
from datasurface.release.reference import operations_reference, tables_reference
from datasurface.release.tables import TABLES, ColumnRow, Table

ROOT = Path(__file__).parents[3]


@noun
class Positive(Check):
    """A condition such as a package of others may add."""

    column: str = field(kw_only=False)


def rich_model() -> Ecosystem:
    """A model with something in every table."""
    crm_db = PostgresDatabase("crm_db", host="db", database="crm", credential="box", locations=["dc:usa/ny1"])
    orders = Dataset(
        "orders",
        classification=[INTERNAL],
        columns=[
            Column("order_id", BigInt, key=True),
            Column("customer", String(80), classification=[PII, Classification("GDPR", scheme="eu")]),
        ],
        checks=[Positive("order_id")],
    )
    crm = Datastore(
        "crm",
        capture=Snapshot(crm_db, every=Cron("0 6 * * 1-5", tz="Europe/Berlin")),
        datasets=[orders],
        access=Access.APPROVAL,
        approvals=["reports.live", "reports.audit:orders"],
    )
    output = Datastore("derived", datasets=[Dataset("totals", columns=[Column("n", BigInt)])])
    transformer = DataTransformer(
        "t", code=SqlQueries({"totals": "select 1"}), output=output, secrets={"api": Credential("api_token")}
    )
    reports = Workspace(
        "reports",
        readers=["ada"],
        groups=[
            DatasetGroup("live", sinks=["crm.orders"]),
            DatasetGroup("audit", sinks=[DatasetSink("crm.orders", columns=["order_id"])], history=History.FULL),
        ],
    )
    maker = Workspace("maker", groups=[DatasetGroup("input", sinks=["crm.orders"])], transformer=transformer)
    copy = deidentified(crm, name="hidden")
    team = Team("sales", owner=LocalRepository("/srv/sales"), datastores=[crm], workspaces=[reports, maker, copy])
    policies = [ForbiddenClassifications([PII]), AllowedLocations(["dc:usa"])]
    replica = ConsumerReplica("r", container=PostgresDatabase("rep", host="h", database="d"), workspaces=["reports"])
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        vendors=[Vendor("dc", locations=["usa/ny1"])],
        platforms=[YellowPlatform("yellow", replicas=[replica])],
        environments=[Environment("test", containers={"crm_db": PostgresDatabase("t", host="t", database="t")})],
        assignments=[Assign("yellow", history=History.FULL), PrimaryIngestion("yellow", datastores=["crm"])],
        zones=[
            GovernanceZone("usa", owner=GitLabRepository("https://g.example/", "a/b"), policies=policies, teams=[team])
        ],
    )


@pytest.fixture(scope="module")
def release() -> Release:
    ecosystem = rich_model()
    graph, capabilities = build_graph(ecosystem), capability_map()
    report = check(ecosystem, capabilities, graph=graph)
    return compile_release(ecosystem, graph, report.findings, capabilities=capabilities)


@pytest.fixture(scope="module")
def path(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("a release?#%20ä") / "r.sqlite"
    file.write_release(release, written)
    return written


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    with file.open_release(path).connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_every_table_has_rows_that_fit_it(release: Release) -> None:
    rows = release.rows()
    assert [name for name, found in rows.items() if not found] == []
    assert set(rows) == {table.__tablename__ for table in TABLES}
    for table, values in release.records():
        assert set(values) == set(table.__table__.columns.keys()), table.__tablename__


def test_the_file_holds_the_same_rows(release: Release, path: Path) -> None:
    expected = {name: len(found) for name, found in release.rows().items()}
    assert {name: ask(path, f'select count(*) from "{name}"')[0][0] for name in expected} == expected


def test_jobs_read_their_own_slice(release: Release, path: Path) -> None:
    platform = release.platforms[0]
    assert file.read_job(path, "yellow", "crm") == platform.jobs[0]
    assert file.read_job(path, "yellow", "nope") is None
    assert file.read_platform(path, "yellow") == platform
    assert file.read_platform(path, "nope") is None
    assert file.read_digest(path) == release.digest
    assert file.read_ecosystem(path) == release.ecosystem


def test_the_job_digest_in_the_file_is_the_jobs(release: Release, path: Path) -> None:
    job = release.platforms[0].jobs[0]
    parts = [d.to_json() for d in job.datasets] + [job.capture.to_json(), job.consistency.value]
    assert ask(path, "select job_digest from job") == [(job.job_digest,)]
    assert job.job_digest == hashlib.sha256("\n".join(parts).encode()).hexdigest()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select name, type, key, nullable, classification from column where datastore = 'crm' order by position", [
            ("order_id", "BigInt", 1, 0, "INTERNAL"),
            ("customer", "String(80)", 0, 1, "INTERNAL, PII, eu:GDPR"),
        ]),
        (("select scheme, name, inherited from column_classification "
          "where datastore = 'crm' and column = 'customer' order by 2"), [
            ("eu", "GDPR", 0), ("", "INTERNAL", 1), ("", "PII", 0),
        ]),
        ("select owner, owner_inherited from team", [("/srv/sales", 0)]),
        ("select owner, owner_inherited from datastore where name = 'crm'", [("/srv/sales", 1)]),
        ("select owner, owner_kind from zone", [("https://g.example/a/b", "GitLabRepository")]),
        ("select credential, credential_inherited, every from datastore where name = 'crm'", [
            ("box", 1, "Cron('0 6 * * 1-5', tz='Europe/Berlin')"),
        ]),
        ("select workspace, capture, container from datastore where name = 'derived'", [("maker", None, None)]),
        ("select name from credential order by name", [("api_token",), ("box",)]),
        ("select address, locations from container where name = 'crm_db'", [("db:5432", "dc:usa/ny1")]),
        ("select reference, columns from sink where group_name = 'audit'", [("crm.orders", "order_id")]),
        ("select workspace, group_name, dataset from approval order by dataset", [
            ("reports", "live", None), ("reports", "audit", "orders"),
        ]),
        ("select schema, name, history from view order by 1, 2", [
            ("reports_audit", "crm_orders", 0),
            ("reports_audit", "crm_orders_history", 1),
            ("reports_live", "crm_orders", 0),
        ]),
        ("select kind, conditions from policy order by position", [
            ("ForbiddenClassifications", "PII"), ("AllowedLocations", "dc:usa"),
        ]),
        ("select source, target from edge where kind = 'lineage' and target like 'dataset:derived.%' order by 1", [
            ("group:maker.input", "dataset:derived.totals"),
        ]),
        ("select name from container where file is null or line is null", [("local",)]),
        ("select distinct file from dataset", [(__file__,)]),
    ],
)  # fmt: skip
def test_what_the_tables_say(path: Path, sql: str, expected: list[tuple[object, ...]]) -> None:
    assert ask(path, sql) == expected


def test_a_release_file_cannot_be_changed(path: Path) -> None:
    with file.open_release(path).connect() as connection, pytest.raises(DBAPIError, match="readonly"):
        connection.execute(text("delete from zone"))


def test_nothing_of_an_unfinished_write_is_left(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.sqlite"
    target.write_bytes(b"old")

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(file, "write_records", broken)
        with pytest.raises(StoreError, match="No space left"):
            file.write_release(release, target)
    assert [p.name for p in tmp_path.iterdir()] == ["r.sqlite"]
    assert target.read_bytes() == b"old"
    file.write_release(release, target)
    assert file.read_digest(target) == release.digest


def test_a_path_too_long_for_sqlite(release: Release, tmp_path: Path) -> None:
    target = tmp_path / ("long" * 50) / ("longer" * 33) / ("ü" * 100) / "r.sqlite"
    assert len(os.fsencode(target.parent)) >= 600
    file.write_release(release, target)
    file.write_release(release, target)
    assert [p.name for p in target.parent.iterdir()] == ["r.sqlite"]
    (tmp_path / "short.sqlite").symlink_to(target)
    for path in (target, tmp_path / "short.sqlite"):
        assert file.read_digest(path) == release.digest
        assert file.read_ecosystem(path).name == release.ecosystem.name
    with file.open_release(target).connect() as connection, pytest.raises(DBAPIError, match="readonly"):
        connection.execute(text("delete from zone"))
    target.write_bytes(b"no database at all")
    with pytest.raises(StoreError, match="no readable release"):
        file.read_digest(target)


def test_an_impossible_place_is_an_error_with_its_name(release: Release, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("")
    with pytest.raises(StoreError, match="occupied"):
        file.write_release(release, tmp_path / "occupied" / "r.sqlite")


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\0 but not really"])
def test_what_is_no_release_is_refused(tmp_path: Path, content: bytes) -> None:
    target = tmp_path / "r.sqlite"
    target.write_bytes(content)
    with pytest.raises(StoreError):
        file.read_digest(target)
    with pytest.raises(StoreError, match="no release file"):
        file.read_digest(tmp_path / "absent.sqlite")


def test_another_format_is_refused_by_number(release: Release, tmp_path: Path) -> None:
    target = tmp_path / "r.sqlite"
    file.write_release(release, target)
    with sqlite3.connect(target) as connection:
        connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        file.open_release(target)


def test_a_model_with_names_given_twice_can_still_be_asked() -> None:
    store = Datastore("crm", datasets=[Dataset("d", columns=[Column("a", BigInt), Column("a", String)])])
    team = Team("t", datastores=[store, store])
    ecosystem = Ecosystem("acme", owner=GitHubRepository("a/b"), zones=[GovernanceZone("z", teams=[team])])
    release = compile_release(ecosystem, build_graph(ecosystem))
    assert [row.type for row in release.rows()["column"] if isinstance(row, ColumnRow)] == ["BigInt"]
    with file.in_memory(release).connect() as connection:
        assert connection.execute(text("select name, type from column")).all() == [("a", "BigInt")]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__tablename__)
def test_every_table_and_column_is_documented_and_fits_both_databases(table: type[Table]) -> None:
    made = table.metadata.tables[table.__tablename__]
    assert made.comment
    assert [c.name for c in made.columns if not c.comment] == []
    assert made.primary_key.columns
    for dialect in (sqlite.dialect(), postgresql.dialect()):  # type: ignore[no-untyped-call]
        assert str(CreateTable(made).compile(dialect=dialect)).startswith("\nCREATE TABLE")
        assert str(insert(made).compile(dialect=dialect)).startswith("INSERT INTO")


def test_the_reference_page_is_that_of_the_tables() -> None:
    page = ROOT / "docs" / "reference" / "release-tables.md"
    assert page.read_text() == tables_reference(), f"write tables_reference() to {page} again"


def test_the_reference_page_of_operations_is_that_of_its_tables() -> None:
    page = ROOT / "docs" / "reference" / "operations-tables.md"
    assert page.read_text() == operations_reference(), f"write operations_reference() to {page} again"


def leaves(data: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str | int]]:
    """Yield every text, number and yes or no in JSON data, but the names of classes and enumerations."""
    if isinstance(data, (str, int)):
        yield path, data
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(data, dict):
        items = [(key, value) for key, value in data.items() if key not in ("is", "enum")]
    elif isinstance(data, list):
        items = enumerate(data)
    for key, value in items:
        yield from leaves(value, (*path, key))


def changed(data: Any, path: tuple[str | int, ...]) -> Any:
    """Return a copy of JSON data with another value at one place."""
    if not path:
        return data + "_" if isinstance(data, str) else not data if isinstance(data, bool) else data + 1
    copy: Any = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = changed(data[path[0]], path[1:])
    return copy


def test_every_field_of_every_object_counts_in_the_digest(release: Release) -> None:
    data = json.loads(release.model_json)
    paths = [path for path, _ in leaves(data)]
    assert len(paths) > 60
    digests = {compile_release(Ecosystem.from_json(json.dumps(changed(data, path))), Graph()).digest for path in paths}
    assert len(digests) == len(paths)
    assert release.digest not in digests
    assert compile_release(Ecosystem.from_json(release.model_json), Graph()).digest == release.digest


@given(order=st.permutations(range(6)))
def test_compiling_is_deterministic_whatever_order_the_graph_was_derived_in(order: list[int]) -> None:
    stores = [
        Datastore(
            f"s{n}",
            capture=Snapshot(PostgresDatabase("p", host="h", database="d")),
            datasets=[Dataset("d", columns=[Column("a", BigInt, key=True)])],
        )
        for n in order
    ]
    workspaces = [Workspace(f"w{n}", groups=[DatasetGroup("g", sinks=[f"s{n}.d"])]) for n in reversed(order)]
    team = Team("t", datastores=stores, workspaces=workspaces)
    ecosystem = Ecosystem(
        "acme",
        owner=GitHubRepository("a/b"),
        platforms=[YellowPlatform("y")],
        zones=[GovernanceZone("z", teams=[team])],
    )
    first, second = (compile_release(ecosystem, build_graph(ecosystem)) for _ in range(2))
    (platform,) = first.platforms
    assert [job.stream for job in platform.jobs] == [f"s{n}" for n in range(6)]
    assert [view.workspace for view in platform.views] == [f"w{n}" for n in range(6)]
    assert (first.digest, first.platforms) == (second.digest, second.platforms)
    assert list(first.records()) == list(second.records())


def test_what_is_deidentified_and_how_can_be_asked(path: Path) -> None:
    asked = 'select dataset, "column", workspace, source_datastore, method, settings, replaces from deidentification'
    assert ask(path, asked) == [("orders", "customer", "hidden", "crm", "Tokenise", "{}", "PII")]
