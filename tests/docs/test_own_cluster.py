"""The pages on clusters and targets: what they show works as printed."""

from __future__ import annotations

import dataclasses
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from datasurface import CloudNativePostgres, ClusterNodes, Egress, Environment, Kubernetes
from datasurface.deploy import base
from datasurface.deploy.base import Deployable, target
from datasurface.deploy.kubernetes.preflight import PREFLIGHT
from datasurface.deploy.kubernetes.target import TARGET
from datasurface.deploy.preflight.check import Verdict
from datasurface.deploy.preflight.run import run_checks
from datasurface.graph.build import build_graph
from datasurface.model.deployment_check import deployment_problems
from datasurface.release.compile import compile_release
from datasurface.release.system import with_system
from deploy.kubernetes_model import ecosystem
from pages import ROOT, blocks

CLUSTER = ROOT / "docs" / "how-to" / "own-cluster.md"
REFERENCE = ROOT / "docs" / "reference" / "kubernetes.md"


def _deployable() -> Deployable:
    scope: dict[str, Any] = {}
    exec(next(block.text for block in blocks(CLUSTER) if block.kind == "python"), scope)
    environment: Environment = scope["production"]
    assert not [problem for each in environment.deployments for problem in deployment_problems(each)]
    model = dataclasses.replace(ecosystem(), environments=[environment])
    release = compile_release(model, build_graph(with_system(model)), environment="prod")
    return Deployable(release=release, environment=environment)


def test_the_environment_of_the_page_deploys_and_passes() -> None:
    deployable = _deployable()
    written = {file.path for file in TARGET.files(deployable)}
    named = set(re.findall(r"^\| `([\w.-]+\.yaml|image/)` \|", REFERENCE.read_text(), re.MULTILINE))
    assert {path if "/" not in path else f"{path.split('/')[0]}/" for path in written} == named
    results = run_checks(PREFLIGHT.checks, PREFLIGHT.subject(deployable, {}), offline=True)
    assert [(r.id, r.outcome.why) for r in results if r.verdict in {Verdict.FAIL, Verdict.WARN}] == []


def test_every_field_of_the_cluster_is_described() -> None:
    text = REFERENCE.read_text()
    for noun in (Kubernetes, Egress, CloudNativePostgres, ClusterNodes):
        names = {field.name for field in dataclasses.fields(noun)}  # type: ignore[arg-type]
        described = {name for name in names if re.search(rf"`{name}`|\b{name}=|\({name}\b", text)}
        assert described == names


def test_the_smallest_target_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = ROOT / "docs" / "how-to" / "add-a-deployment-target.md"
    code = next(block.text for block in blocks(page) if block.kind == "python")
    (tmp_path / "notes_of_the_page.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("notes", "notes_of_the_page:TARGET", "datasurface.targets")
    monkeypatch.setattr(base, "entry_points", lambda **_: [point])
    (file,) = target("notes").files(_deployable())
    assert "yellow: crm" in file.content.splitlines()
