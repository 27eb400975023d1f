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
