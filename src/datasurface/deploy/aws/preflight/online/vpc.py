"""The network as it is: an existing VPC, its subnets, zones, tags, names, way out; and what the region offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from datasurface.deploy.aws.preflight.network import network_of
from datasurface.deploy.aws.preflight.online.identity import check_of_account
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import listed
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned
from datasurface.model.aws import AwsExistingNetwork

__all__ = ["CHECKS"]

_ZONES = 2
_INTERNAL = "kubernetes.io/role/internal-elb"
_NO_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})
"""Zones in which EKS has no control plane."""


def _network(subject: AwsSubject) -> AwsExistingNetwork | None:
    network = subject.settings.network
    return network if isinstance(network, AwsExistingNetwork) else None


def _subnets(subject: AwsSubject, network: AwsExistingNetwork) -> list[Mapping[str, Any]]:
    def ask() -> list[Mapping[str, Any]]:
        absent = {"InvalidSubnetID.NotFound", "InvalidSubnetId.Malformed"}
        found = subject.aws.find("ec2", "describe_subnets", absent, SubnetIds=list(network.subnets))
        return list(found["Subnets"]) if found is not None else []

    return subject.once("subnets", ask)


def _vpc(subject: AwsSubject) -> Iterator[Outcome]:
    network = _network(subject)
    if network is None:
        return
    absent = {"InvalidVpcID.NotFound", "InvalidVpcId.Malformed"}
    found = subject.aws.find("ec2", "describe_vpcs", absent, VpcIds=[network.vpc])
    if found is None or not found["Vpcs"]:
        yield failed(f"there is no VPC {network.vpc} in {subject.settings.region}", "AwsExistingNetwork(…)")
        return
    vpc = found["Vpcs"][0]
    networks = {str(vpc.get("CidrBlock"))} | {
        str(each.get("CidrBlock")) for each in vpc.get("CidrBlockAssociationSet", [])
    }
    if network.cidr not in networks:
        actual = ", ".join(sorted(networks))
        yield failed(f"{network.vpc} has {actual}, the model says {network.cidr}", f'cidr="{vpc["CidrBlock"]}"')
    else:
        yield passed(f"{network.vpc} has {network.cidr}")


def _names(subject: AwsSubject) -> Iterator[Outcome]:
    """Private endpoints and hosts of databases are found by the VPC's own name service only."""
    network = _network(subject)
    for attribute in ("enableDnsSupport", "enableDnsHostnames") if network is not None else ():
        vpc = network.vpc if network is not None else ""
        absent = {"InvalidVpcID.NotFound"}
        found = subject.aws.find("ec2", "describe_vpc_attribute", absent, VpcId=vpc, Attribute=attribute)
        key = attribute[0].upper() + attribute[1:]
        if found is not None and not found.get(key, {}).get("Value"):
            yield failed(
                f"{attribute} is off: names of endpoints and databases would not be found",
                f"aws ec2 modify-vpc-attribute --vpc-id {vpc} --{_dashed(attribute)} Value=true",
                about=vpc,
            )
        elif found is not None:
            yield passed(f"{attribute} is on", about=vpc)


def _dashed(attribute: str) -> str:
    return {"enableDnsSupport": "enable-dns-support"}.get(attribute, "enable-dns-hostnames")


def _existing_subnets(subject: AwsSubject) -> Iterator[Outcome]:
    network = _network(subject)
    if network is None:
        return
    found = _subnets(subject, network)
    there = {str(subnet["SubnetId"]) for subnet in found}
    for missing in sorted(set(network.subnets) - there):
        yield failed(f"there is no subnet {missing}", "AwsExistingNetwork(subnets=[…])")
    for subnet in found:
        if subnet.get("VpcId") != network.vpc:
            yield failed(f"it is in {subnet.get('VpcId')}, not in {network.vpc}", "subnets=", about=subnet["SubnetId"])
    zones = {str(subnet.get("AvailabilityZone")) for subnet in found}
    if len(zones) < _ZONES:
        yield failed(f"the subnets are in {len(zones)} zone; EKS and Aurora want two", "a subnet in another zone")
    for subnet in found:
        if subnet.get("AvailabilityZoneId") in _NO_EKS:
            yield failed(
                f"EKS has no control plane in {subnet['AvailabilityZoneId']}",
                "a subnet in another zone",
                about=subnet["SubnetId"],
            )
    yield passed(f"{len(found)} subnets in {len(zones)} zones")


def _free(subject: AwsSubject) -> Iterator[Outcome]:
    network = _network(subject)
    if network is None:
        return
    free = sum(int(subnet.get("AvailableIpAddressCount", 0)) for subnet in _subnets(subject, network))
    wanted = sum(need.count for need in subject.pods)
    nodes = sum(int(g.properties.get("ScalingConfig", {}).get("MaxSize", 2)) for g in _groups(subject))
    if free < wanted + nodes:
        yield failed(f"{free} addresses are free, {wanted} pods and {nodes} nodes need one each", "larger subnets")
    else:
        yield passed(f"{free} addresses are free, for {wanted} pods and {nodes} nodes")


def _groups(subject: AwsSubject) -> list[Any]:
    return list(subject.resources("AWS::EKS::Nodegroup"))


def _tags(subject: AwsSubject) -> Iterator[Outcome]:
    network = _network(subject)
    for subnet in _subnets(subject, network) if network is not None else ():
        tags = {str(tag["Key"]) for tag in subnet.get("Tags", [])}
        name = str(subnet["SubnetId"])
        if _INTERNAL in tags:
            yield passed(f"it is tagged {_INTERNAL}", about=name)
        else:
            yield failed(
                f"it has no tag {_INTERNAL}: load balancers find no subnet and stay Pending",
                f"aws ec2 create-tags --resources {name} --tags Key={_INTERNAL},Value=1",
                about=name,
            )


def _way_out(subject: AwsSubject) -> Iterator[Outcome]:
    network = _network(subject)
    if network is None:
        return
    filters = [{"Name": "vpc-id", "Values": [network.vpc]}]
    tables = subject.aws.pages("ec2", "describe_route_tables", "RouteTables", Filters=filters)
    for name in network.subnets:
        table = _table_of(tables, name)
        routes = {str(route.get("DestinationCidrBlock")): route for route in table.get("Routes", [])}
        default = routes.get("0.0.0.0/0")
        if default is None:
            yield warned(
                "no route leads out: images, sources and AWS's services have to be reached by endpoints",
                "endpoints=True, or a NAT gateway; sources outside of the VPC cannot be read",
                about=name,
            )
        elif str(default.get("State", "active")) != "active":
            yield failed("its route out is a black hole", "a NAT gateway that exists", about=name)
        elif str(default.get("GatewayId", "")).startswith("igw-"):
            yield warned("it is a public subnet: its route out is an internet gateway", "private subnets", about=name)
        else:
            yield passed("a route leads out", about=name)


def _table_of(tables: list[Any], subnet: str) -> Mapping[str, Any]:
    """Return the route table of a subnet: its own, else the VPC's main one."""
    main: Mapping[str, Any] = {}
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return dict(table)
            if association.get("Main"):
                main = table
    return main


def _overlap(subject: AwsSubject) -> Iterator[Outcome]:
    """A VPC that is made cannot be connected with one whose addresses it shares."""
    wanted = network_of(getattr(subject.settings.network, "cidr", None))
    if wanted is None or _network(subject) is not None:
        return
    found = subject.aws.pages("ec2", "describe_vpcs", "Vpcs")
    problems = 0
    for vpc in found:
        other = network_of(vpc.get("CidrBlock"))
        tags = {str(tag.get("Key")): str(tag.get("Value")) for tag in vpc.get("Tags", [])}
        own = tags.get("aws:cloudformation:stack-name") in subject.stack_names
        if other is not None and other.overlaps(wanted) and not vpc.get("IsDefault") and not own:
            problems += 1
            yield warned(
                f"{wanted} overlaps {other} of {vpc['VpcId']}: they cannot be peered, nor databases there reached",
                "another cidr= of AwsNetwork(…), unless nothing there is needed",
            )
    if not problems:
        yield passed(f"{wanted} overlaps none of {len(found)} VPCs")


def _offered(subject: AwsSubject) -> Iterator[Outcome]:
    """Instance types, and versions of the database, that the region has."""
    kinds = sorted({str(kind) for group in _groups(subject) for kind in listed(group.properties.get("InstanceTypes"))})
    if kinds:
        offered = subject.aws.pages(
            "ec2",
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": kinds}],
        )
        zones = {kind: {each["Location"] for each in offered if each["InstanceType"] == kind} for kind in kinds}
        for kind in kinds:
            if not zones[kind]:
                yield failed(f"{subject.settings.region} has no {kind}", "another instance type in Aws(…)", about=kind)
            elif len(zones[kind]) < _ZONES:
                where = ", ".join(zones[kind])
                yield warned(f"only in {where}", "another instance type in Aws(…)", about=kind)
            else:
                yield passed(f"in {len(zones[kind])} zones", about=kind)


def _zones(subject: AwsSubject) -> Iterator[Outcome]:
    """Zones for a network that is made."""
    wanted = getattr(subject.settings.network, "zones", 0)
    if not wanted:
        return
    state = [{"Name": "state", "Values": ["available"]}, {"Name": "zone-type", "Values": ["availability-zone"]}]
    found = subject.aws.ask("ec2", "describe_availability_zones", Filters=state)["AvailabilityZones"]
    if len(found) < wanted:
        yield failed(
            f"{subject.settings.region} has {len(found)} zones, the network wants {wanted}",
            f"AwsNetwork(zones={max(len(found), _ZONES)})",
        )
    else:
        yield passed(f"{len(found)} zones, {wanted} are wanted")


def _databases(subject: AwsSubject) -> Iterator[Outcome]:
    """Versions and classes of databases that are made: which the region has differs, and changes."""
    versions = {each.id: each.text("EngineVersion") for each in subject.resources("AWS::RDS::DBCluster")}
    kinds = {str(each.properties.get("DBInstanceClass")) for each in subject.resources("AWS::RDS::DBInstance")}
    for version in sorted({each for each in versions.values() if each}):
        for kind in sorted(kinds):
            found = subject.aws.ask(
                "rds",
                "describe_orderable_db_instance_options",
                Engine="aurora-postgresql",
                EngineVersion=version,
                DBInstanceClass=kind,
            )["OrderableDBInstanceOptions"]
            what = f"Aurora PostgreSQL {version} on {kind}"
            if found:
                yield passed(f"{subject.settings.region} has {what}")
            else:
                yield failed(
                    f"{subject.settings.region} has no {what}",
                    "AuroraCluster(version=, instance=): aws rds describe-orderable-db-instance-options lists them",
                )


_check = partial(check_of_account, "aws.vpc")

CHECKS: tuple[Check[AwsSubject], ...] = (
    _check(
        "exists",
        "existing VPC",
        "the VPC and its networks",
        "it is not there, or has others",
        "AwsExistingNetwork(…)",
        _vpc,
    ),
    _check(
        "names",
        "name service of the VPC",
        "enableDnsSupport and enableDnsHostnames of an existing VPC",
        "one is off: private endpoints and databases are not found by name",
        "aws ec2 modify-vpc-attribute",
        _names,
    ),
    _check(
        "subnets",
        "existing subnets",
        "that they are there, in the VPC, in two zones, and in zones that EKS takes",
        "one of it is not so",
        "AwsExistingNetwork(subnets=[…])",
        _existing_subnets,
    ),
    _check(
        "addresses",
        "free addresses",
        "free addresses of existing subnets, against pods and nodes",
        "there are too few",
        "larger subnets",
        _free,
    ),
    _check(
        "tags",
        "tags of existing subnets",
        f"the tag {_INTERNAL}",
        "a subnet lacks it",
        "aws ec2 create-tags",
        _tags,
    ),
    _check(
        "routes",
        "the way out",
        "the route table of each existing subnet",
        "its route out is a black hole; warns if there is none, or if the subnet is public",
        "a NAT gateway, or endpoints",
        _way_out,
    ),
    _check(
        "overlap",
        "overlapping VPCs",
        "the addresses of a VPC that is made, against all others of the region",
        "never; warns if they overlap",
        "another cidr=",
        _overlap,
    ),
    _check(
        "zones",
        "zones of the region",
        "how many zones are available, against those that a network that is made wants",
        "there are fewer",
        "AwsNetwork(zones=2)",
        _zones,
    ),
    _check(
        "databases",
        "versions and classes of Aurora",
        "whether the region has each version of Aurora PostgreSQL that is made on its class of instances",
        "it has not",
        "AuroraCluster(version=, instance=)",
        _databases,
    ),
    _check(
        "offered",
        "instance types of the region",
        "in which zones each instance type of the nodes is offered",
        "in none; warns if in one only",
        "another instance type",
        _offered,
    ),
)
