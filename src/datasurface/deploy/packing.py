"""How many nodes a set of pods needs, and which pods fit on no node. Pure, and of no cloud.

First-fit decreasing: the largest pod first, each onto the first node that still has room. It needs at most 11/9 of the
fewest nodes, and a scheduler that spreads pods needs about as many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

__all__ = ["NodeLoad", "NodeShape", "Packing", "PodNeed", "best_shape", "pack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNeed:
    """What pods of one kind request.

    Attributes:
        name: What messages call them.
        cpu: Millicores of each.
        memory: MiB of each.
        count: How many there are.
    """

    name: str
    cpu: int
    memory: int
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShape:
    """What pods can have of a node.

    Attributes:
        name: The instance type.
        cpu: Millicores.
        memory: MiB.
        pods: How many pods.
    """

    name: str
    cpu: int
    memory: int
    pods: int

    def holds(self, need: PodNeed) -> bool:
        """Tell whether an empty node has room for one such pod."""
        return need.cpu <= self.cpu and need.memory <= self.memory and self.pods > 0


@dataclass(slots=True, kw_only=True)
class NodeLoad:
    """One node and what was put onto it.

    Attributes:
        pods: How many pods of each name, in the order in which they came.
    """

    shape: NodeShape
    cpu: int = 0
    memory: int = 0
    number: int = 0
    pods: dict[str, int] = field(default_factory=dict)

    def room_for(self, need: PodNeed) -> int:
        """Return how many more of such pods the node has room for."""
        rooms = [self.shape.pods - self.number]
        if need.cpu > 0:
            rooms.append((self.shape.cpu - self.cpu) // need.cpu)
        if need.memory > 0:
            rooms.append((self.shape.memory - self.memory) // need.memory)
        return max(min(rooms), 0)

    def put(self, need: PodNeed, count: int) -> None:
        """Put pods onto the node."""
        self.cpu += need.cpu * count
        self.memory += need.memory * count
        self.number += count
        self.pods[need.name] = self.pods.get(need.name, 0) + count


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How pods were put onto nodes.

    Attributes:
        nodes: The nodes, in the order in which they were opened.
        impossible: The pods that no such node holds, sorted by name.
    """

    shape: NodeShape
    nodes: tuple[NodeLoad, ...]
    impossible: tuple[PodNeed, ...]


def pack(needs: Iterable[PodNeed], shape: NodeShape) -> Packing:
    """Put pods onto nodes of one shape; what no node holds is left over and told."""
    nodes: list[NodeLoad] = []
    impossible: list[PodNeed] = []
    for need in sorted(needs, key=lambda each: (-_share(each, shape), each.name)):
        if not shape.holds(need):
            impossible.append(need)
            continue
        left = need.count
        for node in nodes:
            taken = min(node.room_for(need), left)
            if taken:
                node.put(need, taken)
                left -= taken
        while left:
            node = NodeLoad(shape=shape)
            node.put(need, taken := min(node.room_for(need), left))
            nodes.append(node)
            left -= taken
    return Packing(shape=shape, nodes=tuple(nodes), impossible=tuple(sorted(impossible, key=lambda each: each.name)))


def best_shape(needs: Sequence[PodNeed], shapes: Sequence[NodeShape]) -> NodeShape:
    """Return the first shape, of the smallest first, that holds every pod; the last one if none does."""
    return next((shape for shape in shapes if all(shape.holds(need) for need in needs)), shapes[-1])


def _share(need: PodNeed, shape: NodeShape) -> float:
    """Return how much of a node a pod takes: the larger of its shares."""
    return max(need.cpu / max(shape.cpu, 1), need.memory / max(shape.memory, 1))
