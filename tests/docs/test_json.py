"""`docs/reference/json.md` against what the commands print with `--json`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasurface.cli import main
from pages import ROOT, model_folder, shell

_PAGE = ROOT / "docs" / "reference" / "json.md"
_MAPPINGS = ("objects.facts", "objects.children.facts", "names")
"""Where the keys are names of the model."""
_COMMANDS = {
    "error": "history nobody",
    "check": "check",
    "show": "show shop.orders",
    "graph": "graph",
    "build": "build",
    "query": "query 'SELECT name FROM dataset'",
    "query --tables": "query --tables",
    "plan": "plan",
    "status": "status",
    "release publish": "release publish -e prod --ref v1",
    "release list": "release list -e prod",
    "release follow": "release follow -e prod --once",
    "deploy": "deploy -e prod --wait 0",
    "history": "history shop",
    "explain": "explain shop",
    "audit": "audit",
    "security plan": "security plan",
    "security sync": "security sync",
    "security rotate": "security rotate",
    "local": "local status",
    "doctor": "doctor",
    "preflight": "preflight aws -e cloud --offline",
}
_ELSEWHERE = {"deploy aws --teardown-plan"}
"""Compared where there is a model that can be deployed: `test_aws_from_nothing.py`."""
_CLOUD = """
import dataclasses

aws = Aws(account="123456789012", region="eu-central-1")
ecosystem = dataclasses.replace(ecosystem, environments=[Environment("cloud", deployments=[aws])])
"""
"""What the model of `init` lacks to be deployed. Its database is an embedded one, so that there is a finding."""


def test_each_verb_prints_the_keys_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(("DATASURFACE_", "PG"))]:
        monkeypatch.delenv(name)
    documented = {name: paths for name, paths in _documented().items() if name not in _ELSEWHERE}
    problems = []
    with model_folder() as folder:
        shell("datasurface init", folder)
        plan = _document("plan", folder)
        ran = shell("datasurface run --once", folder)
        assert ran.returncode == 0, ran.stdout
        eco = (folder / "eco.py").read_text(encoding="utf-8")
        (folder / "eco.py").write_text(eco.replace('sinks=["shop.', 'sinks=["no_shop.'), encoding="utf-8")
        wrong = {name: _document(name, folder) for name in ("check", "build")}
        (folder / "eco.py").write_text(eco, encoding="utf-8")
        assert "findings.hint" in {path for path, _ in _paths(wrong["check"])}
        (folder / "eco.py").write_text(eco + _CLOUD, encoding="utf-8")
        wrong["preflight"] = _document("preflight", folder)
        prod = 'Environment("prod", containers={"local": EmbeddedPostgres(database="prod")}, releases="v*", '
        prod += f'release_store="{folder}/store")'
        more = re.sub(r"(\n    zones=)", rf"\n    environments=[{prod}],\1", eco, count=1)
        (folder / "eco.py").write_text(more, encoding="utf-8")
        for name in _COMMANDS:
            printed = plan if name == "plan" else wrong.get(name) or _document(name, folder)
            found = {path for path, _ in _paths(printed)}
            empty = {path for path, value in _paths(printed) if value is None or value in ([], {})}
            expected = documented.pop(name, set())
            missing = {p for p in expected - found if not any(p.startswith(f"{e}.") for e in empty)}
            problems += [f"{name}: {path} is not printed" for path in sorted(missing)]
            problems += [f"{name}: {path} is not on the page" for path in sorted(found - expected)]
    assert problems == []
    assert documented == {}, "sections of no verb"


def _documented() -> dict[str, set[str]]:
    """Return the paths of each section; a row lists the keys of one object."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in _PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line[3:]
        elif line.startswith(("| document", "| `")) and name:
            place, keys = [cell.strip() for cell in line.split("|")[1:3]]
            prefix = "" if place == "document" else place.strip("`") + "."
            found.setdefault(name, set()).update(prefix + key for key in re.findall(r"`(\w+)`", keys))
    return found


def _document(name: str, folder: Path) -> object:
    """Run a command in this process, which starts once for all of them."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        main(["-m", str(folder), *shlex.split(_COMMANDS[name]), "--json"])
    return json.loads(printed.getvalue())


def _paths(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the path of every key, such as `streams.state` for each state of a list of streams."""
    if path in _MAPPINGS or re.fullmatch(r"objects(\.children)+\.facts", path):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            where = f"{path}.{key}" if path else str(key)
            yield where, item
            yield from _paths(item, where)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
