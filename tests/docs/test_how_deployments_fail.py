"""The page of known failures names checks that exist, and what it calls impossible is not in any generated file."""

from __future__ import annotations

import re

from datasurface import AuroraDatabase, AwsSecrets, YellowPlatform
from datasurface.deploy.aws.preflight import PREFLIGHT as AWS
from datasurface.deploy.aws.target import TARGET
from datasurface.deploy.kubernetes.preflight import PREFLIGHT as KUBERNETES
from datasurface.model.aws import AuroraCluster
from deploying import deployable, model, store
from pages import ROOT
from preflight_bench import aws

_PAGE = (ROOT / "docs/explanation/how-deployments-fail.md").read_text()
_ROW = re.compile(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*) \|$", re.MULTILINE)
_NAME = re.compile(r"`((?:aws|kubernetes)\.[a-z-]+\.[a-z-]+)`")


def test_all_of_them_are_there_in_order() -> None:
    rows = _ROW.findall(_PAGE)
    assert [int(number) for number, *_ in rows] == list(range(1, 46))
    assert len({what for _, what, *_ in rows}) == 45


def test_each_is_caught_by_a_check_or_impossible() -> None:
    known = {check.id for check in (*AWS.checks, *KUBERNETES.checks)}
    named = set(_NAME.findall(_PAGE))
    assert sorted(named - known) == []
    for number, _, _, caught in _ROW.findall(_PAGE):
        told = _NAME.findall(caught) or "impossible: " in caught or "--teardown-plan" in caught
        assert told, f"line {number} says nothing"


def test_operation_is_complete() -> None:
    found = {name for cell in re.findall(r"^\| (O\d[^|]*) \|", _PAGE, re.MULTILINE) for name in cell.split(", ")}
    assert found == {f"O{number}" for number in range(1, 18)}


def test_what_is_called_impossible_is_in_no_template() -> None:
    merge = AuroraDatabase("merge", host="merge.db.acme.internal", database="merge", credential="merge_admin")
    platform = YellowPlatform("yellow", container=merge, secrets=[AwsSecrets()])
    deployments = [aws(databases=[AuroraCluster("merge")])]
    files = TARGET.files(deployable(model([store("crm")], deployments=deployments, platform=platform)))
    text = "\n".join(file.content for file in files if file.path.endswith(".json"))
    assert "AWS::EKS::Cluster" in text
    for word in ("KeyName", '"Parameters": {\n  "', "AWS::EFS", "AWS::EKS::FargateProfile", "AWS::IAM::User"):
        assert word not in text
