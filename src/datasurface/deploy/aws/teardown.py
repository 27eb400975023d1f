"""How an environment is taken down: the steps in an order that works, and what remains afterwards and what it costs.

It is computed from the templates: a stack goes before those that it asks something of, and what a template retains is
what remains. It reads no account and deletes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.remains import Remainder, remains
from datasurface.deploy.aws.template import Stack

__all__ = ["TeardownPlan", "TeardownStep", "deletion_order", "teardown_plan"]

_OUTLIVING = ("foundation", "secrets")
"""Stacks that are left in place, because what is in them is kept."""
_MINUTES = {"cluster": 20, "data": 20, "network": 10}
_FEW_MINUTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TeardownStep:
    """One step.

    Attributes:
        title: What is done.
        why: Why here and not later.
        commands: How.
        minutes: About how long it takes.
        optional: Whether it is only for those who want nothing to remain.
    """

    title: str
    why: str
    commands: tuple[str, ...]
    minutes: int
    optional: bool = False

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "title": self.title,
            "why": self.why,
            "commands": list(self.commands),
            "minutes": self.minutes,
            "optional": self.optional,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TeardownPlan:
    """The steps, and what remains after those that are not optional."""

    steps: tuple[TeardownStep, ...]
    remains: tuple[Remainder, ...]

    @property
    def month(self) -> float:
        """What the remains cost a month in US dollars, without what depends on their size."""
        return round(sum(each.month or 0 for each in self.remains), 2)

    @property
    def minutes(self) -> int:
        """About how long the steps that are not optional take."""
        return sum(step.minutes for step in self.steps if not step.optional)

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "steps": [step.to_json() for step in self.steps],
            "minutes": self.minutes,
            "remains": [each.to_json() for each in self.remains],
            "month": self.month,
        }


def teardown_plan(ground: Ground, stacks: Sequence[Stack]) -> TeardownPlan:
    """Return how an environment is taken down."""
    steps = [*_before(ground)]
    for stack in deletion_order(stacks):
        if not stack.key.startswith(_OUTLIVING):
            steps += _delete(ground, stack)
    steps += _purge(ground, stacks)
    return TeardownPlan(steps=tuple(steps), remains=remains(ground, stacks))


def deletion_order(stacks: Sequence[Stack]) -> tuple[Stack, ...]:
    """Return the stacks so that each comes before those that it asks something of."""
    telling = {export: stack.key for stack in stacks for export in _exports(stack.document)}
    asked = {stack.key: {telling[name] for name in _imports(stack.document)} - {stack.key} for stack in stacks}
    left = list(reversed(stacks))
    ordered: list[Stack] = []
    while left:
        needed = {key for stack in left for key in asked[stack.key]}
        free = next(stack for stack in left if stack.key not in needed)
        left.remove(free)
        ordered.append(free)
    return tuple(ordered)


def _exports(document: Mapping[str, Any]) -> Iterator[str]:
    for output in document.get("Outputs", {}).values():
        yield output["Export"]["Name"]


def _imports(value: object) -> Iterator[str]:
    """Yield the names that a template asks other stacks for."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Fn::ImportValue":
                yield inner
            else:
                yield from _imports(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _imports(inner)


def _before(ground: Ground) -> Iterator[TeardownStep]:
    """Yield what has to be done while the cluster is still there."""
    jobs, airflow = ground.namespace, ground.airflow_namespace
    spaces = (jobs,) if airflow is None else (airflow, jobs)
    stopping = f"kubectl --namespace {jobs} delete cronjobs,jobs,pods --all"
    scaling = f"kubectl --namespace {airflow} scale deployment,statefulset --all --replicas 0"
    yield TeardownStep(
        title="Stop the jobs",
        why="a batch that runs is ended; its stream would begin it anew, so nothing is lost",
        commands=(stopping,) if airflow is None else (scaling, stopping),
        minutes=2,
    )
    yield TeardownStep(
        title="Delete load balancers and volumes that Kubernetes has made",
        why="they are in no template, and keep the subnets and security groups from being deleted",
        commands=(
            "kubectl delete ingress --all --all-namespaces",
            "kubectl get services --all-namespaces --field-selector spec.type=LoadBalancer --output name",
            *(f"kubectl --namespace {space} delete services,pvc --all" for space in spaces),
        ),
        minutes=5,
    )
    uninstalling = () if airflow is None else (f"helm uninstall airflow --namespace {airflow} --wait",)
    yield TeardownStep(
        title=f"{'Uninstall Airflow and delete' if airflow else 'Delete'} the namespaces",
        why="what is in them needs the cluster to go",
        commands=(*uninstalling, f"kubectl delete namespace {' '.join(spaces)}"),
        minutes=3,
    )


def _delete(ground: Ground, stack: Stack) -> Iterator[TeardownStep]:
    region = ground.names.region
    yield from _unlock(ground, stack)
    yield TeardownStep(
        title=f"Delete the stack {stack.name}",
        why=_WHY.get(stack.key, "other stacks that are still there tell it something, and none asks it"),
        commands=(
            f"aws cloudformation delete-stack --region {region} --stack-name {stack.name}",
            f"aws cloudformation wait stack-delete-complete --region {region} --stack-name {stack.name}",
        ),
        minutes=_MINUTES.get(stack.key, _FEW_MINUTES),
    )
    if stack.key == "cluster":
        yield _interfaces(ground)


_WHY = {
    "cluster": "its nodes go first, then its add-ons, then the cluster: CloudFormation keeps to that order",
    "data": "a last snapshot is taken of each database before it goes",
    "network": "endpoints, NAT gateways and their addresses go with it; nothing of others is left in it by now",
}


def _unlock(ground: Ground, stack: Stack) -> Iterator[TeardownStep]:
    """Yield how what refuses to be deleted is told to let go."""
    region = ground.names.region
    commands = [
        (
            f"aws cloudformation update-termination-protection --no-enable-termination-protection"
            f" --region {region} --stack-name {stack.name}"
        )
    ]
    locked = []
    for resource in stack.document["Resources"].values():
        properties = resource.get("Properties", {})
        if properties.get("DeletionProtection") is True:
            if resource["Type"] == "AWS::RDS::DBCluster":
                name = properties["DBClusterIdentifier"]
                locked.append(
                    f"aws rds modify-db-cluster --region {region} --db-cluster-identifier {name}"
                    " --no-deletion-protection --apply-immediately"
                )
            if resource["Type"] == "AWS::EKS::Cluster":
                locked.append(
                    f"aws eks update-cluster-config --region {region} --name {properties['Name']}"
                    " --no-deletion-protection"
                )
    if stack.key == "data":
        locked = [*commands, *locked]
    if locked:
        yield TeardownStep(
            title=f"Take the protection from what is in {stack.name}",
            why="else its deletion fails at the very end",
            commands=tuple(locked),
            minutes=1,
        )


def _interfaces(ground: Ground) -> TeardownStep:
    prefix, region = ground.names.prefix, ground.names.region
    return TeardownStep(
        title="Delete network interfaces that pods have left behind",
        why="an interface that nobody deletes keeps its subnet and security group from being deleted",
        commands=(
            (
                f"aws ec2 describe-network-interfaces --region {region} --filters Name=status,Values=available"
                f" Name=tag:cluster.k8s.amazonaws.com/name,Values={ground.names.cluster}"
                " --query 'NetworkInterfaces[].NetworkInterfaceId' --output text"
                f" | xargs -r -n 1 aws ec2 delete-network-interface --region {region} --network-interface-id"
            ),
            (
                f"aws ec2 describe-network-interfaces --region {region}"
                f" --filters 'Name=description,Values=AWS Lambda VPC ENI-{prefix}*'"
                " --query 'NetworkInterfaces[].Status'  # those of the rotation go by themselves within 40 minutes"
            ),
        ),
        minutes=2,
    )


def _purge(ground: Ground, stacks: Sequence[Stack]) -> Iterator[TeardownStep]:
    """Yield how what remains is deleted, for those who want nothing to."""
    region = ground.names.region
    for remainder in remains(ground, stacks):
        if remainder.commands:
            yield TeardownStep(
                title=f"Delete {remainder.what} {remainder.name}",
                why=remainder.why,
                commands=remainder.commands,
                minutes=1,
                optional=True,
            )
    for stack in deletion_order(stacks):
        if stack.key.startswith(_OUTLIVING):
            yield TeardownStep(
                title=f"Delete the stack {stack.name}",
                why="what was in it is gone",
                commands=(
                    (
                        "aws cloudformation update-termination-protection --no-enable-termination-protection"
                        f" --region {region} --stack-name {stack.name}"
                    ),
                    f"aws cloudformation delete-stack --region {region} --stack-name {stack.name}",
                ),
                minutes=_FEW_MINUTES,
                optional=True,
            )
