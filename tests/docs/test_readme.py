"""README, links and examples: what they show exists, and works as printed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from datasurface.cli.app import VERBS
from datasurface.databases.base import capability_map
from datasurface.deploy.base import target
from datasurface.deploy.compile import deployable_of
from datasurface.govern.check import check
from datasurface.model.load import load
from pages import ROOT, anchors, blocks, links

_README = ROOT / "README.md"
_PAGES = [_README, *sorted((ROOT / "docs").rglob("*.md"))]
_MODELS = sorted(path.parent for path in (ROOT / "examples").rglob("eco.py"))


def test_the_readmes_model_passes_and_deploys_one_stream(tmp_path: Path) -> None:
    model = next(block for block in blocks(_README) if block.kind == "python")
    (tmp_path / "eco.py").write_text(model.text, encoding="utf-8")
    ecosystem = load(tmp_path)
    report = check(ecosystem, capability_map())
    assert report.findings == (), report.to_text()
    assert report.to_json()["streams"] == 1
    assert load(ROOT / "examples" / "first-model").digest == ecosystem.digest


def test_the_readmes_environment_passes_and_deploys_to_all_three(tmp_path: Path) -> None:
    model, _, environment = [block.text for block in blocks(_README) if block.kind == "python"]
    environment = environment.replace("sha256:…", "sha256:" + "0" * 64).strip()
    bound = model.replace("    zones=[", f"    environments=[{environment}],\n    zones=[")
    (tmp_path / "eco.py").write_text(bound, encoding="utf-8")
    deployable, report = deployable_of(tmp_path, "prod", {})
    assert [found.to_text() for found in report.findings] == []
    assert deployable is not None
    made = {name: {file.path for file in target(name).files(deployable)} for name in ("airflow", "aws", "kubernetes")}
    assert "acme-prod-yellow.py" in made["airflow"]
    assert {"network.json", "cluster.json"} <= made["aws"]
    assert {"30-network.yaml", "values-airflow.yaml", "image/Dockerfile"} <= made["kubernetes"]


def test_the_readmes_commands_exist() -> None:
    shown = {
        m for block in blocks(_README) for m in re.findall(r"(?:^|&& )datasurface (\w+)", block.text, re.MULTILINE)
    }
    assert len(shown) >= 5
    assert shown <= set(VERBS)


def test_the_extras_that_pages_install_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {extra for page in _PAGES for extra in re.findall(r'"datasurface\[(\w+)\]"', page.read_text())}
    assert "local" in named
    assert named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    reached = {index}
    todo = [index]
    while todo:
        page = todo.pop()
        for link in links(page):
            path = (page.parent / link.partition("#")[0]).resolve()
            found = sorted(path.glob("*.md")) if path.is_dir() and "://" not in link else [path]
            new = [p for p in found if p.suffix == ".md" and p.is_file() and p not in reached]
            reached.update(new)
            todo.extend(new)
    assert [str(p.relative_to(ROOT)) for p in _PAGES if p not in reached and p != _README] == []


def test_every_verb_stands_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"datasurface {verb}" not in page] == []


@pytest.mark.parametrize("folder", _MODELS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_the_example_models_load_and_pass(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder.parent))  # a model may import the package that it is the example of
    ecosystem = load(folder)
    report = check(ecosystem, capability_map())
    expected = {"DS-C005"} if "csv-adapter" in folder.parts else set()  # its adapter is not installed here
    assert {found.code for found in report.findings} == expected, report.to_text()
    assert report.to_json()["streams"]
