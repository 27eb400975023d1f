"""`datasurface check`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasurface.cli import main

MODEL = """
from datasurface import *

database = PostgresDatabase("db", host="h", database="d")
ecosystem = Ecosystem(
    "acme",
    owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow")],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("crm", capture=Snapshot(database), datasets=[
            Dataset("orders", columns=[Column("order_id", BigInt, key=True)])])],
        workspaces=[Workspace("reports", groups=[DatasetGroup("live", sinks=SINKS)])])])],
)
"""


def run(folder: Path, sinks: str, *arguments: str) -> int:
    (folder / "eco.py").write_text(MODEL.replace("SINKS", sinks))
    with pytest.raises(SystemExit) as ended:
        main(["-m", str(folder), "check", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_clean_model_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path, '["crm.orders"]', "--strict") == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings, 0 info; 1 stream to deploy\n"


def test_an_error_ends_with_1_and_names_file_line_and_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path, '["crm.orders", "crm.order"]') == 1
    out = capsys.readouterr().out
    assert "error DS-R002 zone usa / team sales / workspace reports / group live / sink crm.order\n" in out
    assert "  eco.py:12: datastore crm has no dataset order\n  hint: did you mean 'orders'?\n" in out
    assert out.endswith("1 error, 0 warnings, 0 info; 1 stream to deploy\n")


def test_a_warning_fails_only_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path, "[]") == 0
    assert "this release deploys 0 streams" in capsys.readouterr().out
    assert run(tmp_path, "[]", "--strict") == 1


def test_json_is_one_document_whose_ok_agrees_with_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path, "[]", "--json", "--strict") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert {found["code"] for found in document["findings"]} == {"DS-P008", "DS-P011"}


def test_a_model_that_cannot_be_loaded_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path, '["crm.orders"') == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "DS-102" in captured.err
