"""The whole run on what `deploy aws` really makes: nothing fails offline, nothing breaks online, always in time."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from datasurface import AuroraDatabase, AwsRole, AwsSecrets, DataTransformer, YellowPlatform
from datasurface.deploy.aws.preflight import PREFLIGHT
from datasurface.deploy.aws.preflight.clients import Clients
from datasurface.deploy.aws.target import stacks
from datasurface.deploy.base import Deployable
from datasurface.deploy.preflight.check import Result, Verdict
from datasurface.deploy.preflight.run import run_checks
from datasurface.model.aws import AuroraCluster, AwsExistingNetwork, NodeGroup
from datasurface.model.vocabulary import AwsIdentity
from datasurface.release.bind import replaced
from deploying import deployable, derived, model, store
from moto_stacks import made_by_moto
from preflight_bench import aws

MERGE = AuroraDatabase("merge", host="merge.db.acme.internal", database="merge", credential="merge_admin")
PLATFORM = YellowPlatform("yellow", container=MERGE, secrets=[AwsSecrets()])
DATABASE = AuroraCluster("merge")
EXISTING = AwsExistingNetwork("vpc-1", cidr="10.1.0.0/16", subnets=["subnet-1", "subnet-2"])
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "a database": {"databases": [DATABASE]},
    "existing network": {"network": EXISTING, "databases": [DATABASE]},
    "service accounts": {"identity": AwsIdentity.IRSA},
    "shared storage": {"shared_storage": True},
    "arm": {"nodes": [NodeGroup("jobs", instance="m7g.large")]},
    "spare capacity": {"nodes": [NodeGroup("jobs", spot=True)]},
    "roles that are made": {"create_roles": ["acme-derive"]},
}
NOT_BEFORE = {"aws.cost.expiry", "aws.settings.programs"}
"""What warns on any machine, for any model that does not serve production."""
STAND_IN_LACKS = {"aws.cluster.offered", "aws.permissions.create", "aws.permissions.roles", "aws.vpc.databases"}
"""Checks whose calls the stand-in for AWS does not know, or knows old answers to; other tests give them answers."""


def deployed(**settings: Any) -> Deployable:
    """Return a model with two sources and a transformer that runs under a role of AWS."""
    space = derived("derive", ["crm.orders"])
    made = space.transformer
    assert isinstance(made, DataTransformer)
    role = AwsRole("acme-derive")
    space = replaced(space, transformer=replaced(made, run_as=role))
    stores = [store("crm"), store("web", "1 hour")]
    return deployable(model(stores, transformers=[space], deployments=[aws(**settings)], platform=PLATFORM))


def told(found: tuple[Result, ...], *verdicts: Verdict) -> dict[str, str]:
    return {f"{r.id} {r.outcome.about}": r.outcome.why for r in found if r.verdict in verdicts}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_deploy_makes_passes_offline(variant: str) -> None:
    given = PREFLIGHT.subject(deployed(**VARIANTS[variant]), os.environ)
    found = run_checks(PREFLIGHT.checks, given, offline=True)
    assert told(found, Verdict.FAIL) == {}
    warned = {result.id for result in found if result.verdict is Verdict.WARN}
    assert warned <= NOT_BEFORE, told(found, Verdict.WARN)
    shown = {result.id for result in found if result.outcome.told}
    assert shown == {"aws.cost.month", "aws.cost.duration"}


@pytest.mark.parametrize("variant", ["a database", "existing network", "service accounts"])
@pytest.mark.usefixtures("cloud")
def test_nothing_breaks_online_and_all_of_it_in_time(variant: str) -> None:
    """Whatever is missing in an empty account is said by the check that is about it."""
    started = time.monotonic()
    given = PREFLIGHT.subject(deployed(**VARIANTS[variant]), os.environ)
    found = run_checks(PREFLIGHT.checks, given)
    assert time.monotonic() - started < 30
    assert [result.outcome.why for result in found if "broke" in result.outcome.why] == []
    assert [result.outcome.why for result in found if "no answer in" in result.outcome.why] == []
    failing = {result.id for result in found if result.verdict is Verdict.FAIL} - STAND_IN_LACKS
    expected = {"aws.secrets.present", "aws.trust.roles", "aws.quotas.vcpus"}
    expected |= {"aws.vpc.exists", "aws.vpc.subnets", "aws.vpc.addresses"} if variant == "existing network" else set()
    assert failing <= expected, told(found, Verdict.FAIL)
    assert {"aws.identity.account", "aws.quotas.vpcs", "aws.taken.bucket"} <= {
        result.id for result in found if result.verdict is Verdict.PASS
    }


def test_without_a_login_everything_that_needs_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = run_checks(PREFLIGHT.checks, PREFLIGHT.subject(deployed(), os.environ))
    assert [result.id for result in found if result.verdict is Verdict.FAIL] == ["aws.identity.login"]
    skipped = [
        result for result in found if result.verdict is Verdict.SKIPPED and "has to pass first" in result.outcome.why
    ]
    assert len(skipped) > 40


def test_the_work_grows_with_the_model_not_with_its_square() -> None:
    """Ten times the streams cost at most twenty times the time of the checks, templates left out."""

    def seconds(streams: int) -> float:
        stores = [store(f"store_{number}") for number in range(streams)]
        made = deployable(model(stores, deployments=[aws(databases=[DATABASE])], platform=PLATFORM))
        given = PREFLIGHT.subject(made, os.environ)
        started = time.process_time()
        run_checks(PREFLIGHT.checks, given, offline=True)
        return time.process_time() - started

    seconds(10)
    few, many = min(seconds(30) for _ in range(2)), seconds(300)
    assert many < 20 * max(few, 0.01)


def test_after_the_stacks_are_made_nothing_new_fails(cloud: Clients) -> None:
    """What is there belongs to the stacks: no name counts as taken, no quota as exceeded, roles trust their pods."""
    for service, call in (("logs", "describe_log_groups"), ("efs", "describe_file_systems")):
        getattr(cloud.client(service), call)()  # the stand-in makes resources of a service once it was asked something
    made = deployed(databases=[DATABASE], create_roles=["acme-derive"])
    made_by_moto(cloud.client, stacks(made))
    given = PREFLIGHT.subject(made, os.environ)
    found = run_checks(PREFLIGHT.checks, given)
    failing = {result.id for result in found if result.verdict is Verdict.FAIL} - STAND_IN_LACKS
    assert failing <= {"aws.secrets.present", "aws.permissions.roles"}, told(found, Verdict.FAIL)
    passing = {
        f"{result.id}: {result.outcome.why.partition(' ')[2]}" for result in found if result.verdict is Verdict.PASS
    }
    for kind in ("bucket", "role", "log-group", "repository"):
        assert f"aws.taken.{kind}: is there, and belongs to its stack" in passing
    assert "aws.trust.roles" in {result.id for result in found if result.verdict is Verdict.PASS}
