"""Checks of the network as the templates make it: addresses, zones, tags, and the way from nodes to the database."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import Resource, is_known, listed
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned

__all__ = ["CHECKS", "network_of"]

_Net = ipaddress.IPv4Network
_WIDEST, _NARROWEST = 16, 28
_ZONES = 2
"""In how many zones EKS and Aurora want subnets."""
_RESERVED = 5
"""Addresses of each subnet that AWS keeps for itself."""
_SERVICES = ("10.100.0.0/16", "172.20.0.0/16")
"""What EKS takes for services if nothing is said: the one that the VPC does not use."""
_INTERNAL, _EXTERNAL = "kubernetes.io/role/internal-elb", "kubernetes.io/role/elb"
_POSTGRES, _NFS = 5432, 2049


def network_of(text: object) -> _Net | None:
    """Return a network in CIDR notation, or None if it is none or not known."""
    if not isinstance(text, str) or not is_known(text):
        return None
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        return None


def _vpcs(subject: AwsSubject) -> list[tuple[str, _Net]]:
    found = [(vpc.place, network_of(vpc.properties.get("CidrBlock"))) for vpc in subject.resources("AWS::EC2::VPC")]
    found.append(("Aws(network=…)", network_of(getattr(subject.settings.network, "cidr", None))))
    return [(place, net) for place, net in found if net is not None]


def _subnets(subject: AwsSubject) -> list[tuple[Resource, _Net]]:
    found = [(each, network_of(each.properties.get("CidrBlock"))) for each in subject.resources("AWS::EC2::Subnet")]
    return [(resource, net) for resource, net in found if net is not None]


def _cidr(subject: AwsSubject) -> Iterator[Outcome]:
    given = getattr(subject.settings.network, "cidr", None)
    if given is not None and network_of(given) is None:
        yield failed(f"{given!r} is no network", 'write such as cidr="10.64.0.0/16"', about="Aws(network=…)")
    vpcs = _vpcs(subject)
    subnets = _subnets(subject)
    for place, vpc in vpcs:
        if not _WIDEST <= vpc.prefixlen <= _NARROWEST:
            yield failed(f"{vpc}: a VPC is a /16 to /28", "choose another cidr= of the network", about=place)
    for resource, subnet in subnets:
        if vpcs and not any(subnet.subnet_of(vpc) for _, vpc in vpcs):
            yield failed(f"{subnet} is outside of the VPC", "generate the files anew", about=resource.place)
    for number, (resource, subnet) in enumerate(subnets):
        for other, second in subnets[number + 1 :]:
            if subnet.overlaps(second):
                yield failed(f"{subnet} and {second} of {other.id} overlap", "another cidr=", about=resource.place)
    yield from _overlaps(subject, vpcs)


def _overlaps(subject: AwsSubject, vpcs: list[tuple[str, _Net]]) -> Iterator[Outcome]:
    """Compare with the services of the cluster, and with databases that are given by their address."""
    for cluster in subject.resources("AWS::EKS::Cluster"):
        config = cluster.properties.get("KubernetesNetworkConfig", {})
        services = network_of(config.get("ServiceIpv4Cidr"))
        for place, vpc in vpcs:
            if services is not None and services.overlaps(vpc):
                yield failed(f"{services} of the services overlaps {vpc}", "another cidr= of the network", about=place)
            elif services is None and all(vpc.overlaps(_Net(each)) for each in _SERVICES):
                yield failed(f"{vpc} overlaps both networks of EKS's services", "another cidr=", about=place)
    for platform in subject.platforms:
        for container in {platform.container, *(job.source for job in platform.jobs)}:
            address = network_of(f"{getattr(container, 'host', '')}/32")
            for place, vpc in vpcs:
                if address is not None and address.subnet_of(vpc):
                    yield warned(
                        f"{address.network_address} is an address of {vpc}: a database elsewhere would not be reached",
                        "another cidr= of the network, unless the database is in this VPC",
                        about=f"{place}, {container.label()}",
                    )


def _addresses(subject: AwsSubject) -> Iterator[Outcome]:
    private = [
        (resource, net) for resource, net in _subnets(subject) if not resource.properties.get("MapPublicIpOnLaunch")
    ]
    if not private:
        return
    free = sum(net.num_addresses - _RESERVED for _, net in private)
    nodes = sum(_largest(group) for group in subject.resources("AWS::EKS::Nodegroup"))
    pods = sum(need.count for need in subject.pods)
    wanted = 2 * (pods + nodes)
    if free < pods + nodes:
        yield failed(
            f"{pods} pods and {nodes} nodes need an address each, and the subnets have {free}",
            "a larger cidr= of the network: a /16 holds 65,000",
        )
    elif free < wanted:
        yield warned(
            f"{pods} pods and {nodes} nodes share {free} addresses: while nodes are replaced they need twice as many",
            "a larger cidr= of the network",
        )
    else:
        yield passed(f"{free} addresses for {pods} pods and {nodes} nodes")


def _largest(group: Resource) -> int:
    return int(group.properties.get("ScalingConfig", {}).get("MaxSize", 2))


def _zones(subject: AwsSubject) -> Iterator[Outcome]:
    subnets = list(subject.resources("AWS::EC2::Subnet"))
    zones = {str(each.properties.get("AvailabilityZone")) for each in subnets}
    if subnets and len(zones) < _ZONES:
        yield failed(
            "all subnets are in one zone; EKS and Aurora want at least two",
            "AwsNetwork(zones=3)",
        )
    elif subnets:
        yield passed(f"{len(subnets)} subnets in {len(zones)} zones")


def _tags(subject: AwsSubject) -> Iterator[Outcome]:
    subnets = list(subject.resources("AWS::EC2::Subnet"))
    tagged = [subnet for subnet in subnets if _INTERNAL in _tag_names(subnet)]
    zones = {str(subnet.properties.get("AvailabilityZone")) for subnet in tagged}
    if subnets and len(zones) < _ZONES:
        yield failed(
            f"{len(tagged)} of {len(subnets)} subnets, in {len(zones)} zones, have the tag {_INTERNAL}=1: load "
            "balancers of Kubernetes need them in two, and stay Pending",
            "generate the files anew",
        )
    elif subnets:
        yield passed(f"{len(tagged)} subnets in {len(zones)} zones are tagged for internal load balancers")
    for subnet in tagged:
        if subnet.properties.get("MapPublicIpOnLaunch"):
            yield failed(f"it is public and has the tag {_INTERNAL}", f"{_EXTERNAL} instead", about=subnet.place)


def _tag_names(resource: Resource) -> set[str]:
    return {str(tag.get("Key")) for tag in listed(resource.properties.get("Tags"))}


def group_key(reference: object) -> str:
    """Return a security group's name for comparison, however it was referred to."""
    return str(reference).removeprefix("${").removesuffix("}").removesuffix(".GroupId")


def _node_groups(subject: AwsSubject) -> set[str]:
    """Return the security groups that nodes have: those of their launch templates, else the cluster's."""
    found = set()
    for launch in subject.resources("AWS::EC2::LaunchTemplate"):
        data = launch.properties.get("LaunchTemplateData", {})
        found |= {group_key(each) for each in listed(data.get("SecurityGroupIds"))}
        for interface in listed(data.get("NetworkInterfaces")):
            found |= {group_key(each) for each in listed(interface.get("Groups"))}
    clusters = [cluster.id for cluster in subject.resources("AWS::EKS::Cluster")]
    return found or {f"{name}.ClusterSecurityGroupId" for name in clusters}


def _rules(subject: AwsSubject, group: str) -> Iterator[dict[str, Any]]:
    """Yield what is let in to a security group."""
    for resource in subject.resources("AWS::EC2::SecurityGroup"):
        if resource.id == group:
            yield from listed(resource.properties.get("SecurityGroupIngress"))
    for resource in subject.resources("AWS::EC2::SecurityGroupIngress"):
        if group_key(resource.properties.get("GroupId")) == group:
            yield dict(resource.properties)


def _lets_in(rule: dict[str, Any], port: int, nodes: set[str], subject: AwsSubject) -> bool:
    first, last = int(rule.get("FromPort", 0)), int(rule.get("ToPort", 65535))
    if str(rule.get("IpProtocol")) not in {"tcp", "6", "-1"} or not (
        first <= port <= last or str(rule.get("IpProtocol")) == "-1"
    ):
        return False
    if group_key(rule.get("SourceSecurityGroupId", "")) in nodes:
        return True
    source = network_of(rule.get("CidrIp"))
    return source is not None and any(vpc.subnet_of(source) for _, vpc in _vpcs(subject))


def _database(subject: AwsSubject) -> Iterator[Outcome]:
    for database in subject.resources("AWS::RDS::DBCluster"):
        port = int(database.properties.get("Port", _POSTGRES))
        groups = {group_key(each) for each in listed(database.properties.get("VpcSecurityGroupIds"))}
        yield _reached(subject, database, groups, port)


def _files(subject: AwsSubject) -> Iterator[Outcome]:
    for target in subject.resources("AWS::EFS::MountTarget"):
        groups = {group_key(each) for each in listed(target.properties.get("SecurityGroups"))}
        yield _reached(subject, target, groups, _NFS)


def _reached(subject: AwsSubject, resource: Resource, groups: set[str], port: int) -> Outcome:
    nodes = _node_groups(subject)
    rules = [rule for group in groups for rule in _rules(subject, group)]
    if nodes & groups or any(_lets_in(rule, port, nodes, subject) for rule in rules):
        return passed(f"the nodes' security group is let in at port {port}", about=resource.place)
    return failed(
        f"no security group of {', '.join(sorted(groups)) or 'its own'} lets the nodes' {', '.join(sorted(nodes))} "
        f"in at port {port}",
        "generate the files anew; in an existing VPC name the group in Aws(database_groups=[…])",
        about=resource.place,
    )


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.network.cidr",
        title="networks",
        looks_at="the VPC, its subnets, the cluster's services, and databases given by address",
        fails="a network is none, too large or small, or two overlap; warns of a database with an address of the VPC",
        remedy="another cidr= of the network in Aws(…)",
        look=_cidr,
    ),
    Check(
        id="aws.network.addresses",
        title="addresses for pods",
        looks_at="the addresses of the private subnets, against all pods that may run at once and all nodes",
        fails="there are fewer than pods and nodes; warns below twice as many",
        remedy="a larger cidr=",
        look=_addresses,
    ),
    Check(
        id="aws.network.zones",
        title="zones",
        looks_at="in how many zones there are subnets",
        fails="there is one only: EKS and Aurora want two",
        remedy="AwsNetwork(zones=3)",
        look=_zones,
    ),
    Check(
        id="aws.network.tags",
        title="tags of subnets",
        looks_at="kubernetes.io/role/internal-elb on private subnets that are made, in two zones",
        fails="there are none, or a public subnet has it: load balancers would stay Pending, or become public",
        remedy="generate the files anew",
        look=_tags,
    ),
    Check(
        id="aws.network.database",
        title="from nodes to the database",
        looks_at="the security groups of each database that is made, against those that the nodes really have",
        fails="the nodes' group is not let in at the database's port",
        remedy="generate the files anew",
        look=_database,
    ),
    Check(
        id="aws.network.filesystem",
        title="from nodes to EFS",
        looks_at="the security groups of each mount target that is made, at port 2049",
        fails="the nodes' group is not let in",
        remedy="generate the files anew",
        look=_files,
    ),
)
