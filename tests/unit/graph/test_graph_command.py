from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from datasurface.cli.graph import command

ECO = """
from datasurface import *
ecosystem = Ecosystem("acme", owner=GitHubRepository("acme/model"), platforms=[YellowPlatform("yellow")],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("crm", capture=Snapshot(SqliteDatabase("crm_db", path="crm.db")),
            datasets=[Dataset("orders", columns=[Column("order_id", BigInt, key=True)])])],
        workspaces=[Workspace("reports", groups=[DatasetGroup("live", sinks=["crm.orders"])])])])])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "eco.py").write_text(ECO)
    return tmp_path


@pytest.mark.parametrize(
    ("form", "start"),
    [("text", "platform yellow\n  source crm_db\n"), ("mermaid", "flowchart LR\n"), ("dot", "digraph datasurface {\n")],
)
def test_the_graph_is_printed_in_each_form(folder: Path, form: str, start: str):
    result = CliRunner().invoke(command, ["-m", str(folder), "--format", form])
    assert result.exit_code == 0
    assert result.output.startswith(start)


@pytest.mark.parametrize("option", [["--json"], ["--format", "json"]])
def test_json_is_one_document(folder: Path, option: list[str]):
    result = CliRunner().invoke(command, ["-m", str(folder), *option])
    assert result.exit_code == 0
    found = json.loads(result.output)
    assert list(found) == ["edges", "exports", "idle_system", "problems", "streams", "transformers", "unused"]
    assert found["streams"][0]["name"] == "crm"


def test_an_unknown_form_is_refused(folder: Path):
    result = CliRunner().invoke(command, ["-m", str(folder), "--format", "png"])
    assert result.exit_code == 2
