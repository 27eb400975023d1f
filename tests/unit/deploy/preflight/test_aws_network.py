"""The network that is made: addresses, zones, tags, and whether nodes get to the database and to files."""

from __future__ import annotations

from typing import Any

import pytest

from datasurface import PostgresDatabase, YellowPlatform
from datasurface.deploy.packing import PodNeed
from datasurface.model.aws import AwsNetwork
from preflight_bench import Resources, aws, deployed, fails, passes, resource, subject, warns

INTERNAL = [{"Key": "kubernetes.io/role/internal-elb", "Value": "1"}]
VPC = resource("EC2::VPC", CidrBlock="10.64.0.0/16")


def subnet(cidr: str, zone: str = "a", **more: Any) -> dict[str, Any]:
    return resource("EC2::Subnet", CidrBlock=cidr, AvailabilityZone=zone, **more)


def test_networks_that_fit() -> None:
    passes("aws.network.cidr", subject({"Vpc": VPC, "A": subnet("10.64.0.0/20"), "B": subnet("10.64.16.0/20")}))


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/8")}, "a VPC is a /16 to /28"),
        ({"Vpc": VPC, "A": subnet("10.65.0.0/20")}, "outside of the VPC"),
        ({"Vpc": VPC, "A": subnet("10.64.0.0/20"), "B": subnet("10.64.8.0/21")}, "overlap"),
        (
            {"C": resource("EKS::Cluster", KubernetesNetworkConfig={"ServiceIpv4Cidr": "10.64.0.0/20"})},
            "of the services overlaps",
        ),
    ],
)
def test_networks_that_do_not_fit(resources: Resources, words: str) -> None:
    fails("aws.network.cidr", subject(resources), words)


def test_a_network_that_is_none() -> None:
    fails("aws.network.cidr", subject(settings=aws(network=AwsNetwork(cidr="10.64.0.1/16"))), "is no network")


def test_a_database_with_an_address_of_the_network() -> None:
    inside = PostgresDatabase("merge", host="10.64.3.4", database="merge", credential="merge_admin")
    platform = YellowPlatform("yellow", container=inside, secrets=["aws"])
    warns("aws.network.cidr", subject(what=deployed(platform=platform)), "10.64.3.4", "not be reached")


def test_addresses_for_pods() -> None:
    pods = [PodNeed(name="x", cpu=1, memory=1, count=100)]
    large = {"A": subnet("10.64.0.0/20")}
    assert "4091 addresses" in passes("aws.network.addresses", subject(large, pods=pods))
    warns("aws.network.addresses", subject({"A": subnet("10.64.0.0/25")}, pods=pods), "123 addresses")
    fails("aws.network.addresses", subject({"A": subnet("10.64.0.0/26")}, pods=pods), "have 59")


def test_zones() -> None:
    two = {"A": subnet("10.64.0.0/20", "a"), "B": subnet("10.64.16.0/20", "b")}
    passes("aws.network.zones", subject(two))
    fails("aws.network.zones", subject({"A": two["A"]}), "one zone")


def test_tags_for_load_balancers() -> None:
    one, other = subnet("10.64.0.0/20", "a", Tags=INTERNAL), subnet("10.64.16.0/20", "b", Tags=INTERNAL)
    passes("aws.network.tags", subject({"A": one, "B": other}))
    fails("aws.network.tags", subject({"A": one, "B": subnet("10.64.16.0/20", "b")}), "1 of 2 subnets", "Pending")
    public = subnet("10.64.32.0/20", "c", Tags=INTERNAL, MapPublicIpOnLaunch=True)
    fails("aws.network.tags", subject({"A": one, "B": other, "C": public}), "it is public")


DATABASE = resource("RDS::DBCluster", VpcSecurityGroupIds=[{"Fn::GetAtt": ["DatabaseGroup", "GroupId"]}])
CLUSTER = resource("EKS::Cluster", Name="acme")


def let_in(source: Any, **more: Any) -> dict[str, Any]:
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "SourceSecurityGroupId": source, **more}
    return resource("EC2::SecurityGroupIngress", GroupId={"Ref": "DatabaseGroup"}, **rule)


def with_rule(rule: dict[str, Any], **more: dict[str, Any]) -> Resources:
    return {
        "DatabaseGroup": resource("EC2::SecurityGroup"),
        "Database": DATABASE,
        "Cluster": CLUSTER,
        "Rule": rule,
        **more,
    }


def test_the_group_that_nodes_really_have_is_let_in() -> None:
    nodes = {"Fn::GetAtt": ["Cluster", "ClusterSecurityGroupId"]}
    assert "5432" in passes("aws.network.database", subject(with_rule(let_in(nodes))))


def test_another_group_than_the_nodes_have() -> None:
    """The classic: an additional group of the control plane is let in, which no node has."""
    extra = resource("EC2::SecurityGroup")
    given = subject(with_rule(let_in({"Ref": "ControlPlane"}), ControlPlane=extra))
    fails("aws.network.database", given, "DatabaseGroup", "Cluster.ClusterSecurityGroupId", "5432")


def test_another_port() -> None:
    nodes = {"Fn::GetAtt": ["Cluster", "ClusterSecurityGroupId"]}
    fails("aws.network.database", subject(with_rule(let_in(nodes, FromPort=80, ToPort=80))), "5432")


def test_groups_of_launch_templates_are_those_of_nodes() -> None:
    launch = resource("EC2::LaunchTemplate", LaunchTemplateData={"SecurityGroupIds": [{"Ref": "NodeGroup"}]})
    groups = {"Launch": launch, "NodeGroup": resource("EC2::SecurityGroup")}
    passes("aws.network.database", subject(with_rule(let_in({"Ref": "NodeGroup"}), **groups)))
    fails(
        "aws.network.database",
        subject(with_rule(let_in({"Fn::GetAtt": ["Cluster", "ClusterSecurityGroupId"]}), **groups)),
    )


def test_a_whole_network_may_be_let_in() -> None:
    rule = let_in(None, CidrIp="10.64.0.0/16")
    passes("aws.network.database", subject({**with_rule(rule), "Vpc": VPC}))
    elsewhere = let_in(None, CidrIp="10.99.0.0/16")
    fails("aws.network.database", subject({**with_rule(elsewhere), "Vpc": VPC}))


def test_mount_targets_are_open_for_nodes() -> None:
    target = resource("EFS::MountTarget", SecurityGroups=[{"Ref": "Files"}])
    nodes = {"Fn::GetAtt": ["Cluster", "ClusterSecurityGroupId"]}

    def files(port: int) -> Resources:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "SourceSecurityGroupId": nodes}
        group = resource("EC2::SecurityGroup", SecurityGroupIngress=[rule])
        return {"Files": group, "Target": target, "Cluster": CLUSTER}

    passes("aws.network.filesystem", subject(files(2049)))
    fails("aws.network.filesystem", subject(files(2048)), "2049")
