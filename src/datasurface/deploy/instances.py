"""EC2 instance types that nodes are made of: what each has, and what of it pods can have.

The figures are those of `ec2:DescribeInstanceTypes`; a test compares each of them. Families of one kind grow alike, so
the table is two small ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from datasurface.deploy.packing import NodeShape
from datasurface.errors import ConfigurationError

__all__ = ["INSTANCES", "Instance", "instance_of", "node_shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An EC2 instance type.

    Attributes:
        cpus: Virtual CPUs.
        memory: MiB.
        interfaces: How many network interfaces it takes.
        addresses: How many IPv4 addresses each of them has.
        architecture: `amd64` or `arm64`, as images name it.
    """

    name: str
    cpus: int
    memory: int
    interfaces: int
    addresses: int
    architecture: str

    @property
    def family(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


_FAMILIES = {
    **dict.fromkeys(("c5", "c6i", "c7i"), (2048, "amd64")),
    **dict.fromkeys(("c6g", "c7g"), (2048, "arm64")),
    **dict.fromkeys(("m5", "m6a", "m6i", "m7a", "m7i", "t3"), (4096, "amd64")),
    **dict.fromkeys(("m6g", "m7g", "m8g", "t4g"), (4096, "arm64")),
    **dict.fromkeys(("r5", "r6i", "r7i"), (8192, "amd64")),
    **dict.fromkeys(("r6g", "r7g"), (8192, "arm64")),
}
"""MiB of memory for each virtual CPU, and the architecture."""
_SIZES = {
    "large": (2, 3, 10),
    "xlarge": (4, 4, 15),
    "2xlarge": (8, 4, 15),
    "4xlarge": (16, 8, 30),
    "8xlarge": (32, 8, 30),
}
"""Virtual CPUs, interfaces, addresses of each interface."""
_BURSTABLE_ADDRESSES = {"large": 12}
_MISSING = frozenset({"c5.8xlarge", "t3.4xlarge", "t3.8xlarge", "t4g.4xlarge", "t4g.8xlarge"})


def _instances() -> Iterator[tuple[str, Instance]]:
    for family, (memory, architecture) in sorted(_FAMILIES.items()):
        for size, (cpus, interfaces, addresses) in _SIZES.items():
            name = f"{family}.{size}"
            if name not in _MISSING:
                own = _BURSTABLE_ADDRESSES.get(size, addresses) if family.startswith("t") else addresses
                yield (
                    name,
                    Instance(
                        name=name,
                        cpus=cpus,
                        memory=memory * cpus,
                        interfaces=interfaces,
                        addresses=own,
                        architecture=architecture,
                    ),
                )


INSTANCES: Mapping[str, Instance] = MappingProxyType(dict(_instances()))
"""Every instance type known here, by name."""

_FEW_CPUS = 30
_MOST_PODS, _MOST_PODS_OF_LARGE = 110, 250
"""EKS caps the pods of a node of a managed group: under 30 virtual CPUs, and above."""
_OVERHEAD = 0.075
"""The part of the nominal memory that hypervisor and kernel keep: what Karpenter reckons with, which is careful."""
_EVICTION = 100
"""MiB that the kubelet keeps free: its threshold `memory.available`."""
_CPU_RESERVED = ((1, 60), (1, 10), (2, 5))
"""Millicores that the kubelet reserves of the first CPU, of the next one, of the next two; 2.5 of any further one."""
_DAEMON_CPU, _DAEMON_MEMORY, _DAEMON_PODS = 205, 200, 4
"""On every node: aws-node 50 m, kube-proxy 100 m, ebs-csi-node 30 m and 120 Mi, eks-pod-identity-agent 25 m."""


def instance_of(name: str) -> Instance:
    """Return an instance type.

    Raises:
        ConfigurationError: it is not known here.
    """
    found = INSTANCES.get(name)
    if found is None:
        family = name.partition(".")[0]
        near = [known for known in INSTANCES if known.startswith(f"{family}.")] or sorted(_FAMILIES)
        raise ConfigurationError(f"the instance type {name!r} is not known", hint=f"known are {', '.join(near)}")
    return found


def node_shape(name: str) -> NodeShape:
    """Return what pods of ours can have of a node: without what hypervisor, kubelet and daemons take.

    The formulas are those of the EKS node images: 255 MiB and 11 MiB a pod, a falling share of the CPUs; and
    `interfaces * (addresses - 1) + 2` pods, because each interface has one address for itself.

    Raises:
        ConfigurationError: the instance type is not known here.
    """
    instance = instance_of(name)
    by_address = instance.interfaces * (instance.addresses - 1) + 2
    pods = min(by_address, _MOST_PODS if instance.cpus < _FEW_CPUS else _MOST_PODS_OF_LARGE)
    memory = instance.memory * (1 - _OVERHEAD) - (255 + 11 * by_address) - _EVICTION
    return NodeShape(
        name=name,
        cpu=instance.cpus * 1000 - _reserved(instance.cpus) - _DAEMON_CPU,
        memory=int(memory) - _DAEMON_MEMORY,
        pods=pods - _DAEMON_PODS,
    )


def _reserved(cpus: int) -> int:
    """Return the millicores that the kubelet reserves."""
    reserved, left = 0.0, cpus
    for number, each in _CPU_RESERVED:
        taken = min(number, left)
        reserved, left = reserved + taken * each, left - taken
    return int(reserved + left * 2.5 + 0.999)
