"""Checks of nodes: every pod finds one that holds it, and there are enough."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import Resource, listed
from datasurface.deploy.instances import INSTANCES, node_shape
from datasurface.deploy.packing import NodeShape, pack
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned

__all__ = ["CHECKS", "node_types"]

_LARGER = "a larger instance type for the nodes in Aws(…), or a smaller Hint(cpu=, memory=) for the job"


def node_types(group: Resource) -> list[str]:
    """Return the instance types of a node group that the tables know."""
    return [str(kind) for kind in listed(group.properties.get("InstanceTypes")) if kind in INSTANCES]


def _shapes(subject: AwsSubject) -> dict[str, NodeShape]:
    """Return the smallest shape that each node group may give, by the group's place."""
    found = {}
    for group in subject.resources("AWS::EKS::Nodegroup"):
        shapes = [node_shape(kind) for kind in node_types(group)]
        if shapes:
            found[group.place] = min(shapes, key=lambda shape: (shape.cpu, shape.memory))
    return found


def _types(subject: AwsSubject) -> Iterator[Outcome]:
    for group in subject.resources("AWS::EKS::Nodegroup"):
        for kind in listed(group.properties.get("InstanceTypes")):
            if kind not in INSTANCES:
                yield warned(
                    f"nothing is known of {kind}: what fits on it is not checked",
                    f"use one of {', '.join(sorted(INSTANCES)[:6])}, …",
                    about=group.place,
                )
        kinds = {INSTANCES[kind].architecture for kind in node_types(group)}
        ami = str(group.properties.get("AmiType", ""))
        if len(kinds) > 1 or (ami and kinds == {"arm64"} and "ARM" not in ami.upper()):
            yield failed(
                f"its instance types are {', '.join(sorted(kinds))}, its image is {ami or 'the default'}",
                "use instance types of one architecture, and its image: AL2023_ARM_64_STANDARD for arm64",
                about=group.place,
            )


def _fit(subject: AwsSubject) -> Iterator[Outcome]:
    shapes = _shapes(subject)
    if not shapes:
        return
    for need in subject.pods:
        if not any(shape.holds(need) for shape in shapes.values()):
            most = max(shapes.values(), key=lambda shape: (shape.cpu, shape.memory))
            yield failed(
                f"it requests {need.cpu} m of CPU and {need.memory} MiB; a node {most.name} has {most.cpu} m and "
                f"{most.memory} MiB for pods",
                _LARGER,
                about=need.name,
            )
    if subject.pods:
        yield passed(f"{sum(need.count for need in subject.pods)} pods looked at", about="pods")


def _count(subject: AwsSubject) -> Iterator[Outcome]:
    shapes = _shapes(subject)
    if not shapes or not subject.pods:
        return
    shape = max(shapes.values(), key=lambda each: (each.cpu, each.memory))
    needed = len(pack(subject.pods, shape).nodes)
    most = sum(_most(group) for group in subject.resources("AWS::EKS::Nodegroup"))
    pods = sum(need.count for need in subject.pods)
    if needed > most:
        yield failed(
            f"{pods} pods that may run at once need {needed} nodes {shape.name}, and at most {most} are made",
            f"raise the number of nodes in Aws(…) to {needed}, or take a larger instance type",
        )
    else:
        yield passed(f"{pods} pods that may run at once need {needed} nodes {shape.name} of at most {most}")


def _most(group: Resource) -> int:
    scaling = group.properties.get("ScalingConfig", {})
    return int(scaling.get("MaxSize", scaling.get("DesiredSize", 2)))


def _requests(subject: AwsSubject) -> Iterator[Outcome]:
    for need in subject.pods:
        if need.cpu <= 0 or need.memory <= 0:
            yield failed(
                "it requests no CPU or no memory, so that a node may be given more than it can bear",
                "Hint(cpu=, memory=) for the job",
                about=need.name,
            )


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.nodes.types",
        title="instance types of nodes",
        looks_at="whether each type is known, and all of a group have the architecture of the group's image",
        fails="types of two architectures meet in a group, or the image is of the other; warns of a type not known",
        remedy="instance types of one architecture",
        look=_types,
    ),
    Check(
        id="aws.nodes.fit",
        title="pods that no node could hold",
        looks_at="each pod's requests against what a node has for pods: allocatable CPU and memory, less daemons",
        fails="a pod would stay Pending for ever: Insufficient cpu, Insufficient memory",
        remedy=_LARGER,
        look=_fit,
    ),
    Check(
        id="aws.nodes.count",
        title="number of nodes",
        looks_at="all pods that may run at once, packed onto nodes: CPU, memory, and pods by network interfaces",
        fails="they need more nodes than the node groups may have",
        remedy="more or larger nodes in Aws(…)",
        look=_count,
    ),
    Check(
        id="aws.nodes.requests",
        title="requests of pods",
        looks_at="that every pod requests CPU and memory",
        fails="a container without requests could be ended for want of memory (OOMKilled)",
        remedy="Hint(cpu=, memory=) for the job",
        look=_requests,
    ),
)
