"""Quotas against what is used and what would be added."""

from __future__ import annotations

from typing import Any

import pytest

from aws_stubs import Stubs
from datasurface.deploy.aws.preflight.clients import Clients
from datasurface.deploy.aws.preflight.online.quotas import QUOTAS
from datasurface.deploy.aws.preflight.subject import PlannedStack
from preflight_bench import REGION, fails, passes, resource, subject, warns

GROUP = resource("EKS::Nodegroup", InstanceTypes=["m5.4xlarge"], ScalingConfig={"MaxSize": 3})
SPOT = resource("EKS::Nodegroup", InstanceTypes=["m5.4xlarge"], ScalingConfig={"MaxSize": 3}, CapacityType="SPOT")
RULE = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "10.0.0.0/8"}
ONE: dict[str, dict[str, Any]] = {
    "vcpus": GROUP,
    "spot-vcpus": SPOT,
    "vpcs": resource("EC2::VPC"),
    "internet-gateways": resource("EC2::InternetGateway"),
    "addresses": resource("EC2::EIP"),
    "nat-gateways": resource("EC2::NatGateway", SubnetId="a"),
    "endpoints": resource("EC2::VPCEndpoint", VpcEndpointType="Interface"),
    "security-groups": resource("EC2::SecurityGroup"),
    "security-group-rules": resource("EC2::SecurityGroup", SecurityGroupIngress=[RULE]),
    "clusters": resource("EKS::Cluster"),
    "database-clusters": resource("RDS::DBCluster"),
    "database-instances": resource("RDS::DBInstance"),
    "roles": resource("IAM::Role"),
}
"""What adds to each quota."""


def quota(stubs: Stubs, code: str, value: float) -> Stubs:
    service = next(each.service for each in QUOTAS if each.code == code)
    asked = {"ServiceCode": service, "QuotaCode": code}
    return stubs.answer("service-quotas", "get_service_quota", {"Quota": {"QuotaCode": code, "Value": value}}, asked)


def test_every_quota_is_tested() -> None:
    assert sorted(ONE) == sorted(each.id for each in QUOTAS)


@pytest.mark.parametrize("which", QUOTAS, ids=lambda each: each.id)
def test_as_much_as_is_allowed_and_too_much(which: Any, cloud: Clients) -> None:
    """The account is asked for what is used; what is allowed comes from Service Quotas, which the stand-in lacks."""
    resources = {"It": ONE[which.id]}
    used = which.used(subject(resources, clients=cloud))
    added = which.added(subject(resources))
    assert added > 0
    enough = quota(Stubs(), which.code, 2 * (used + added))
    assert f"of {2 * (used + added):g} (Service Quotas)" in passes(
        f"aws.quotas.{which.id}", subject(resources, clients=Clients(REGION, enough))
    )
    tight = quota(Stubs(), which.code, used + added)
    warns(f"aws.quotas.{which.id}", subject(resources, clients=Clients(REGION, tight)), "little is left")
    short = quota(Stubs(), which.code, used + added - 0.5)
    found = fails(f"aws.quotas.{which.id}", subject(resources, clients=Clients(REGION, short)), which.label)
    assert f"--service-code {which.service} --quota-code {which.code}" in found.outcome.remedy


def test_what_is_not_added_is_not_asked_for() -> None:
    for each in QUOTAS:
        assert "nothing" in passes(f"aws.quotas.{each.id}", subject(clients=Clients(REGION, Stubs())))


def test_running_instances_are_counted(cloud: Clients) -> None:
    ec2 = cloud.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, InstanceType="m5.xlarge", MinCount=2, MaxCount=2)
    ec2.run_instances(ImageId=image, InstanceType="g4dn.xlarge", MinCount=1, MaxCount=1)
    stubs = quota(Stubs(), "L-1216C47A", 50)
    fails(
        "aws.quotas.vcpus",
        subject({"It": GROUP}, clients=Clients(REGION, stubs)),
        "8 virtual CPUs",
        "48 would be added",
    )


def test_vpcs_of_the_account_are_counted(cloud: Clients) -> None:
    """The stand-in has the quota of VPCs: five, one of which every region has from the beginning."""
    ec2 = cloud.client("ec2")
    for number in range(3):
        ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
    warns("aws.quotas.vpcs", subject({"It": ONE["vpcs"]}, clients=cloud), "4 VPCs are used, 1 would be added, of 5")
    ec2.create_vpc(CidrBlock="10.9.0.0/16")
    fails("aws.quotas.vpcs", subject({"It": ONE["vpcs"]}, clients=cloud), "5 VPCs are used, 1 would be added, and 5")


def test_gateways_are_counted_by_zone(cloud: Clients) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    for zone in ("a", "a", "b"):
        number = {"a": len(ec2.describe_nat_gateways()["NatGateways"]), "b": 9}[zone]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.create_nat_gateway(SubnetId=subnet["Subnet"]["SubnetId"], AllocationId=address)
    stubs = quota(Stubs(), "L-FE5A380F", 2)
    fails("aws.quotas.nat-gateways", subject({"It": ONE["nat-gateways"]}, clients=Clients(REGION, stubs)), "2 NAT")


def test_stacks_that_are_there_are_counted_among_what_is_used(cloud: Clients) -> None:
    body = '{"Resources": {"It": {"Type": "AWS::SNS::Topic"}}}'
    cloud.client("cloudformation").create_stack(StackName="ds-acme-prod", TemplateBody=body)
    assert "nothing" in passes("aws.quotas.vpcs", subject({"It": ONE["vpcs"]}, clients=Clients(REGION, Stubs())))
    document = {"Resources": {"It": ONE["vpcs"]}}
    names = ("ds-acme-prod", "ds-acme-prod-more")
    both = [PlannedStack(name=name, path=f"{name}.json", document=document) for name in names]
    assert "1 VPCs used, 1 added" in passes("aws.quotas.vpcs", subject(stacks=both, clients=cloud))


@pytest.mark.usefixtures("cloud")
def test_a_quota_that_may_not_be_read_is_the_usual_one() -> None:
    stubs = Stubs().refuse("service-quotas", "get_service_quota", "AccessDeniedException")
    seen = passes("aws.quotas.vpcs", subject({"It": ONE["vpcs"]}, clients=Clients(REGION, stubs)))
    assert "of 5 (AWS's default; this login may not read quotas)" in seen


@pytest.mark.usefixtures("cloud")
def test_the_default_where_nobody_has_asked_for_more() -> None:
    stubs = Stubs().refuse("service-quotas", "get_service_quota", "NoSuchResourceException")
    stubs.answer("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 7}})
    assert "of 7" in passes("aws.quotas.vpcs", subject({"It": ONE["vpcs"]}, clients=Clients(REGION, stubs)))
