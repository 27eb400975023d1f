"""Endpoints of AWS's services inside the network: what jobs say to them never leaves it.

That of S3 is an interface like all others: at a gateway S3 would keep its public addresses, and no network policy of
Kubernetes could tell them from anybody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from troposphere import Ref, Sub, Tags, ec2

from datasurface.deploy.aws.keys import document
from datasurface.deploy.aws.template import StackBuilder

__all__ = ["add_endpoints", "interface_services", "nowhere"]

_ALWAYS = ("ecr.api", "ecr.dkr", "eks-auth", "kms", "logs", "s3", "secretsmanager", "sts")
"""What jobs and nodes talk to all the time: images, identities, keys, logs, secrets."""
_WITHOUT_EGRESS = ("autoscaling", "ec2", "eks", "elasticloadbalancing", "monitoring")
"""What nodes and add-ons need besides, where nothing leads out."""
_OWN_ACCOUNT_ONLY = frozenset({"kms", "secretsmanager"})
"""Where every request is signed by a principal of this account: no stolen key of another one works there."""
_HTTPS = 443


def interface_services(*, everything: bool, shared_storage: bool) -> tuple[str, ...]:
    """Return the services that get an endpoint, sorted."""
    storage = ("elasticfilesystem",) if shared_storage and everything else ()
    return tuple(sorted((*_ALWAYS, *(_WITHOUT_EGRESS if everything else ()), *storage)))


def add_endpoints(
    stack: StackBuilder,
    vpc: object,
    subnets: Sequence[object],
    *,
    cidr: str,
    everything: bool,
) -> None:
    """Add the endpoints, and the group that lets the network's own addresses use them."""
    group = stack.add(
        ec2.SecurityGroup(
            "EndpointGroup",
            VpcId=vpc,
            GroupDescription="HTTPS from the network to endpoints of AWS services",
            SecurityGroupIngress=[
                ec2.SecurityGroupRule(
                    IpProtocol="tcp", FromPort=_HTTPS, ToPort=_HTTPS, CidrIp=cidr, Description="from the network"
                )
            ],
            SecurityGroupEgress=[nowhere()],
            Tags=Tags(Name=Sub("${AWS::StackName}-endpoints")),
        )
    )
    storage = stack.ground.settings.shared_storage
    for service in interface_services(everything=everything, shared_storage=storage):
        own: dict[str, Any] = {"PolicyDocument": _own_account(stack)} if service in _OWN_ACCOUNT_ONLY else {}
        if service == "s3":
            own["DnsOptions"] = ec2.DnsOptionsSpecification(PrivateDnsOnlyForInboundResolverEndpoint="AllResolvers")
        stack.add(
            ec2.VPCEndpoint(
                "".join(part.capitalize() for part in service.replace("-", ".").split(".")) + "Endpoint",
                VpcId=vpc,
                VpcEndpointType="Interface",
                ServiceName=Sub("com.amazonaws.${AWS::Region}." + service),
                SubnetIds=list(subnets),
                SecurityGroupIds=[Ref(group)],
                PrivateDnsEnabled=True,
                **own,
            )
        )


def nowhere() -> ec2.SecurityGroupRule:
    """Return the rule of a group that opens no connections: without any, AWS would add one that allows all."""
    return ec2.SecurityGroupRule(IpProtocol="-1", CidrIp="127.0.0.1/32", Description="nothing goes out")


def _own_account(stack: StackBuilder) -> dict[str, object]:
    account = {"StringEquals": {"aws:PrincipalAccount": stack.ground.names.account}}
    return document({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": account})
