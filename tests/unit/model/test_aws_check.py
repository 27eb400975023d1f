"""Settings of AWS that cannot be are found by `check`, each with what it takes."""

from __future__ import annotations

from typing import Any

import pytest

from datasurface import AuroraCluster, Aws, AwsEgress, AwsExistingNetwork, AwsNetwork, NodeGroup
from datasurface.model.deployment_check import deployment_problems


def problems(**settings: Any) -> list[str]:
    return list(deployment_problems(Aws(**{"account": "123456789012", "region": "eu-central-1", **settings})))


VPC = "vpc-0123456789abcdef0"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"network": AwsNetwork(cidr="10.0.0.0/24")}, "a /16 to /20"),
        ({"network": AwsNetwork(cidr="10.0.1.0/16")}, "in the middle of a /16"),
        ({"network": AwsNetwork(cidr="8.0.0.0/16")}, "private addresses"),
        ({"network": AwsNetwork(cidr="10.0.0.300/16")}, "addresses such as"),
        ({"network": AwsNetwork(zones=1)}, "2 or 3"),
        ({"network": AwsNetwork(nat_gateways=4)}, "1 to 3"),
        ({"network": AwsNetwork(egress=AwsEgress.NONE, nat_gateways=1)}, "with egress=AwsEgress.NAT"),
        (
            {"network": AwsExistingNetwork("acme", cidr="10.0.0.0/16", subnets=["subnet-01234567", "subnet-12345678"])},
            "id of a VPC",
        ),
        ({"network": AwsExistingNetwork(VPC, cidr="10.0.0.0/16", subnets=["subnet-01234567"])}, "two or more"),
        ({"network": AwsExistingNetwork(VPC, cidr="10.0.0.0/16", subnets=["a", "subnet-01234567"])}, "ids of subnets"),
        ({"databases": [AuroraCluster("m", version="9.6")]}, "a version such as 17.7"),
        ({"databases": [AuroraCluster("m", instance="r7g.large")]}, "a class such as db.r7g.large"),
        ({"databases": [AuroraCluster("m", backup_days=0)]}, "1 to 35"),
        ({"databases": [AuroraCluster("m", instances=0)]}, "1 to 16"),
        ({"databases": [AuroraCluster("m", rotate_days=0)]}, "1 to 1000"),
        ({"databases": [AuroraCluster("m"), AuroraCluster("m")]}, "'m' is there twice"),
        ({"nodes": []}, "at least one NodeGroup"),
        ({"nodes": [NodeGroup("a"), NodeGroup("a")]}, "'a' is there twice"),
        ({"nodes": [NodeGroup("a b")]}, "at most 32 letters"),
        ({"nodes": [NodeGroup("a", instance="large")]}, "a type such as m7i.xlarge"),
        ({"nodes": [NodeGroup("a", smallest=3, largest=2)]}, "no less than the smallest"),
        ({"nodes": [NodeGroup("a", disk=5)]}, "20 to 16384"),
        ({"keep_logs": 0}, "1 to 3653"),
        ({"tags": {"aws:x": "y"}}, "no name aws:"),
        ({"tags": {f"k{n}": "v" for n in range(41)}}, "it takes 40"),
        ({"kubernetes": "latest"}, "a version such as"),
        ({"database_groups": ["crm"]}, "sg-…"),
        ({"create_roles": ["arn:aws:iam::123456789012:role/x"]}, "a role's name"),
        ({"admins": ["ops"]}, "the ARN of a role or user"),
        ({"api_access": ["0.0.0.0/0"]}, "not all of them"),
        ({"alarms_to": ["ops"]}, "mail addresses"),
        ({"expires": "soon"}, "a day such as"),
    ],
)
def test_a_setting_that_cannot_be_is_told(settings: dict[str, Any], words: str):
    (problem,) = problems(**settings)
    assert words in problem


def test_settings_that_can_be_are_not_told():
    assert (
        problems(
            network=AwsNetwork(cidr="172.16.0.0/16", zones=2, nat_gateways=2),
            databases=[AuroraCluster("merge", version="18.3", instances=3)],
            database_groups=["sg-0123456789abcdef0:1433"],
            nodes=[NodeGroup("jobs", instance="m7g.2xlarge", spot=True), NodeGroup("airflow", largest=4)],
            admins=["arn:aws:iam::123456789012:role/path/ops"],
            api_access=["203.0.113.7/32"],
            alarms_to=["ops@acme.example"],
            expires="2027-01-31",
            tags={"cost-centre": "42"},
        )
        == []
    )
