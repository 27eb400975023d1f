"""What others say of the templates: cfn-lint, checkov, and the list of all actions of IAM."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aws_models import OPS, REGION, aws, deployable, model
from datasurface import AwsEgress, AwsExistingNetwork, AwsIdentity, AwsNetwork
from datasurface.deploy.aws.actions import ACTIONS, ALWAYS
from datasurface.deploy.aws.target import stacks

CHECKOV = Path(__file__).parents[2] / ".checkov" / "bin"
EXISTING = AwsExistingNetwork(
    "vpc-0123456789abcdef0",
    cidr="10.1.0.0/16",
    subnets=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    endpoints=True,
)
VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {"admins": [OPS], "shared_storage": True, "alarms_to": ["ops@acme.example"]},
    "irsa": {"identity": AwsIdentity.IRSA, "network": AwsNetwork(zones=2, egress=AwsEgress.NONE)},
    "existing": {"network": EXISTING, "databases": [], "database_groups": ["sg-0123456789abcdef0:1433"]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the templates of three environments that differ in every choice there is."""
    whole = tmp_path_factory.mktemp("templates")
    for variant, settings in VARIANTS.items():
        for stack in stacks(deployable(model(aws(**settings), production=variant == "whole"))):
            (whole / f"{variant}-{stack.path}").write_text(stack.text)
    return whole


def cfn_lint(*files: Path) -> tuple[int, str]:
    command = [Path(sys.executable).with_name("cfn-lint"), "--regions", REGION, "--", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_cfn_lint_finds_nothing(folder: Path):
    files = sorted(folder.glob("*.json"))
    assert len(files) == 20
    assert cfn_lint(*files) == (0, "")


def test_cfn_lint_would_find_a_mistake(folder: Path, tmp_path: Path):
    document = json.loads((folder / "whole-foundation.json").read_text())
    document["Resources"]["DataKey"]["Properties"]["Spin"] = 1
    (tmp_path / "wrong.json").write_text(json.dumps(document))
    code, text = cfn_lint(tmp_path / "wrong.json")
    assert code != 0
    assert "E3002" in text


def test_checkov_finds_nothing_but_what_is_explained(folder: Path):
    if not (CHECKOV / "checkov").exists():
        pytest.skip("checkov is not installed: make .checkov/.made")
    command = [CHECKOV / "checkov", "-d", folder, "--framework", "cloudformation", "--skip-download", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert [(each["check_id"], each["resource"]) for each in report["results"]["failed_checks"]] == []
    assert report["summary"]["passed"] > 300
    skipped = report["results"]["skipped_checks"]
    explained = {(each["check_id"], each["check_result"]["suppress_comment"]) for each in skipped}
    assert explained == {("CKV_AWS_18", "it is where the record of access to the other buckets goes")}


def test_every_action_is_one_of_iam():
    """By checkov's own copy of AWS's service authorization reference."""
    if not (CHECKOV / "python").exists():
        pytest.skip("checkov is not installed: make .checkov/.made")
    code = (
        "import json, sys; from policy_sentry.querying.actions import get_actions_for_service as of;"
        "asked = json.load(sys.stdin);"
        "known = {a.lower() for s in {x.split(':')[0] for x in asked} for a in of(s)};"
        "print(json.dumps([x for x in asked if x.lower() not in known]))"
    )
    asked = sorted({*ALWAYS, *(action for actions in ACTIONS.values() for action in actions)})
    command = [CHECKOV / "python", "-c", code]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
