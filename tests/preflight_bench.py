"""Subjects for the checks of `preflight aws`, made from a few resources, and what one check says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from datasurface import Aws, AwsSecrets, Kubernetes, YellowPlatform
from datasurface.deploy.aws.preflight import PREFLIGHT
from datasurface.deploy.aws.preflight.clients import AwsReader, Clients
from datasurface.deploy.aws.preflight.subject import AwsSubject, PlannedStack
from datasurface.deploy.base import Deployable
from datasurface.deploy.packing import PodNeed
from datasurface.deploy.preflight.check import Result, Verdict
from datasurface.deploy.preflight.run import run_checks
from datasurface.errors import DataSurfaceError
from datasurface.model.deployment import Deployment
from deploying import MERGE, deployable, model, store

ACCOUNT, REGION = "123456789012", "eu-central-1"
TODAY = date(2026, 6, 1)
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/jobs@sha256:" + "a" * 64
PLATFORM = YellowPlatform("yellow", container=MERGE, secrets=[AwsSecrets()])
CHECKS = {check.id: check for check in PREFLIGHT.checks}
Resources = Mapping[str, Mapping[str, Any]]


def resource(type_: str, **properties: Any) -> dict[str, Any]:
    """Return a resource of a template."""
    return {"Type": f"AWS::{type_}", "Properties": properties}


def aws(**more: Any) -> Aws:
    """Return where it is deployed to."""
    return Aws(account=ACCOUNT, region=REGION, **more)


def deployed(
    settings: Aws | None = None, *others: Deployment, platform: YellowPlatform = PLATFORM, production: bool = False
) -> Deployable:
    """Return a small model's deployment, with one source and one consumer."""
    made = deployable(
        model([store("crm")], deployments=[settings or aws(), Kubernetes(image=IMAGE), *others], platform=platform)
    )
    if production and made.environment is not None:
        object.__setattr__(made.environment, "production", True)
    return made


def subject(
    resources: Resources | None = None,
    *,
    settings: Aws | None = None,
    stacks: Sequence[PlannedStack] | None = None,
    document: Mapping[str, Any] | None = None,
    capabilities: Sequence[str] = (),
    actions: Sequence[str] = (),
    pods: Sequence[PodNeed] = (),
    manifests: Sequence[Mapping[str, Any]] = (),
    images: Mapping[str, str] | None = None,
    problems: Sequence[DataSurfaceError] = (),
    environ: Mapping[str, str] | None = None,
    what: Deployable | None = None,
    today: date = TODAY,
    clients: Clients | None = None,
    lint: bool = False,
) -> AwsSubject:
    """Return what checks are given, with one stack of these resources unless others are given."""
    made = what or deployed(settings)
    whole = {"Resources": dict(resources or {}), **(document or {})}
    stack = PlannedStack(
        name="ds-acme-prod", path="stack.json", document=whole, capabilities=capabilities, actions=actions
    )
    return AwsSubject(
        deployable=made,
        settings=made.settings(Aws),
        stacks=tuple(stacks) if stacks is not None else (stack,),
        aws=AwsReader(clients or Clients(REGION)),
        today=today,
        pods=tuple(pods),
        manifests=tuple(manifests),
        problems=problems,
        images=images or {},
        environ=environ or {},
        lint=lint,
    )


def results(check: str, given: AwsSubject) -> tuple[Result, ...]:
    """Return what one check finds."""
    return run_checks([CHECKS[check]], given)


def passes(check: str, given: AwsSubject) -> str:
    """Expect that a check finds nothing wrong, and that it looked at something; return what it saw."""
    found = results(check, given)
    assert {result.verdict for result in found} == {Verdict.PASS}, _shown(found)
    return "; ".join(result.outcome.why for result in found)


def fails(check: str, given: AwsSubject, *words: str) -> Result:
    """Expect that a check fails, says these words, and says what to do; return the failure."""
    return _judged(check, given, Verdict.FAIL, words)


def warns(check: str, given: AwsSubject, *words: str) -> Result:
    """Expect that a check warns and does not fail."""
    found = results(check, given)
    assert all(result.verdict is not Verdict.FAIL for result in found), _shown(found)
    return _judged(check, given, Verdict.WARN, words, found)


def skips(check: str, given: AwsSubject, *words: str) -> Result:
    """Expect that a check looked at nothing."""
    return _judged(check, given, Verdict.SKIPPED, words)


def _judged(
    check: str,
    given: AwsSubject,
    verdict: Verdict,
    words: Sequence[str],
    found: tuple[Result, ...] | None = None,
) -> Result:
    found = results(check, given) if found is None else found
    fitting = [r for r in found if r.verdict is verdict and all(word in _text(r) for word in words)]
    assert fitting, f"no {verdict} with {words}: {_shown(found)}"
    assert verdict is Verdict.SKIPPED or fitting[0].outcome.remedy, f"no remedy: {_shown(found)}"
    return fitting[0]


def _text(result: Result) -> str:
    return f"{result.outcome.about} {result.outcome.why} {result.outcome.remedy}"


def _shown(found: Sequence[Result]) -> str:
    return "\n".join(f"{r.verdict} {r.id} {_text(r)}" for r in found)
