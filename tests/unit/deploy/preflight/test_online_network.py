"""The network as it is: an existing VPC in the stand-in's account, and the way to databases that exist already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aws_stubs import Stubs
from datasurface import AuroraDatabase, PostgresDatabase, YellowPlatform
from datasurface.deploy.aws.preflight.clients import Clients
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.packing import PodNeed
from datasurface.model.aws import AwsExistingNetwork, AwsNetwork
from preflight_bench import REGION, aws, deployed, fails, passes, resource, skips, subject, warns

INTERNAL = [{"Key": "kubernetes.io/role/internal-elb", "Value": "1"}]
GROUP = {"Nodes": resource("EKS::Nodegroup", InstanceTypes=["m5.large"], ScalingConfig={"MaxSize": 2})}


@dataclass
class Net:
    """A VPC with two subnets."""

    cloud: Clients
    vpc: str
    subnets: list[str]

    @property
    def ec2(self) -> Any:
        return self.cloud.client("ec2")

    def given(self, cidr: str = "10.1.0.0/16", **more: Any) -> AwsSubject:
        network = AwsExistingNetwork(self.vpc, cidr=cidr, subnets=self.subnets)
        return subject(settings=aws(network=network), clients=self.cloud, **more)


@pytest.fixture
def net(cloud: Clients) -> Net:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for number, zone in enumerate("ab")
    ]
    return Net(cloud, vpc, [each["Subnet"]["SubnetId"] for each in subnets])


def test_the_vpc_exists(net: Net) -> None:
    assert "has 10.1.0.0/16" in passes("aws.vpc.exists", net.given())
    fails("aws.vpc.exists", net.given("10.2.0.0/16"), "10.1.0.0/16", "10.2.0.0/16")
    net.vpc = "vpc-00000000"
    fails("aws.vpc.exists", net.given(), "there is no VPC vpc-00000000")


def test_the_name_service(net: Net) -> None:
    net.ec2.modify_vpc_attribute(VpcId=net.vpc, EnableDnsHostnames={"Value": True})
    assert "is on" in passes("aws.vpc.names", net.given())
    net.ec2.modify_vpc_attribute(VpcId=net.vpc, EnableDnsHostnames={"Value": False})
    fails("aws.vpc.names", net.given(), "enableDnsHostnames is off", "--enable-dns-hostnames Value=true")


def test_subnets(net: Net) -> None:
    assert "2 subnets in 2 zones" in passes("aws.vpc.subnets", net.given())
    elsewhere = net.ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    strange = net.ec2.create_subnet(VpcId=elsewhere, CidrBlock="10.3.0.0/24")["Subnet"]["SubnetId"]
    net.subnets.append(strange)
    fails("aws.vpc.subnets", net.given(), f"it is in {elsewhere}", strange)
    net.subnets[1:] = []
    fails("aws.vpc.subnets", net.given(), "in 1 zone")


def test_subnets_that_are_not_there(net: Net) -> None:
    net.subnets.append("subnet-00000000")
    fails("aws.vpc.subnets", net.given(), "there is no subnet subnet-00000000")


def test_a_zone_without_a_control_plane() -> None:
    told = [
        {"SubnetId": name, "VpcId": "vpc-1", "AvailabilityZone": zone, "AvailabilityZoneId": known}
        for name, zone, known in (("subnet-1", "us-east-1e", "use1-az3"), ("subnet-2", "us-east-1a", "use1-az1"))
    ]
    stubs = Stubs().answer("ec2", "describe_subnets", {"Subnets": told}, {"SubnetIds": ["subnet-1", "subnet-2"]})
    network = AwsExistingNetwork("vpc-1", cidr="10.1.0.0/16", subnets=["subnet-1", "subnet-2"])
    fails("aws.vpc.subnets", subject(settings=aws(network=network), clients=Clients(REGION, stubs)), "use1-az3")


def test_free_addresses(net: Net) -> None:
    assert "502 addresses" in passes("aws.vpc.addresses", net.given(resources=GROUP))
    many = [PodNeed(name="x", cpu=1, memory=1, count=600)]
    fails("aws.vpc.addresses", net.given(resources=GROUP, pods=many), "600 pods")


def test_tags_of_subnets(net: Net) -> None:
    net.ec2.create_tags(Resources=net.subnets[:1], Tags=INTERNAL)
    fails("aws.vpc.tags", net.given(), net.subnets[1], "aws ec2 create-tags")
    net.ec2.create_tags(Resources=net.subnets, Tags=INTERNAL)
    passes("aws.vpc.tags", net.given())


def test_the_way_out(net: Net) -> None:
    warns("aws.vpc.routes", net.given(), "no route leads out")
    address = net.ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = net.ec2.create_nat_gateway(SubnetId=net.subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    table = net.ec2.create_route_table(VpcId=net.vpc)["RouteTable"]["RouteTableId"]
    net.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
    for subnet in net.subnets:
        net.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert "a route leads out" in passes("aws.vpc.routes", net.given())


def test_a_route_into_nothing_and_a_public_subnet() -> None:
    def told(**route: str) -> Clients:
        routes = [{"DestinationCidrBlock": "0.0.0.0/0", **route}]
        table = {"Associations": [{"Main": True}], "Routes": routes}
        return Clients(REGION, Stubs().answer("ec2", "describe_route_tables", {"RouteTables": [table]}))

    settings = aws(network=AwsExistingNetwork("vpc-1", cidr="10.1.0.0/16", subnets=["subnet-1"]))
    hole = told(NatGatewayId="nat-1", State="blackhole")
    fails("aws.vpc.routes", subject(settings=settings, clients=hole), "black hole")
    public = told(GatewayId="igw-1", State="active")
    warns("aws.vpc.routes", subject(settings=settings, clients=public), "public subnet")


def test_networks_that_could_never_be_peered(net: Net) -> None:
    passes("aws.vpc.overlap", subject(settings=aws(network=AwsNetwork(cidr="10.64.0.0/16")), clients=net.cloud))
    near = subject(settings=aws(network=AwsNetwork(cidr="10.1.0.0/20")), clients=net.cloud)
    warns("aws.vpc.overlap", near, net.vpc, "10.1.0.0/16")


def test_instance_types_of_the_region(cloud: Clients) -> None:
    passes("aws.vpc.offered", subject(GROUP, clients=cloud))
    none = Stubs().answer("ec2", "describe_instance_type_offerings", {"InstanceTypeOfferings": []})
    fails("aws.vpc.offered", subject(GROUP, clients=Clients(REGION, none)), "has no m5.large")
    one = [{"InstanceType": "m5.large", "Location": "eu-central-1a"}]
    single = Stubs().answer("ec2", "describe_instance_type_offerings", {"InstanceTypeOfferings": one})
    warns("aws.vpc.offered", subject(GROUP, clients=Clients(REGION, single)), "only in eu-central-1a")


def test_zones_of_the_region(cloud: Clients) -> None:
    assert "3 zones, 3 are wanted" in passes("aws.vpc.zones", subject(clients=cloud))
    one = {"AvailabilityZones": [{"ZoneName": "eu-central-1a"}]}
    few = Clients(REGION, Stubs().answer("ec2", "describe_availability_zones", one))
    fails("aws.vpc.zones", subject(clients=few), "has 1 zones", "zones=2")


@pytest.mark.parametrize("there", [True, False])
def test_databases_of_the_region(there: bool) -> None:
    options = [{"Engine": "aurora-postgresql", "DBInstanceClass": "db.r7g.large"}] if there else []
    asked = {"Engine": "aurora-postgresql", "EngineVersion": "17.7", "DBInstanceClass": "db.r7g.large"}
    told = {"OrderableDBInstanceOptions": options}
    stubs = Stubs().answer("rds", "describe_orderable_db_instance_options", told, asked)
    resources = {
        "Database": resource("RDS::DBCluster", EngineVersion="17.7"),
        "Instance": resource("RDS::DBInstance", DBInstanceClass="db.r7g.large"),
    }
    given = subject(resources, clients=Clients(REGION, stubs))
    if there:
        passes("aws.vpc.databases", given)
    else:
        fails("aws.vpc.databases", given, "has no Aurora PostgreSQL 17.7 on db.r7g.large", "describe-orderable")


def database(net: Net, **more: Any) -> dict[str, Any]:
    """Make a database in the VPC; return what RDS says of it."""
    rds = net.cloud.client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName="acme", DBSubnetGroupDescription="x", SubnetIds=net.subnets)
    return dict(
        rds.create_db_cluster(
            DBClusterIdentifier="merge",
            Engine="aurora-postgresql",
            EngineVersion="16.4",
            MasterUsername="x",
            MasterUserPassword="hunter22hunter",
            DBSubnetGroupName="acme",
            Port=5432,
            **more,
        )["DBCluster"]
    )


def reading(net: Net, host: str, *, own: bool = True, **more: Any) -> AwsSubject:
    """Return a deployment whose merge database is at that host."""
    merge = AuroraDatabase("merge", host=host, database="merge", credential="merge_admin")
    network = AwsExistingNetwork(net.vpc, cidr="10.1.0.0/16", subnets=net.subnets) if own else AwsNetwork()
    platform = YellowPlatform("yellow", container=merge, secrets=["aws"])
    return subject(what=deployed(aws(network=network, **more), platform=platform), clients=net.cloud)


def test_a_database_that_lets_the_nodes_in(net: Net) -> None:
    group = net.ec2.create_security_group(GroupName="db", Description="x", VpcId=net.vpc)["GroupId"]
    made = database(net, VpcSecurityGroupIds=[group])
    host = made["Endpoint"]
    fails("aws.reach.database", reading(net, host), group, "neither now nor after", f"database_groups=['{group}']")
    opened = reading(net, host, database_groups=[group])
    assert "is opened for the nodes" in passes("aws.reach.database", opened)
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
    net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    assert "lets the nodes in" in passes("aws.reach.database", reading(net, host))


def test_databases_that_rds_does_not_know(net: Net) -> None:
    assert "nothing" in passes("aws.reach.database", reading(net, "db.elsewhere.example"))


def test_a_database_of_another_vpc(net: Net) -> None:
    host = database(net)["Endpoint"]
    passes("aws.reach.vpc", reading(net, host))
    warns("aws.reach.vpc", reading(net, host, own=False), "nothing connects the two yet", net.vpc)
    other = net.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    moved = Net(net.cloud, other, net.subnets)
    fails("aws.reach.vpc", reading(moved, host), net.vpc, other, "create-vpc-peering-connection")
    peering = net.ec2.create_vpc_peering_connection(VpcId=other, PeerVpcId=net.vpc)["VpcPeeringConnection"]
    net.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
    assert "are peered" in passes("aws.reach.vpc", reading(moved, host))


def test_the_file_system(net: Net) -> None:
    assert "nothing" in passes("aws.reach.filesystem", net.given())
    network = AwsExistingNetwork(net.vpc, cidr="10.1.0.0/16", subnets=net.subnets)
    settings = aws(network=network, shared_storage=True, cluster="acme")
    skips("aws.reach.filesystem", subject(settings=settings, clients=net.cloud), "not there yet")
    role = "arn:aws:iam::123456789012:role/x"
    config = {"subnetIds": net.subnets}
    net.cloud.client("eks").create_cluster(name="acme", roleArn=role, resourcesVpcConfig=config)
    efs = net.cloud.client("efs")
    tags = [{"Key": "Name", "Value": "ds-acme-prod"}]
    made = efs.create_file_system(CreationToken="x", Tags=tags)["FileSystemId"]
    group = net.ec2.create_security_group(GroupName="files", Description="x", VpcId=net.vpc)["GroupId"]
    efs.create_mount_target(FileSystemId=made, SubnetId=net.subnets[0], SecurityGroups=[group])
    fails("aws.reach.filesystem", subject(settings=settings, clients=net.cloud), "no mount target in eu-central-1b")
    fails(
        "aws.reach.filesystem", subject(settings=settings, clients=net.cloud), "does not let the nodes in at port 2049"
    )
    efs.create_mount_target(FileSystemId=made, SubnetId=net.subnets[1], SecurityGroups=[group])
    rule = {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
    net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    assert "2 mount targets" in passes("aws.reach.filesystem", subject(settings=settings, clients=net.cloud))


def test_databases_as_rds_describes_them(net: Net) -> None:
    host = database(net, BackupRetentionPeriod=7, DeletionProtection=True)["Endpoint"]
    assert "is supported until 2029-02-28" in passes("aws.database.existing", reading(net, host))
    rds = net.cloud.client("rds")
    rds.modify_db_cluster(DBClusterIdentifier="merge", DeletionProtection=False)
    warns("aws.database.existing", reading(net, host), "by mistake")


@pytest.mark.parametrize(
    ("changed", "verdict", "words"),
    [
        ({"Status": "stopped"}, "fail", "it is stopped"),
        ({"EngineVersion": "11.9"}, "fail", "has ended"),
        ({"BackupRetentionPeriod": 0}, "warn", "no backups"),
        ({"PubliclyAccessible": True}, "warn", "public address"),
    ],
)
def test_databases_in_no_good_state(changed: dict[str, Any], verdict: str, words: str) -> None:
    told = {"Endpoint": "db.example", "Status": "available", "Engine": "aurora-postgresql", "EngineVersion": "16.4"}
    told |= {"BackupRetentionPeriod": 7, "DeletionProtection": True, **changed}  # type: ignore[dict-item]
    stubs = Stubs().answer("rds", "describe_db_clusters", {"DBClusters": [told]})
    stubs.answer("rds", "describe_db_instances", {"DBInstances": []})
    merge = PostgresDatabase("merge", host="DB.example", database="merge", credential="merge_admin")
    platform = YellowPlatform("yellow", container=merge, secrets=["aws"])
    given = subject(what=deployed(platform=platform), clients=Clients(REGION, stubs))
    (fails if verdict == "fail" else warns)("aws.database.existing", given, words, "merge")
