"""Room on the nodes: pods that no node holds, and how many nodes the jobs need together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from datasurface.deploy.kubernetes.preflight.subject import Subject
from datasurface.deploy.kubernetes.quota import total
from datasurface.deploy.packing import NodeShape, PodNeed, pack
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, warned
from datasurface.release.needs import SystemJob
from datasurface.transform.memory import bytes_of

__all__ = ["NODE_CHECKS"]

_MIB = 2**20
_ARCHITECTURE = "kubernetes.io/arch"


def _declared(subject: Subject) -> Iterator[Outcome]:
    nodes = subject.cluster.settings.nodes
    if nodes is None:
        return
    shape = NodeShape(name="a node", cpu=int(nodes.cpu * 1000), memory=bytes_of(nodes.memory) // _MIB, pods=nodes.pods)
    yield from _too_large(subject, [shape])
    yield _together(subject, shape, nodes.count)


def _present(subject: Subject) -> Iterator[Outcome]:
    """Yield whether the nodes there are have room, and one architecture."""
    nodes = [node for node in subject.api.items("/api/v1/nodes") if _chosen(subject, node)]
    if not nodes:
        wanted = subject.cluster.settings.node_selector
        yield failed(
            f"no node that takes pods has the labels {dict(wanted)}" if wanted else "no node takes pods",
            "add nodes; a managed pool that grows from none needs only the labels",
        )
        return
    shapes = [_shape(node) for node in nodes]
    yield from _too_large(subject, shapes)
    smallest = min(shapes, key=lambda shape: (shape.memory, shape.cpu))
    yield _together(subject, smallest, len(nodes))
    found = sorted({node["metadata"].get("labels", {}).get(_ARCHITECTURE, "") for node in nodes} - {""})
    if len(found) > 1:
        yield warned(
            f"nodes are of {' and '.join(found)}",
            f"build the image for both: docker buildx build --platform {','.join(f'linux/{each}' for each in found)}",
        )
    elif found:
        yield passed(f"{len(nodes)} nodes of {found[0]}: the image has to be for linux/{found[0]}")


def _chosen(subject: Subject, node: dict[str, Any]) -> bool:
    labels = node["metadata"].get("labels", {})
    wanted = subject.cluster.settings.node_selector
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", ()))
    tainted = any(t["effect"] != "PreferNoSchedule" for t in node.get("spec", {}).get("taints") or ())
    closed = node.get("spec", {}).get("unschedulable", False)
    return ready and not closed and not tainted and all(labels.get(key) == value for key, value in wanted.items())


def _shape(node: dict[str, Any]) -> NodeShape:
    has = node["status"]["allocatable"]
    cpu = has["cpu"]
    millicores = int(cpu.removesuffix("m")) if cpu.endswith("m") else int(float(cpu) * 1000)
    memory = bytes_of(has["memory"]) // _MIB
    return NodeShape(name=node["metadata"]["name"], cpu=millicores, memory=memory, pods=int(has["pods"]))


def _needs(subject: Subject) -> list[PodNeed]:
    """Return what every kind of pod asks for, those with the same needs as one."""
    found: dict[str, PodNeed] = {}
    for platform, kind in subject.cluster.kinds():
        need = subject.cluster.need(platform, kind)
        what = f"system job {kind.value}" if isinstance(kind, SystemJob) else f"stream {kind.stream}"
        found.setdefault(f"{need.cpu} {need.memory}", PodNeed(name=what, cpu=need.cpu, memory=need.memory))
    postgres = subject.cluster.settings.postgres
    if postgres is not None:
        memory = bytes_of(postgres.memory) // _MIB
        name = f"server of {postgres.cluster}"
        found[name] = PodNeed(name=name, cpu=int(postgres.cpu * 1000), memory=memory, count=postgres.instances)
    return list(found.values())


def _too_large(subject: Subject, shapes: Sequence[NodeShape]) -> Iterator[Outcome]:
    for need in _needs(subject):
        if not any(shape.holds(need) for shape in shapes):
            yield failed(
                f"no node holds it: it asks for {need.cpu} m of a CPU and {need.memory} MiB",
                "larger nodes, or a smaller Hint(cpu=, memory=) in the platform's hints",
                about=need.name,
            )


def _together(subject: Subject, shape: NodeShape, count: int) -> Outcome:
    largest, _ = total(subject.cluster)
    needs = [PodNeed(name=f"job {number}", cpu=n.cpu, memory=n.memory) for number, n in enumerate(largest)]
    needs += [need for need in _needs(subject) if need.count > 1]
    packing = pack(needs, shape)
    wanted = len(packing.nodes)
    if wanted > count:
        return warned(
            f"{len(largest)} jobs at once need {wanted} nodes such as {shape.name}, and there are {count}: jobs wait",
            "more nodes, or a smaller Kubernetes(parallelism=…)",
        )
    return passed(f"{len(largest)} jobs at once need {wanted} of {count} nodes")


NODE_CHECKS: tuple[Check[Subject], ...] = (
    Check(
        id="kubernetes.nodes.declared",
        title="room on the nodes that the model tells of",
        looks_at="What each pod asks for, and all at once, against Kubernetes(nodes=ClusterNodes(…)).",
        fails="A pod fits on no node; too few nodes warn.",
        remedy="Larger or more nodes, smaller hints, a smaller parallelism.",
        look=_declared,
    ),
    Check(
        id="kubernetes.nodes.present",
        title="room on the cluster's nodes",
        looks_at="What each pod asks for, and all at once, against what ready nodes can allocate; their architecture.",
        fails="There is no node, or a pod fits on none; too few nodes and several architectures warn.",
        remedy="Larger or more nodes, smaller hints, an image for all architectures.",
        look=_present,
        needs=Needs.CREDENTIALS,
        after="kubernetes.cluster.reached",
    ),
)
