from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from datasurface.cli.app import app
from datasurface.errors import ConfigurationError
from datasurface.release.file import read_digest, read_job
from datasurface.runtime.compile_model import compile_model, require_ok

MODEL = """
from datasurface import *

crm_db = PostgresDatabase("crm_db", host="db.acme.example", database="crm", credential="box")
ecosystem = Ecosystem(
    "acme",
    owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow")],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("crm", doc="[bold]:smile:", capture=Snapshot(crm_db, every="5 minutes"), datasets=[
            Dataset("orders", classification=[PII], columns=[
                Column("order_id", BigInt, key=True), Column("customer", String(80))])])],
        workspaces=[Workspace("reports", groups=[
            DatasetGroup("audit", sinks=["crm.orders"], history=History.FULL)])])])],
)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "eco.py").write_text(MODEL)
    return tmp_path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "eco.py").write_text(MODEL.replace('sinks=["crm.orders"]', 'sinks=["crm.orders", "crm.nothing"]'))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["-m", str(folder), *arguments], standalone_mode=False)


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_build_writes_the_release_at_its_address_and_keeps_it_out_of_git(folder: Path) -> None:
    result = run(folder, "build")
    assert result.return_value == 0
    (path,) = (folder / ".datasurface" / "releases").iterdir()
    assert str(path) in result.stdout
    assert read_digest(path) == path.stem
    assert read_job(path, "yellow", "crm") is not None
    assert (folder / ".datasurface" / ".gitignore").read_text() == "*\n"


def test_build_says_in_json_what_it_wrote(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "r.sqlite"
    found = document(run(folder, "build", "--json", "-o", str(target)))
    assert found["digest"] == read_digest(target)
    assert (found["ok"], found["path"]) == (True, str(target))
    assert found["counts"] == {"platforms": 1, "streams": 1, "views": 1}
    assert not (folder / ".datasurface").exists()


def test_errors_of_check_stop_a_build(broken: Path) -> None:
    result = run(broken, "build")
    assert result.return_value == 1
    assert "crm.nothing" in result.stderr
    assert not (broken / ".datasurface").exists()
    result = run(broken, "build", "--json")
    assert result.return_value == 1
    found = document(result)
    assert (found["ok"], found["path"], found["digest"]) == (False, None, None)
    assert any("crm.nothing" in each["path"] for each in found["findings"])


def test_a_model_with_errors_is_refused_with_their_text(broken: Path) -> None:
    _, report = compile_model(broken)
    with pytest.raises(ConfigurationError, match=r"crm\.nothing"):
        require_ok(report)


def test_a_query_answers_as_table_csv_and_json(folder: Path) -> None:
    sql = "select name, type, deprecated from column join (select null as deprecated) order by name desc"
    assert document(run(folder, "query", "--json", sql)) == {
        "columns": ["name", "type", "deprecated"],
        "rows": [["order_id", "BigInt", None], ["customer", "String(80)", None]],
    }
    lines = list(csv.reader(io.StringIO(run(folder, "query", "--csv", sql).stdout)))
    assert lines == [["name", "type", "deprecated"], ["order_id", "BigInt", ""], ["customer", "String(80)", ""]]
    shown = run(folder, "query", sql)
    assert "String(80)" in shown.stdout
    assert "NULL" in shown.stdout
    assert "2 rows" in shown.stderr


def test_a_long_or_marked_up_value_is_shown_as_it_is(folder: Path) -> None:
    shown = run(folder, "query", f"select doc, '{'x' * 300}' from datastore").stdout
    assert "[bold]:smile:" in shown
    assert "x" * 300 in shown


@pytest.mark.parametrize(
    "sql",
    [
        "selec",
        "select * from nowhere",
        "delete from zone",
        "select 1; select 2",
        "begin",
        "select ?",
        "drop table zone",
        "",
    ],
)
def test_what_is_no_reading_query_is_refused_with_the_tables(folder: Path, sql: str) -> None:
    error = run(folder, "query", sql).exception
    assert isinstance(error, ConfigurationError)
    assert "dataset_group" in error.hint


def test_a_model_with_errors_can_be_asked_about_them(broken: Path) -> None:
    result = run(broken, "query", "--json", "select severity, file from finding where path like '%crm.nothing%'")
    assert ["error", "eco.py"] in document(result)["rows"]
    assert "datasurface check" in result.stderr


def test_the_tables_are_listed_with_their_columns(folder: Path) -> None:
    tables = {table["name"]: table for table in document(run(folder, "query", "--tables", "--json"))["tables"]}
    columns = {column["name"]: column for column in tables["column"]["columns"]}
    assert columns["dataset"]["key"]
    assert columns["type"]["comment"]
    assert "stream_reason" in run(folder, "query", "--tables").stdout


def test_show_draws_the_model_and_marks_what_is_inherited(folder: Path) -> None:
    shown = run(folder, "show").stdout
    for expected in ("ecosystem acme", "datastore crm", "credential box*", "every 5 minutes,", "group audit", "yellow"):
        assert expected in shown
    assert "column order_id" not in shown
    assert "column customer  type String(80), nullable" in run(folder, "show", "crm").stdout


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("acme", "ecosystem"),
        ("usa", "zone"),
        ("sales", "team"),
        ("crm", "datastore"),
        ("crm.orders", "dataset"),
        ("crm.orders.order_id", "column"),
        ("reports", "workspace"),
        ("reports.audit", "group"),
        ("yellow", "platform"),
    ],
)
def test_show_finds_every_object_by_its_name(folder: Path, path: str, kind: str) -> None:
    (found,) = document(run(folder, "show", path, "--json"))["objects"]
    assert (found["kind"], found["reference"], found["file"]) == (kind, path, "eco.py")


def test_show_says_in_json_what_is_inherited(folder: Path) -> None:
    (crm,) = document(run(folder, "show", "crm", "--json"))["objects"]
    assert crm["facts"]["credential"] == "box"
    assert crm["inherited"] == ["credential", "owner"]
    (orders,) = crm["children"]
    assert [c["inherited"] for c in orders["children"]] == [["classification"], ["classification"]]
    assert set(crm) == {"kind", "name", "reference", "file", "line", "facts", "inherited", "children"}


def test_an_unknown_object_has_a_nearest_one(folder: Path) -> None:
    error = run(folder, "show", "crm.orderz").exception
    assert isinstance(error, ConfigurationError)
    assert "crm.orders" in error.hint
