"""What parts of a deployment to AWS can be: network, databases, nodes, days and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datasurface.model.aws import AuroraCluster, AwsExistingNetwork, AwsNetwork, NodeGroup
from datasurface.model.deployment import Aws
from datasurface.model.vocabulary import AwsEgress

__all__ = ["aws_problems", "host_problem", "private_domain"]

_PRIVATE_ENDING = ".internal"
_TAKEN_ENDINGS = (".ec2.internal", ".compute.internal")
_OWN_ENDINGS = (".rds.amazonaws.com", ".rds.amazonaws.com.cn")

_LONGEST_DAYS, _LONGEST_LOGS = 35, 3653
_LARGEST_DISK = 16384
_MOST_INSTANCES = 16
_MOST_TAGS = 40
_SMALLEST_PREFIX, _LARGEST_PREFIX = 16, 20
_FEWEST_ZONES, _MOST_ZONES = 2, 3
_INSTANCE = re.compile(r"[a-z][a-z0-9-]{1,15}\.[a-z0-9-]{2,16}")
_DATABASE_INSTANCE = re.compile(r"db\.[a-z][a-z0-9]{1,7}\.[a-z0-9]{5,10}")
_VERSION = re.compile(r"1[4-9]\.\d{1,2}")
_GROUP = re.compile(r"[A-Za-z0-9][\w-]{0,31}")
_TAG = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}")
_VPC = re.compile(r"vpc-[0-9a-f]{8,17}")
_SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")


def aws_problems(aws: Aws) -> Iterator[str]:
    """Yield each setting that cannot be, in words."""
    network = aws.network
    yield from _network(network) if isinstance(network, AwsNetwork) else _existing(network)
    for database in aws.databases:
        yield from _database(database)
    yield from _twice("databases", [database.container for database in aws.databases])
    if not aws.nodes:
        yield "nodes=[]: jobs need at least one NodeGroup"
    for group in aws.nodes:
        yield from _nodes(group)
    yield from _twice("nodes", [group.name for group in aws.nodes])
    if not 1 <= aws.keep_logs <= _LONGEST_LOGS:
        yield f"keep_logs={aws.keep_logs}: it takes 1 to {_LONGEST_LOGS} days"
    if len(aws.tags) > _MOST_TAGS:
        yield f"tags: it takes {_MOST_TAGS}, and there are {len(aws.tags)}"
    for name, value in sorted(aws.tags.items()):
        if not _TAG.fullmatch(name) or not re.fullmatch(r"[\w .:/=+@-]{0,256}", value):
            yield f"tags={{{name!r}: {value!r}}}: it takes letters, digits, spaces and _.:/=+-@, and no name aws:…"


def private_domain(host: str) -> str | None:
    """Return the domain of a private zone for a host: all but its first label; None for AWS's own hosts."""
    return None if host.lower().endswith(_OWN_ENDINGS) else host.lower().partition(".")[2]


def host_problem(host: str) -> str | None:
    """Return why a cluster that is made cannot have a host, in words; None if it can."""
    domain = private_domain(host)
    if domain is None or (domain.endswith(_PRIVATE_ENDING) and not f".{domain}".endswith(_TAKEN_ENDINGS)):
        return None
    return f"the host {host!r} cannot be given to a cluster that is made"


def _network(network: AwsNetwork) -> Iterator[str]:
    if problem := _cidr_problem(network.cidr):
        yield f"AwsNetwork(cidr={network.cidr!r}): {problem}"
    if not _FEWEST_ZONES <= network.zones <= _MOST_ZONES:
        yield f"AwsNetwork(zones={network.zones}): it takes 2 or 3, because EKS and Aurora need two"
    gateways = network.nat_gateways
    if gateways is not None and not (network.egress is AwsEgress.NAT and 1 <= gateways <= network.zones):
        yield f"AwsNetwork(nat_gateways={gateways}): it takes 1 to {network.zones}, with egress=AwsEgress.NAT"


def _existing(network: AwsExistingNetwork) -> Iterator[str]:
    if not _VPC.fullmatch(network.vpc):
        yield f"AwsExistingNetwork({network.vpc!r}): it takes the id of a VPC, vpc-…"
    for subnet in network.subnets:
        if not _SUBNET.fullmatch(subnet):
            yield f"AwsExistingNetwork(subnets=[{subnet!r}]): it takes ids of subnets, subnet-…"
    if len(set(network.subnets)) < _FEWEST_ZONES:
        yield "AwsExistingNetwork(subnets=…): it takes two or more, in different zones"


def _cidr_problem(cidr: str) -> str | None:
    """Return why a network cannot have these addresses; None if it can."""
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})", cidr)
    if found is None or any(int(part) > 255 for part in found.groups()[:4]):  # noqa: PLR2004 - a byte
        return "it takes addresses such as 10.64.0.0/16"
    *parts, length = [int(part) for part in found.groups()]
    if not _SMALLEST_PREFIX <= length <= _LARGEST_PREFIX:
        return f"it takes a /{_SMALLEST_PREFIX} to /{_LARGEST_PREFIX}: each pod has an address of its own"
    address = int.from_bytes(bytes(parts), "big")
    if address % 2 ** (32 - length):
        return f"it begins in the middle of a /{length}"
    first, second = parts[:2]
    private = first == 10 or (first == 172 and 16 <= second < 32) or (first, second) == (192, 168)  # noqa: PLR2004
    return None if private else "it takes private addresses: of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"


def _database(database: AuroraCluster) -> Iterator[str]:
    place = f"AuroraCluster({database.container!r}"
    if not _VERSION.fullmatch(database.version):
        yield f"{place}, version={database.version!r}): it takes a version such as 17.7"
    if not _DATABASE_INSTANCE.fullmatch(database.instance):
        yield f"{place}, instance={database.instance!r}): it takes a class such as db.r7g.large"
    if database.instances is not None and not 1 <= database.instances <= _MOST_INSTANCES:
        yield f"{place}, instances={database.instances}): it takes 1 to {_MOST_INSTANCES}"
    if not 1 <= database.backup_days <= _LONGEST_DAYS:
        yield f"{place}, backup_days={database.backup_days}): it takes 1 to {_LONGEST_DAYS}"
    if not 1 <= database.rotate_days <= 1000:  # noqa: PLR2004 - what Secrets Manager takes
        yield f"{place}, rotate_days={database.rotate_days}): it takes 1 to 1000"


def _nodes(group: NodeGroup) -> Iterator[str]:
    place = f"NodeGroup({group.name!r}"
    if not _GROUP.fullmatch(group.name):
        yield f"{place}): it takes at most 32 letters, digits, dashes and underscores"
    if group.instance is not None and not _INSTANCE.fullmatch(group.instance):
        yield f"{place}, instance={group.instance!r}): it takes a type such as m7i.xlarge"
    if group.smallest < 0 or (group.largest is not None and group.largest < max(group.smallest, 1)):
        yield f"{place}, smallest={group.smallest}, largest={group.largest}): the largest is no less than the smallest"
    if not 20 <= group.disk <= _LARGEST_DISK:  # noqa: PLR2004 - what an image of a node takes
        yield f"{place}, disk={group.disk}): it takes 20 to {_LARGEST_DISK} GiB"


def _twice(field: str, names: list[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{field}: {name!r} is there twice"
