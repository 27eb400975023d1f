"""The policy in the how-to guide is that of every call which the checks of AWS make, and of nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from datasurface.deploy.aws.preflight.clients import action_of
from pages import ROOT

_GUIDE = ROOT / "docs/how-to/preflight.md"
_SOURCES = ROOT / "src/datasurface/deploy/aws/preflight"
_SERVICES = "cloudformation|ec2|ecr|efs|eks|iam|kms|logs|rds|s3|secretsmanager|service-quotas|sts"
_OPERATION = r"(?:describe|get|list|head|simulate|batch_get)_\w+"
_CALL = re.compile(rf'"({_SERVICES})",\s*"({_OPERATION})"')
_MORE = {"get_service_quota": "service-quotas", "get_aws_default_service_quota": "service-quotas"}
"""Operations that stand alone in a list."""


def _called() -> set[str]:
    text = "\n".join(path.read_text() for path in sorted(Path(_SOURCES).rglob("*.py")))
    found = {action_of(service, operation) for service, operation in _CALL.findall(text)}
    return found | {action_of(service, name) for name, service in _MORE.items() if f'"{name}"' in text}


def _documented() -> dict[str, object]:
    (block,) = re.findall(r"```json\n(.*?)```", _GUIDE.read_text(), re.DOTALL)
    found: dict[str, object] = json.loads(block)
    return found


def test_the_policy_is_complete_and_minimal() -> None:
    (statement,) = _documented()["Statement"]  # type: ignore[misc]
    assert statement["Action"] == sorted(_called())


def test_actions_only_read() -> None:
    reading = re.compile(r"[a-z0-9-]+:(Describe|Get|List|BatchGet|Simulate)\w+\Z")
    assert [action for action in _called() if not reading.match(action)] == []
    assert len(_called()) > 30
