"""The model of `how-to/aws-from-nothing.md` is deployed as the page says, and the reference has every field."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import datasurface
from pages import ROOT, blocks, model_folder, shell

_PAGE = ROOT / "docs" / "how-to" / "aws-from-nothing.md"
_REFERENCE = ROOT / "docs" / "reference" / "aws.md"
_PREFIX = "ds-acme-prod-479fc59d"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    (model,) = [block.text for block in blocks(_PAGE) if block.kind == "python"]
    with model_folder() as made:
        (made / "eco.py").write_text(model)
        yield made


def said(command: str, folder: Path) -> str:
    done = shell(command, folder)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_model_passes_and_its_files_are_written_once(folder: Path):
    assert "0 errors, 0 warnings" in said("datasurface check -e prod", folder)
    said("datasurface deploy aws -e prod -o deploy/aws", folder)
    readme = (folder / "deploy/aws/README.md").read_text()
    page = _PAGE.read_text()
    listed = json.loads((folder / "deploy/aws/stacks.json").read_text())
    for stack in listed["stacks"]:
        assert f"| `{stack['stack'].removeprefix(_PREFIX + '-')}` |" in page
    assert f"ecr.eu-central-1.amazonaws.com/{_PREFIX}/jobs@" in page
    assert f"{_PREFIX}-releases-123456789012-eu-central-1" in (folder / "deploy/aws/foundation.json").read_text()
    assert "--secret-id datasurface/acme/prod/crm_reader" in page
    assert "`datasurface/acme/prod/crm_reader`" in readme
    assert f"aws eks update-kubeconfig --region eu-central-1 --name {_PREFIX}" in page
    assert "as generated" in said("datasurface deploy aws -e prod -o deploy/aws --check", folder)


def test_the_files_for_kubernetes_and_the_checks_beforehand_take_the_same_model(folder: Path):
    said("datasurface deploy kubernetes -e prod -o deploy/kubernetes", folder)
    policies = (folder / "deploy/kubernetes/30-network.yaml").read_text()
    assert "10.64.0.0/16" in policies
    assert "0 fail" in said("datasurface preflight aws -e prod --offline", folder)


def test_a_file_that_was_changed_by_hand_is_seen(folder: Path):
    said("datasurface deploy aws -e prod -o changed", folder)
    (folder / "changed/data.json").write_text("{}")
    done = shell("datasurface deploy aws -e prod -o changed --check", folder)
    assert done.returncode == 1
    assert "foreign data.json" in done.stdout


def test_the_teardown_plan_is_printed_as_text_and_document(folder: Path):
    text = said("datasurface deploy aws -e prod --teardown-plan", folder)
    document = json.loads(said("datasurface deploy aws -e prod --teardown-plan --json", folder))
    assert [step["title"] for step in document["steps"]][:2] == [
        "Stop the jobs",
        "Delete load balancers and volumes that Kubernetes has made",
    ]
    assert f"1. {document['steps'][0]['title']}" in text
    assert f"together ${document['month']:,.2f} a month" in text
    page = (
        (ROOT / "docs/reference/json.md").read_text().partition("## deploy aws --teardown-plan")[2].partition("## ")[0]
    )
    for place, printed in (
        ("document", document),
        ("`steps`", document["steps"][0]),
        ("`remains`", document["remains"][0]),
    ):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {place} |")]
        assert set(re.findall(r"`(\w+)`", row.split("|")[2])) == set(printed)


def test_without_folder_or_plan_the_command_says_what_it_takes(folder: Path):
    done = shell("datasurface deploy aws -e prod", folder)
    assert done.returncode == 2
    assert "say -o FOLDER, or --teardown-plan" in done.stdout


def test_the_reference_has_every_field_and_its_default():
    text = _REFERENCE.read_text()
    table = text[text.index("## `Aws`") : text.index("\n`AwsNetwork(")]
    named = set(re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines() if "|" in line)))
    assert named == {field.name for field in dataclasses.fields(datasurface.Aws)}
    for name in ("AwsNetwork", "AwsExistingNetwork", "AuroraCluster", "NodeGroup"):
        noun = getattr(datasurface, name)
        (signature,) = re.findall(rf"^`{name}\((.*?)\)`", text, re.MULTILINE)
        names = [part.split("=")[0].strip() for part in signature.split(",")]
        assert names == [field.name for field in dataclasses.fields(noun)]
        for part in signature.split(","):
            field, equals, shown = part.strip().partition("=")
            default = next(f.default for f in dataclasses.fields(noun) if f.name == field)
            if equals and shown:
                assert shown in {repr(default), json.dumps(default), f"AwsEgress.{getattr(default, 'name', '')}"}, field
            else:
                assert default in (None, dataclasses.MISSING), field
