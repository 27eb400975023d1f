"""`--json`: standard output is one document, whatever the model's code prints and however the command ends."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from command_line import Project, project

NOISE = """
import atexit, os, subprocess
print("from print")
os.write(1, b"from write\\n")
subprocess.run(["echo", "from child"], check=True)
atexit.register(print, "from atexit")
"""


@pytest.fixture
def shop() -> Iterator[Project]:
    with project() as made:
        yield made


def test_what_model_code_prints_goes_to_standard_error(shop: Project) -> None:
    eco = shop.folder / "eco.py"
    eco.write_text(NOISE + eco.read_text())
    done = shop.run("check", "--json")
    assert json.loads(done.stdout)["ok"] is True
    for noise in ("from print", "from write", "from child", "from atexit"):
        assert noise in done.stderr
    assert "from print" in shop.run("check").stdout
    assert "Usage" in shop.run("check", "--json", "--help").stdout


def test_an_error_is_a_document_too(shop: Project) -> None:
    eco = shop.folder / "eco.py"
    eco.write_text(NOISE + "raise ValueError('no model today')\n")
    done = shop.run("status", "--json", code=2)
    error = json.loads(done.stdout)["error"]
    assert error.keys() == {"code", "message", "hint"}
    assert error["code"] == "DS-102"
    assert "no model today" in error["message"]
    assert "error DS-102" in done.stderr
    assert shop.run("status", code=2).stdout.count("DS-102") == 0


def test_history_takes_a_limit_that_the_database_takes(shop: Project) -> None:
    for limit in ("0", "1000001", "99999999999999999999"):
        assert "1<=x<=1000000" in shop.run("history", "crm", "--limit", limit, code=2).stderr


def test_an_audit_of_all_goes_on_past_streams_that_cannot_be_audited(shop: Project) -> None:
    shop.model('[store("crm"), store("erp"), store("wms")]')
    shop.run("apply", "--yes")
    shop.run("run", "--once", "--stream", "crm", "--stream", "wms")
    found = shop.json("audit")
    assert (found["ok"], found["not_merged"], found["busy"]) == (True, ["erp"], [])
    assert [d["stream"] for d in found["datasets"]] == ["crm", "wms"]
    assert "erp: nothing merged yet" in shop.run("audit").stdout
    assert "no merged batch" in shop.run("audit", "erp", code=2).stderr
    shop.query("UPDATE ds_yellow.streams SET owner = 'elsewhere/1/x', heartbeat = now() WHERE stream = 'wms'")
    held = shop.json("audit", code=1)
    assert (held["ok"], held["not_merged"], held["busy"]) == (False, ["erp"], ["wms"])
    assert [d["stream"] for d in held["datasets"]] == ["crm"]
    assert "wms: busy" in shop.run("audit", code=1).stdout
    assert shop.json("audit", "wms", code=1)["error"]["code"] == "DS-401"
