"""What a deployment costs a month, how long its creation takes, and until when it is needed: estimates, told always."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from datasurface.deploy import prices
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import Resource, Template, listed
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, told, warned
from datasurface.deploy.prices import Item, database_month, instance_month, month

__all__ = ["CHECKS", "minutes", "monthly"]

_MINUTES: Mapping[str, float] = {
    "AWS::EKS::Cluster": 10,
    "AWS::EKS::Nodegroup": 3,
    "AWS::EKS::Addon": 1.5,
    "AWS::RDS::DBCluster": 3,
    "AWS::RDS::DBInstance": 8,
    "AWS::EC2::NatGateway": 2,
    "AWS::EC2::VPCEndpoint": 2,
    "AWS::EFS::MountTarget": 1.5,
    "AWS::KMS::Key": 0.5,
    "AWS::IAM::Role": 0.4,
    "AWS::IAM::InstanceProfile": 2,
    "AWS::S3::Bucket": 0.4,
    "AWS::Route53::HostedZone": 1,
    "AWS::Serverless::Application": 2,
}
"""How long CloudFormation waits for one, in minutes; all others about five seconds."""
_QUICK = 0.1
_DISK = 20
_SIMPLE: Mapping[str, Item] = {
    "AWS::EKS::Cluster": Item.EKS,
    "AWS::EC2::NatGateway": Item.NAT_GATEWAY,
    "AWS::EC2::EIP": Item.PUBLIC_ADDRESS,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Item.LOAD_BALANCER,
    "AWS::KMS::Key": Item.KMS_KEY,
    "AWS::SecretsManager::Secret": Item.SECRET,
    "AWS::CloudWatch::Alarm": Item.ALARM,
}


def monthly(subject: AwsSubject) -> tuple[dict[str, float], set[str]]:
    """Return what the resources cost a month by kind, in US dollars, and the types whose price is not known."""
    region = subject.settings.region
    costs: dict[str, float] = {}
    unknown: set[str] = set()
    for resource in subject.all_resources:
        for what, dollars in _priced(resource, region, _disk(subject, resource)):
            if dollars is None:
                unknown.add(what)
            else:
                costs[what] = costs.get(what, 0.0) + dollars
    return costs, unknown


def _disk(subject: AwsSubject, group: Resource) -> int:
    """Return the GiB of a node's volume: as its launch template says, else the group, else AWS's default."""
    wanted = str(group.properties.get("LaunchTemplate", {}).get("Id", "")).strip("${}")
    for launch in subject.resources("AWS::EC2::LaunchTemplate") if wanted else ():
        devices = listed(launch.properties.get("LaunchTemplateData", {}).get("BlockDeviceMappings"))
        if launch.id == wanted and launch.template == group.template and devices:
            return int(devices[0].get("Ebs", {}).get("VolumeSize", _DISK))
    return int(group.properties.get("DiskSize", _DISK))


def _priced(resource: Resource, region: str, disk: int) -> Iterator[tuple[str, float | None]]:
    properties = resource.properties
    if resource.type in _SIMPLE:
        item = _SIMPLE[resource.type]
        yield item.value, month(item, region)
    elif resource.type == "AWS::EC2::VPCEndpoint" and properties.get("VpcEndpointType") == "Interface":
        zones = max(len(listed(properties.get("SubnetIds"))), 1)
        yield "interface endpoints", month(Item.INTERFACE_ENDPOINT, region, zones)
    elif resource.type == "AWS::EKS::Nodegroup":
        scaling = properties.get("ScalingConfig", {})
        nodes = int(scaling.get("DesiredSize", scaling.get("MinSize", 1)))
        kind = str((listed(properties.get("InstanceTypes")) or ["t3.medium"])[0])
        yield f"nodes {kind}", instance_month(kind, region, nodes)
        yield "volumes of nodes", month(Item.EBS_GB, region, nodes * disk)
    elif resource.type == "AWS::RDS::DBInstance":
        kind = str(properties.get("DBInstanceClass"))
        yield f"database {kind}", database_month(kind, region) if kind != "db.serverless" else 0.0
    elif resource.type == "AWS::RDS::DBCluster" and "ServerlessV2ScalingConfiguration" in properties:
        least = float(properties["ServerlessV2ScalingConfiguration"].get("MinCapacity", 0.5))
        yield "database capacity, at least", month(Item.AURORA_ACU, region, least)


def minutes(template: Template) -> float:
    """Return how long the creation of a stack takes: along the longest chain of what waits for what."""
    resources = {resource.id: resource for resource in template.resources}
    done: dict[str, float] = {}

    def until(name: str, above: frozenset[str]) -> float:
        if name not in done:
            before = [each for each in _before(resources[name]) if each in resources and each not in above]
            own = _MINUTES.get(resources[name].type, _QUICK)
            done[name] = own + max([until(each, above | {name}) for each in before], default=0.0)
        return done[name]

    return max([until(name, frozenset({name})) for name in resources], default=0.0)


def _before(resource: Resource) -> set[str]:
    """Return the logical ids that a resource waits for."""
    found = {str(each) for each in listed(resource.whole.get("DependsOn"))}
    stack = [resource.whole.get("Properties", {})]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if isinstance(value.get("Ref"), str):
                found.add(value["Ref"])
            attribute = value.get("Fn::GetAtt")
            if attribute:
                found.add(attribute.partition(".")[0] if isinstance(attribute, str) else str(attribute[0]))
            stack += list(value.values())
        elif isinstance(value, list):
            stack += value
    return found


def _month(subject: AwsSubject) -> Iterator[Outcome]:
    costs, unknown = monthly(subject)
    if not subject.all_resources:
        return
    region = subject.settings.region
    largest = sorted(costs.items(), key=lambda item: (-item[1], item[0]))
    parts = ", ".join(f"{what} {dollars:,.0f}" for what, dollars in largest if dollars >= 1)
    what = f"about USD {sum(costs.values()):,.0f} a month in {region}: {parts}"
    source = f"{prices.SOURCE} of {prices.AS_OF}, region factor {prices.factor(region):.2f}"
    yield told(f"{what} ({source}; without traffic, storage of data, discounts, taxes)")
    for kind in sorted(unknown):
        yield warned(f"the price of {kind} is not in the table: it comes on top", "look it up on AWS's price list")
    if region not in prices.REGION_FACTORS:
        yield warned(f"no factor is known for {region}: a high one was taken", "look it up on AWS's price list")


def _duration(subject: AwsSubject) -> Iterator[Outcome]:
    by_stack = [(stack.name, minutes(t)) for stack, t in zip(subject.stacks, subject.templates, strict=True)]
    if by_stack:
        parts = ", ".join(f"{name} {needed:.0f}" for name, needed in by_stack)
        total = sum(needed for _, needed in by_stack)
        yield told(f"creation takes about {total:.0f} minutes, one stack after the other: {parts}; deletion as long")


def _expiry(subject: AwsSubject) -> Iterator[Outcome]:
    environment = subject.deployable.environment
    expires = subject.settings.expires
    if expires is None:
        if environment is None or not environment.production:
            yield warned(
                "nothing says until when it is needed: what is forgotten goes on costing",
                'Aws(expires="YYYY-MM-DD"), which becomes a tag of everything',
            )
        return
    if date.fromisoformat(expires) < subject.today:
        yield failed(f"it has expired on {expires}", "a later day in Aws(expires=…), or the teardown")
    else:
        yield passed(f"everything carries a tag with {expires}")


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.cost.month",
        title="cost a month",
        looks_at=f"every resource against a table of {prices.SOURCE} as of {prices.AS_OF}, with a factor of the region",
        fails="never; warns of what the table does not hold",
        remedy="",
        look=_month,
    ),
    Check(
        id="aws.cost.duration",
        title="duration of creation",
        looks_at="how long CloudFormation waits for each resource, along the longest chain of each stack",
        fails="never: it is told",
        remedy="",
        look=_duration,
    ),
    Check(
        id="aws.cost.expiry",
        title="until when it is needed",
        looks_at="expires= of Aws(…), which becomes a tag of everything",
        fails="the day has passed; warns if there is none and the environment does not serve production",
        remedy='Aws(expires="YYYY-MM-DD")',
        look=_expiry,
    ),
)
