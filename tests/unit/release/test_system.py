from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Boolean, Integer, Text

import datasurface
from datasurface import (
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    Ecosystem,
    GovernanceZone,
    History,
    LocalRepository,
    PostgresDatabase,
    Snapshot,
    Team,
    Workspace,
    YellowPlatform,
    model_datastore,
    model_transformer,
    model_workspace,
    operations_datastore,
    operations_workspace,
    security_datastore,
)
from datasurface.cli.app import app
from datasurface.databases.base import capability_map
from datasurface.govern.check import check
from datasurface.graph.build import build_graph
from datasurface.model import types
from datasurface.release.compile import Release, compile_release
from datasurface.release.system import system_zone, with_system
from datasurface.release.tables import TABLES, ColumnRow

CRM = PostgresDatabase("crm_db", host="db", database="crm", credential="reader")
STORE = Datastore("crm", capture=Snapshot(CRM), datasets=[Dataset("orders", columns=[Column("id", BigInt, key=True)])])


def model(*sinks: DatasetSink | str, zone: str = "usa", team: str = "sales", store: Datastore = STORE) -> Ecosystem:
    group = DatasetGroup("all", sinks=list(sinks) or ["crm.orders"], history=History.FULL)
    teams = [Team(team, datastores=[store], workspaces=[Workspace("reports", groups=[group])])]
    return Ecosystem(
        "acme",
        owner=LocalRepository("."),
        platforms=[YellowPlatform("yellow")],
        zones=[GovernanceZone(zone, teams=teams)],
    )


def codes(ecosystem: Ecosystem) -> list[str]:
    return [f.code for f in check(with_system(ecosystem), capability_map()).findings]


def compiled(ecosystem: Ecosystem) -> Release:
    return compile_release(ecosystem, build_graph(with_system(ecosystem)), capabilities=capability_map())


def test_a_model_that_asks_for_nothing_of_it_stays_the_same_object() -> None:
    ecosystem = model()
    assert with_system(ecosystem) is ecosystem
    assert build_graph(with_system(ecosystem)).idle_system == ()


def test_the_users_model_its_json_and_digest_do_not_change_when_somebody_consumes() -> None:
    ecosystem = model("crm.orders", "datasurface_model.columns")
    before = ecosystem.to_json(), ecosystem.digest
    release = compiled(ecosystem)
    assert (release.model_json, release.ecosystem.digest) == before
    assert "datasurface_model.columns" in release.model_json
    assert '"SystemZone"' not in release.model_json


def test_the_zone_is_added_once_and_belongs_to_the_ecosystem() -> None:
    whole = with_system(model("datasurface_model.columns"))
    assert with_system(whole, always=True) is whole
    assert [zone.name for zone in whole.zones] == ["usa", "datasurface"]
    owners = {(o.kind, o.name): (o.owner, o.owner_inherited) for o in compiled(whole).rows()["owner"]}  # type: ignore[attr-defined]
    assert owners["zone", "datasurface"] == owners["datastore", "datasurface_model"] == (".", True)


def test_only_what_is_consumed_flows_with_the_history_that_is_asked_for() -> None:
    graph = build_graph(with_system(model("datasurface_model.columns"), always=True))
    (stream,) = [s for s in graph.streams if s.name == "datasurface_model"]
    assert {d.dataset.name: d.history for d in stream.datasets} == {
        "releases": History.LIVE,  # it refers to itself
        "columns": History.FULL,
    }
    assert [t.workspace.name for t in graph.transformers] == ["datasurface_model"]
    assert graph.idle_system == ("datasurface_operations", "datasurface_security")
    assert graph.problems == ()


def test_operations_need_no_source() -> None:
    graph = build_graph(with_system(model("datasurface_operations.batches")))
    assert [(t.workspace.name, t.inputs) for t in graph.transformers] == [("datasurface_operations", ())]
    assert graph.problems == ()


@pytest.mark.parametrize(
    "store", [model_datastore(), operations_datastore(), security_datastore()], ids=lambda s: s.name
)
def test_the_system_itself_causes_no_finding(store: Datastore) -> None:
    found = codes(model("crm.orders", *[f"{store.name}.{d.name}" for d in store.datasets]))
    assert set(found) <= {"DS-S001"}, "nothing but that the platform has to run it"


def test_a_sink_of_what_the_system_has_not_is_found() -> None:
    assert "DS-R002" in codes(model("datasurface_model.nothing"))


@pytest.mark.parametrize(
    "wrong",
    [
        model(zone="datasurface"),
        model(team="datasurface"),
        model(team="datasurface_people"),
        model(
            "datasurface_model.orders",
            store=Datastore("datasurface_model", capture=STORE.capture, datasets=STORE.datasets),
        ),
        Ecosystem(
            "acme",
            owner=LocalRepository("."),
            zones=[GovernanceZone("z", teams=[Team("t", workspaces=[Workspace("datasurface_x")])])],
        ),
    ],
    ids=["zone", "team", "team with an ending", "datastore", "workspace"],
)
def test_nobody_can_take_a_name_of_the_system(wrong: Ecosystem) -> None:
    assert "DS-N007" in codes(wrong)


def test_a_name_that_only_looks_alike_is_free() -> None:
    assert "DS-N007" not in codes(model(zone="datasurfaces", team="my_datasurface"))


def test_the_datasets_are_the_tables() -> None:
    published = {t.published: t for t in TABLES if t.published}
    datasets = {d.name: d for d in model_datastore().datasets if d.name != "releases"}
    assert set(datasets) == set(published)
    known = {Boolean: types.Boolean, Integer: types.Integer, Text: types.String}
    for name, dataset in datasets.items():
        table = published[name].metadata.tables[published[name].__tablename__]
        assert dataset.doc == table.comment
        assert [c.name for c in dataset.columns] == [c.name for c in table.columns]
        assert [c.name for c in dataset.key_columns] == [c.name for c in table.primary_key]
        for column, physical in zip(dataset.columns, table.columns, strict=True):
            assert (column.nullable, column.doc) == (physical.nullable, physical.comment or "")
            expected = known.get(type(physical.type))
            assert expected is None or isinstance(column.data_type, expected)
    assert published["columns"] is ColumnRow


def test_under_another_name_they_are_ones_own() -> None:
    own = model_workspace("our_model")
    assert own.transformer == model_transformer("our_model")
    assert own.transformer is not None
    assert own.transformer.output == model_datastore("our_model")
    ecosystem = model("our_model.columns")
    zone = ecosystem.zones[0]
    whole = Ecosystem(
        "acme",
        owner=ecosystem.owner,
        platforms=ecosystem.platforms,
        zones=[zone, GovernanceZone("own", teams=[Team("us", workspaces=[own])])],
    )
    assert set(codes(whole)) <= {"DS-S001"}
    assert [t.workspace.name for t in build_graph(whole).transformers] == ["our_model"]


def test_the_functions_return_equal_values_each_time_and_are_imported_by_name() -> None:
    assert model_datastore() == model_datastore("datasurface_model")
    assert operations_workspace(every="1 minute") != operations_workspace()
    with pytest.raises(AttributeError, match="no attribute 'model_database'"):
        _ = datasurface.model_database


def test_another_version_of_the_system_is_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    ecosystem, plain = model("crm.orders", "datasurface_model.columns"), model()
    before = compiled(ecosystem).digest, compiled(plain).digest
    changed = datasurface.release.compile  # type: ignore[attr-defined]
    zone = system_zone()
    monkeypatch.setattr(changed, "system_zone", lambda: GovernanceZone(zone.name))
    assert compiled(ecosystem).digest != before[0]
    assert compiled(plain).digest == before[1]


def test_a_large_model_pays_next_to_nothing() -> None:
    sinks = [f"store_{i}.table" for i in range(40_000)]
    group = DatasetGroup("all", sinks=sinks)
    ecosystem = Ecosystem(
        "acme",
        owner=LocalRepository("."),
        zones=[GovernanceZone("z", teams=[Team("t", workspaces=[Workspace("w", groups=[group])])])],
    )
    began = time.process_time()
    assert with_system(ecosystem) is ecosystem
    assert time.process_time() - began < 0.2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "eco.py").write_text(
        "from datasurface import *\n"
        'store = Datastore("crm", capture=Snapshot(PostgresDatabase("d", host="h", database="d")), datasets=[\n'
        '    Dataset("orders", columns=[Column("id", BigInt, key=True)])])\n'
        'ecosystem = Ecosystem("acme", owner=LocalRepository("."), platforms=[YellowPlatform("yellow")],\n'
        '    zones=[GovernanceZone("usa", teams=[Team("sales", datastores=[store], workspaces=[\n'
        '        Workspace("reports", groups=[DatasetGroup("live", sinks=["crm.orders"])])])])])\n'
    )
    return tmp_path


def printed(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["-m", str(folder), *arguments], standalone_mode=False)
    assert result.return_value == 0, result.output
    return result.stdout


def test_it_is_shown_and_drawn(folder: Path) -> None:
    whole = printed(folder, "show")
    assert "zone datasurface" in whole
    assert "datastore datasurface_model" in whole
    assert "dataset columns" not in whole, "its datasets are shown when it is asked for"
    assert "dataset columns" in printed(folder, "show", "datasurface_model")
    assert "DataSurface's own, not asked for by anybody\n  datasurface_model\n" in printed(folder, "graph")


def test_a_query_for_a_workspace_can_be_tried_on_the_model(folder: Path) -> None:
    asked = "select name, \"type\" from datasurface_model_columns where dataset = 'orders'"
    assert printed(folder, "query", "--csv", asked) == "name,type\nid,BigInt\n"
