"""Quotas against what is used and what would be added: one check for each, from a table."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datasurface.deploy.aws.preflight.clients import AwsRefusalError
from datasurface.deploy.aws.preflight.nodes import node_types
from datasurface.deploy.aws.preflight.online.existing import existing_stacks
from datasurface.deploy.aws.preflight.online.identity import ACCOUNT
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import Resource, listed
from datasurface.deploy.instances import INSTANCES
from datasurface.deploy.preflight.check import Check, Needs, Outcome, UnseenError, failed, passed, warned
from datasurface.errors import DataSurfaceError, TransientError

__all__ = ["CHECKS", "QUOTAS", "Quota"]

_STANDARD = frozenset("acdhimrtz")
"""The families of instances that share one quota: the first letter of their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A quota of AWS.

    Attributes:
        id: The check's name after `aws.quotas.`.
        label: What is counted.
        service: The service's code in Service Quotas.
        code: The quota's code there.
        usual: What AWS gives if nobody has asked for more.
        used: Returns how many there are.
        added: Returns how many would be added.
    """

    id: str
    label: str
    service: str
    code: str
    usual: float
    used: Callable[[AwsSubject], float]
    added: Callable[[AwsSubject], float]

    def look(self, subject: AwsSubject) -> Iterator[Outcome]:
        """Compare what is used and what would be added with the quota."""
        added = self.added(_not_made(subject)) if self.added(subject) else 0
        if not added:
            return
        limit, source = self._limit(subject)
        used = self.used(subject)
        if used + added > limit:
            yield failed(
                f"{used:g} {self.label} are used, {added:g} would be added, and {limit:g} are allowed ({source})",
                f"aws service-quotas request-service-quota-increase --region {subject.settings.region} "
                f"--service-code {self.service} --quota-code {self.code} --desired-value {used + added:g}",
            )
        elif used + added > 0.9 * limit:
            yield warned(
                f"{used:g} {self.label} are used, {added:g} would be added, of {limit:g} ({source}): little is left",
                f"ask for more of {self.code} of {self.service} before the next environment",
            )
        else:
            yield passed(f"{used:g} {self.label} used, {added:g} added, of {limit:g} ({source})")

    def _limit(self, subject: AwsSubject) -> tuple[float, str]:
        asked = {"ServiceCode": self.service, "QuotaCode": self.code}
        try:
            for operation in ("get_service_quota", "get_aws_default_service_quota"):
                found = subject.aws.find("service-quotas", operation, {"NoSuchResourceException"}, **asked)
                if found is not None:
                    return float(found["Quota"]["Value"]), "Service Quotas"
        except UnseenError:
            return self.usual, "AWS's default; this login may not read quotas"
        except (AwsRefusalError, TransientError):
            return self.usual, "AWS's default; Service Quotas does not answer"
        return self.usual, "AWS's default"


def _not_made(subject: AwsSubject) -> AwsSubject:
    """Return the same with those stacks only that are not there: what the others hold is among what is used."""
    try:
        states = existing_stacks(subject)
    except DataSurfaceError:
        return subject
    there = {
        name
        for name, state in states.items()
        if state.endswith("_COMPLETE") and not state.startswith(("ROLLBACK", "DELETE"))
    }
    return dataclasses.replace(subject, stacks=tuple(stack for stack in subject.stacks if stack.name not in there))


def _number(*types: str) -> Callable[[AwsSubject], float]:
    return lambda subject: len(list(subject.resources(*types)))


def _listing(service: str, operation: str, key: str) -> Callable[[AwsSubject], float]:
    return lambda subject: len(subject.aws.pages(service, operation, key))


def _cpus(*, spot: bool) -> Callable[[AwsSubject], float]:
    """Return how to sum up the virtual CPUs of running instances of the standard families."""

    def used(subject: AwsSubject) -> float:
        running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        total = 0
        for reservation in subject.aws.pages("ec2", "describe_instances", "Reservations", Filters=running):
            for instance in reservation.get("Instances", []):
                kind = str(instance.get("InstanceType", ""))
                if kind[:1] in _STANDARD and (instance.get("InstanceLifecycle") == "spot") is spot:
                    options = instance.get("CpuOptions", {})
                    cores = int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 1))
                    total += INSTANCES[kind].cpus if kind in INSTANCES else cores or 2
        return total

    return used


def _nodes(*, spot: bool) -> Callable[[AwsSubject], float]:
    """Return how to sum up the virtual CPUs of the most nodes that the groups may have."""

    def added(subject: AwsSubject) -> float:
        total = 0
        for group in subject.resources("AWS::EKS::Nodegroup"):
            kinds = [kind for kind in node_types(group) if kind[:1] in _STANDARD]
            if kinds and (group.properties.get("CapacityType") == "SPOT") is spot:
                most = int(group.properties.get("ScalingConfig", {}).get("MaxSize", 2))
                total += most * max(INSTANCES[kind].cpus for kind in kinds)
        return total

    return added


def _most_gateways(subject: AwsSubject) -> float:
    """Return how many NAT gateways the zone with the most has: the quota is one of each zone."""
    zones = {
        each["SubnetId"]: each["AvailabilityZone"] for each in subject.aws.pages("ec2", "describe_subnets", "Subnets")
    }
    gateways = subject.aws.pages("ec2", "describe_nat_gateways", "NatGateways")
    there = Counter(
        zones.get(each.get("SubnetId")) for each in gateways if each.get("State") in {"pending", "available"}
    )
    return max(there.values(), default=0)


def _gateways_a_zone(subject: AwsSubject) -> float:
    gateways = Counter(str(each.properties.get("SubnetId")) for each in subject.resources("AWS::EC2::NatGateway"))
    return max(gateways.values(), default=0)


def _rules(subject: AwsSubject) -> float:
    """Return the most rules that a security group would have."""
    rules: Counter[str] = Counter()
    for group in subject.resources("AWS::EC2::SecurityGroup"):
        rules[group.id] += len(listed(group.properties.get("SecurityGroupIngress")))
    for rule in subject.resources("AWS::EC2::SecurityGroupIngress"):
        rules[str(rule.properties.get("GroupId"))] += 1
    return max(rules.values(), default=0)


def _none(_: AwsSubject) -> float:
    return 0


def _interface(resource: Resource) -> bool:
    return resource.properties.get("VpcEndpointType") == "Interface"


def _endpoints(subject: AwsSubject) -> float:
    return len([each for each in subject.resources("AWS::EC2::VPCEndpoint") if _interface(each)])


def _roles(subject: AwsSubject) -> float:
    return float(subject.aws.ask("iam", "get_account_summary")["SummaryMap"].get("Roles", 0))


QUOTAS: tuple[Quota, ...] = (
    Quota(
        id="vcpus",
        label="virtual CPUs of standard families on demand",
        service="ec2",
        code="L-1216C47A",
        usual=5,
        used=_cpus(spot=False),
        added=_nodes(spot=False),
    ),
    Quota(
        id="spot-vcpus",
        label="virtual CPUs of standard families from spare capacity",
        service="ec2",
        code="L-34B43A08",
        usual=5,
        used=_cpus(spot=True),
        added=_nodes(spot=True),
    ),
    Quota(
        id="vpcs",
        label="VPCs",
        service="vpc",
        code="L-F678F1CE",
        usual=5,
        used=_listing("ec2", "describe_vpcs", "Vpcs"),
        added=_number("AWS::EC2::VPC"),
    ),
    Quota(
        id="internet-gateways",
        label="internet gateways",
        service="vpc",
        code="L-A4707A72",
        usual=5,
        used=_listing("ec2", "describe_internet_gateways", "InternetGateways"),
        added=_number("AWS::EC2::InternetGateway"),
    ),
    Quota(
        id="addresses",
        label="elastic IP addresses",
        service="ec2",
        code="L-0263D0A3",
        usual=5,
        used=_listing("ec2", "describe_addresses", "Addresses"),
        added=_number("AWS::EC2::EIP"),
    ),
    Quota(
        id="nat-gateways",
        label="NAT gateways in one zone",
        service="vpc",
        code="L-FE5A380F",
        usual=5,
        used=_most_gateways,
        added=_gateways_a_zone,
    ),
    Quota(
        id="endpoints",
        label="interface endpoints of the VPC",
        service="vpc",
        code="L-29B6F2EB",
        usual=50,
        used=_none,
        added=_endpoints,
    ),
    Quota(
        id="security-groups",
        label="security groups",
        service="vpc",
        code="L-E79EC296",
        usual=2500,
        used=_listing("ec2", "describe_security_groups", "SecurityGroups"),
        added=_number("AWS::EC2::SecurityGroup"),
    ),
    Quota(
        id="security-group-rules",
        label="rules of one security group",
        service="vpc",
        code="L-0EA8095F",
        usual=60,
        used=_none,
        added=_rules,
    ),
    Quota(
        id="clusters",
        label="EKS clusters",
        service="eks",
        code="L-1194D53C",
        usual=100,
        used=_listing("eks", "list_clusters", "clusters"),
        added=_number("AWS::EKS::Cluster"),
    ),
    Quota(
        id="database-clusters",
        label="database clusters",
        service="rds",
        code="L-952B80B8",
        usual=40,
        used=_listing("rds", "describe_db_clusters", "DBClusters"),
        added=_number("AWS::RDS::DBCluster"),
    ),
    Quota(
        id="database-instances",
        label="database instances",
        service="rds",
        code="L-7B6409FD",
        usual=40,
        used=_listing("rds", "describe_db_instances", "DBInstances"),
        added=_number("AWS::RDS::DBInstance"),
    ),
    Quota(
        id="roles",
        label="roles",
        service="iam",
        code="L-FE177D64",
        usual=1000,
        used=_roles,
        added=_number("AWS::IAM::Role"),
    ),
)
CHECKS: tuple[Check[AwsSubject], ...] = tuple(
    Check(
        id=f"aws.quotas.{quota.id}",
        title=f"quota of {quota.label}",
        looks_at=f"the quota {quota.code} ({quota.usual:g} by default), what is used, and what would be added",
        fails="both together are more; warns above nine tenths",
        remedy="aws service-quotas request-service-quota-increase, some days before",
        look=quota.look,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    )
    for quota in QUOTAS
)
