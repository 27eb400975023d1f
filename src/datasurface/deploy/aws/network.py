"""The stack `network`: a VPC whose nodes and databases nobody reaches from outside, and how they reach what they need.

The first three quarters of its addresses are the nodes' subnets; the last holds those of databases and NAT gateways.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from troposphere import GetAtt, GetAZs, Ref, Select, Sub, Tags, ec2

from datasurface.deploy.aws.endpoints import add_endpoints
from datasurface.deploy.aws.foundation import add_log_group
from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.keys import document, statement
from datasurface.deploy.aws.roles import add_role, service_trust
from datasurface.deploy.aws.template import Stack, StackBuilder, joined
from datasurface.model.aws import AwsExistingNetwork, AwsNetwork
from datasurface.model.vocabulary import AwsEgress

__all__ = ["nat_gateways", "network", "subnet_cidrs"]


def network(ground: Ground) -> Stack | None:
    """Return the stack of the network; None for one that exists with everything in it."""
    made = ground.settings.network
    stack = StackBuilder(ground=ground, key="network", purpose="the network and its ways out")
    if isinstance(made, AwsExistingNetwork):
        if not made.endpoints:
            return None
        add_endpoints(stack, made.vpc, list(made.subnets), cidr=made.cidr, everything=False)
        return stack.built()
    vpc = _add_vpc(stack, made)
    private, tables = _add_private_subnets(stack, vpc, made)
    _add_database_subnets(stack, vpc, made)
    if made.egress is AwsEgress.NAT:
        _add_nat(stack, vpc, made, tables)
    near = private if ground.production else private[:1]
    add_endpoints(stack, Ref(vpc), near, cidr=made.cidr, everything=made.egress is AwsEgress.NONE)
    return stack.built()


def nat_gateways(ground: Ground) -> int:
    """Return how many NAT gateways are made."""
    made = ground.settings.network
    if not isinstance(made, AwsNetwork) or made.egress is AwsEgress.NONE:
        return 0
    if made.nat_gateways is not None:
        return made.nat_gateways
    return made.zones if ground.production else 1


def subnet_cidrs(made: AwsNetwork) -> tuple[list[str], list[str], list[str]]:
    """Return the addresses of the subnets of nodes, databases and NAT gateways, each by zone."""
    *nodes, rest = IPv4Network(made.cidr).subnets(prefixlen_diff=2)
    *databases, last = rest.subnets(prefixlen_diff=2)
    public = list(last.subnets(prefixlen_diff=2))
    return (
        [str(each) for each in nodes[: made.zones]],
        [str(each) for each in databases[: made.zones]],
        [str(each) for each in public[: made.zones]],
    )


def _add_vpc(stack: StackBuilder, made: AwsNetwork) -> ec2.VPC:
    vpc: ec2.VPC = stack.add(
        ec2.VPC(
            "Vpc",
            CidrBlock=made.cidr,
            EnableDnsHostnames=True,
            EnableDnsSupport=True,
            Tags=Tags(Name=stack.ground.names.prefix),
        )
    )
    stack.tell("VpcId", Ref(vpc), "the network")
    stack.tell("VpcCidr", made.cidr, "its addresses")
    names = stack.ground.names
    group = add_log_group(stack, "FlowLogs", names.log_group("network"))
    sending = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"]
    role = add_role(
        stack,
        "FlowLogRole",
        names.role("flow-logs"),
        service_trust(stack.ground, "vpc-flow-logs.amazonaws.com"),
        policies={"send": document(statement("Send", sending, GetAtt(group, "Arn")))},
    )
    stack.add(
        ec2.FlowLog(
            "FlowLog",
            ResourceId=Ref(vpc),
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="cloud-watch-logs",
            LogGroupName=Ref(group),
            DeliverLogsPermissionArn=GetAtt(role, "Arn"),
        )
    )
    return vpc


def _add_private_subnets(
    stack: StackBuilder, vpc: ec2.VPC, made: AwsNetwork
) -> tuple[list[object], list[ec2.RouteTable]]:
    """Add the subnets of nodes, each with a table of its own, tagged so that load balancers inside find them."""
    subnets: list[object] = []
    tables: list[ec2.RouteTable] = []
    for number, cidr in enumerate(subnet_cidrs(made)[0]):
        subnet = _add_subnet(stack, vpc, f"NodeSubnet{number}", cidr, number, {"kubernetes.io/role/internal-elb": "1"})
        table = stack.add(ec2.RouteTable(f"NodeRoutes{number}", VpcId=Ref(vpc)))
        _associate(stack, f"NodeRoutes{number}OfSubnet", subnet, table)
        subnets.append(Ref(subnet))
        tables.append(table)
    stack.tell("NodeSubnets", joined(subnets), "the subnets of the nodes")
    return subnets, tables


def _add_database_subnets(stack: StackBuilder, vpc: ec2.VPC, made: AwsNetwork) -> None:
    """Add the subnets of databases; nothing leads out of them."""
    table = stack.add(ec2.RouteTable("DatabaseRoutes", VpcId=Ref(vpc)))
    subnets: list[object] = []
    for number, cidr in enumerate(subnet_cidrs(made)[1]):
        subnet = _add_subnet(stack, vpc, f"DatabaseSubnet{number}", cidr, number, {})
        _associate(stack, f"DatabaseRoutesOfSubnet{number}", subnet, table)
        subnets.append(Ref(subnet))
    stack.tell("DatabaseSubnets", joined(subnets), "the subnets of the databases")


def _add_nat(stack: StackBuilder, vpc: ec2.VPC, made: AwsNetwork, tables: list[ec2.RouteTable]) -> None:
    """Add NAT gateways in public subnets that nothing else is in, and the nodes' routes to them."""
    internet = stack.add(ec2.InternetGateway("Internet"))
    attached = stack.add(ec2.VPCGatewayAttachment("InternetOfVpc", VpcId=Ref(vpc), InternetGatewayId=Ref(internet)))
    public = stack.add(ec2.RouteTable("PublicRoutes", VpcId=Ref(vpc)))
    everywhere: dict[str, Any] = {"DestinationCidrBlock": "0.0.0.0/0"}
    stack.add(
        ec2.Route(
            "PublicRoute", RouteTableId=Ref(public), GatewayId=Ref(internet), DependsOn=[attached.title], **everywhere
        )
    )
    gateways: list[ec2.NatGateway] = []
    for number in range(nat_gateways(stack.ground)):
        subnet = _add_subnet(stack, vpc, f"PublicSubnet{number}", subnet_cidrs(made)[2][number], number, {})
        _associate(stack, f"PublicRoutesOfSubnet{number}", subnet, public)
        address = stack.add(ec2.EIP(f"NatAddress{number}", Domain="vpc", DependsOn=[attached.title]))
        gateways.append(
            stack.add(
                ec2.NatGateway(f"Nat{number}", SubnetId=Ref(subnet), AllocationId=GetAtt(address, "AllocationId"))
            )
        )
    for number, table in enumerate(tables):
        gateway = gateways[number % len(gateways)]
        stack.add(ec2.Route(f"NodeRoute{number}", RouteTableId=Ref(table), NatGatewayId=Ref(gateway), **everywhere))


def _add_subnet(
    stack: StackBuilder, vpc: ec2.VPC, title: str, cidr: str, zone: int, tags: dict[str, str]
) -> ec2.Subnet:
    name = Sub("${AWS::StackName}-" + title)
    subnet: ec2.Subnet = stack.add(
        ec2.Subnet(
            title,
            VpcId=Ref(vpc),
            CidrBlock=cidr,
            AvailabilityZone=Select(zone, GetAZs("")),
            MapPublicIpOnLaunch=False,
            Tags=Tags({"Name": name, **tags}),
        )
    )
    return subnet


def _associate(stack: StackBuilder, title: str, subnet: ec2.Subnet, table: ec2.RouteTable) -> None:
    stack.add(ec2.SubnetRouteTableAssociation(title, SubnetId=Ref(subnet), RouteTableId=Ref(table)))
