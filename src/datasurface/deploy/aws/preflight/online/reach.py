"""Whether nodes get to databases that exist already, and to the file system: VPCs, peerings, security groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datasurface.deploy.aws.preflight.online.existing import existing_cluster
from datasurface.deploy.aws.preflight.online.identity import ACCOUNT
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, skipped, warned
from datasurface.model.aws import AwsExistingNetwork

__all__ = ["CHECKS", "existing_databases"]

_NFS = 2049


def existing_databases(subject: AwsSubject) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what RDS knows of databases of the model: the container's name, and the cluster or instance.

    Raises:
        UnseenError, AwsRefusalError, SecretError, TransientError: as `AwsReader.ask`.
    """

    def ask() -> list[tuple[str, Mapping[str, Any]]]:
        hosts = subject.hosts
        if not hosts:
            return []
        known: list[Mapping[str, Any]] = list(subject.aws.pages("rds", "describe_db_clusters", "DBClusters"))
        known += [
            each
            for each in subject.aws.pages("rds", "describe_db_instances", "DBInstances")
            if not each.get("DBClusterIdentifier")
        ]
        found = []
        for database in known:
            endpoint = database.get("Endpoint")
            host = endpoint.get("Address") if isinstance(endpoint, Mapping) else endpoint
            found += [(name, database) for name, wanted in hosts.items() if str(host).lower() == wanted]
        return sorted(found, key=lambda pair: pair[0])

    return subject.once("databases", ask)


def _groups_of(database: Mapping[str, Any]) -> set[str]:
    return {str(each["VpcSecurityGroupId"]) for each in database.get("VpcSecurityGroups", [])}


def _security(subject: AwsSubject) -> Iterator[Outcome]:
    cluster = existing_cluster(subject)
    for name, database in existing_databases(subject):
        groups = _groups_of(database)
        port = int(database.get("Port") or (database.get("Endpoint") or {}).get("Port", 5432))
        opened = groups & set(subject.settings.database_groups)
        lets_in = _lets_in(subject, groups, port, cluster) if groups else False
        if lets_in:
            yield passed(f"its security group lets the nodes in at port {port}", about=name)
        elif opened:
            yield passed(f"{', '.join(sorted(opened))} is opened for the nodes by the stacks", about=name)
        else:
            known = ", ".join(sorted(groups)) or "none"
            yield failed(
                f"its security groups ({known}) let the nodes in at port {port} neither now nor after deployment",
                f"Aws(database_groups=[{', '.join(repr(each) for each in sorted(groups))}])",
                about=name,
            )


def _lets_in(subject: AwsSubject, groups: set[str], port: int, cluster: Mapping[str, Any] | None) -> bool:
    found = subject.aws.pages("ec2", "describe_security_groups", "SecurityGroups", GroupIds=sorted(groups))
    config = cluster.get("resourcesVpcConfig", {}) if cluster is not None else {}
    nodes = {str(config["clusterSecurityGroupId"])} if config.get("clusterSecurityGroupId") else set()
    network = {str(getattr(subject.settings.network, "cidr", ""))}
    for rule in (rule for group in found for rule in group.get("IpPermissions", [])):
        if rule.get("IpProtocol") != "-1" and not rule.get("FromPort", -1) <= port <= rule.get("ToPort", -1):
            continue
        sources = {str(pair.get("GroupId")) for pair in rule.get("UserIdGroupPairs", [])}
        if sources & nodes or {str(each.get("CidrIp")) for each in rule.get("IpRanges", [])} & network:
            return True
    return False


def _peering(subject: AwsSubject) -> Iterator[Outcome]:
    """A database in another VPC is reached over a peering, a transit gateway, or not at all."""
    databases = existing_databases(subject)
    for name, database in databases:
        vpc = _vpc_of(subject, database)
        network = subject.settings.network
        own = network.vpc if isinstance(network, AwsExistingNetwork) else None
        if vpc is None or vpc == own:
            yield passed("it is in the same VPC" if vpc else "its VPC is not known", about=name)
            continue
        if own is None:
            yield warned(
                f"it is in {vpc}, and the nodes get a VPC of their own: nothing connects the two yet",
                f'AwsExistingNetwork("{vpc}", …) for the nodes, or a peering and routes once the network stack is made',
                about=name,
            )
        elif _connected(subject, vpc, own):
            yield passed(f"{vpc} and {own} are peered", about=name)
        else:
            yield failed(
                f"it is in {vpc}, the nodes in {own}, and no active peering connects them",
                f"aws ec2 create-vpc-peering-connection --vpc-id {own} --peer-vpc-id {vpc}, routes on both sides; or a "
                "transit gateway, which is not looked at here",
                about=name,
            )


def _vpc_of(subject: AwsSubject, database: Mapping[str, Any]) -> str | None:
    group = database.get("DBSubnetGroup")
    if isinstance(group, Mapping):
        return str(group.get("VpcId"))
    if not group:
        return None
    absent = {"DBSubnetGroupNotFoundFault"}
    found = subject.aws.find("rds", "describe_db_subnet_groups", absent, DBSubnetGroupName=str(group))
    return str(found["DBSubnetGroups"][0].get("VpcId")) if found and found["DBSubnetGroups"] else None


def _connected(subject: AwsSubject, one: str, other: str) -> bool:
    for peering in subject.aws.pages("ec2", "describe_vpc_peering_connections", "VpcPeeringConnections"):
        ends = {peering.get("RequesterVpcInfo", {}).get("VpcId"), peering.get("AccepterVpcInfo", {}).get("VpcId")}
        if ends == {one, other} and peering.get("Status", {}).get("Code") == "active":
            return True
    return False


def _files(subject: AwsSubject) -> Iterator[Outcome]:
    """The file system of the stacks, once it is there: mount targets in each zone of the nodes, open for them."""
    if not subject.settings.shared_storage:
        return
    cluster = existing_cluster(subject)
    names = set(subject.stack_names)
    found = [
        each
        for each in subject.aws.pages("efs", "describe_file_systems", "FileSystems")
        if {str(tag.get("Value")) for tag in each.get("Tags", []) if tag.get("Key") == "aws:cloudformation:stack-name"}
        & names
        or str(each.get("Name", "")).startswith(tuple(names))
    ]
    if not found or cluster is None:
        yield skipped("file system and cluster are not there yet", "after the stacks are made, run it again")
        return
    subnets = list(cluster.get("resourcesVpcConfig", {}).get("subnetIds", []))
    for system in found:
        name = str(system["FileSystemId"])
        targets = subject.aws.ask("efs", "describe_mount_targets", FileSystemId=name)["MountTargets"]
        yield from _mounted(subject, name, targets, subnets, cluster)


def _mounted(
    subject: AwsSubject,
    name: str,
    targets: Sequence[Mapping[str, Any]],
    subnets: Sequence[str],
    cluster: Mapping[str, Any],
) -> Iterator[Outcome]:
    zones = {str(target.get("AvailabilityZoneName")) for target in targets}
    wanted = {
        str(each["AvailabilityZone"])
        for each in subject.aws.ask("ec2", "describe_subnets", SubnetIds=list(subnets))["Subnets"]
    }
    for zone in sorted(wanted - zones):
        yield failed(f"it has no mount target in {zone}", "deploy the stack of the storage anew", about=name)
    for target in targets:
        answer = subject.aws.ask("efs", "describe_mount_target_security_groups", MountTargetId=target["MountTargetId"])
        if not _lets_in(subject, set(answer["SecurityGroups"]), _NFS, cluster):
            yield failed(
                f"{target['MountTargetId']} does not let the nodes in at port {_NFS}",
                "deploy the stack of the storage anew",
                about=name,
            )
    yield passed(f"{len(targets)} mount targets", about=name)


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.reach.database",
        title="security groups of existing databases",
        looks_at="what RDS knows of each database: whether its groups let the nodes in, now or once deployed",
        fails="neither",
        remedy="Aws(database_groups=[…])",
        look=_security,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
    Check(
        id="aws.reach.vpc",
        title="VPCs of existing databases",
        looks_at="the VPC of each database against that of the nodes, and peerings",
        fails="they differ and no active peering connects them; warns if the nodes' VPC is not made yet",
        remedy="the same VPC, or a peering with routes",
        look=_peering,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
    Check(
        id="aws.reach.filesystem",
        title="mount targets",
        looks_at="the file system, where one was asked for: a mount target in each zone, open at port 2049",
        fails="one is missing, or closed to the nodes",
        remedy="the stack of the storage anew",
        look=_files,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
)
