"""What an environment's deployment to AWS consists of: network, databases, nodes. Parts of the noun `Aws`.

Whatever is not said is safe: private, encrypted, backed up, kept. Each departure from that is a field that somebody
has set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import Noun, noun
from datasurface.model.vocabulary import AwsEgress

__all__ = ["AuroraCluster", "AwsExistingNetwork", "AwsNetwork", "NodeGroup"]


@noun
class AwsNetwork(Noun):
    """A VPC that is made: a private subnet in each zone, endpoints of AWS's services, and NAT if wanted.

    Attributes:
        cidr: Its addresses, a /16 to /20 that no network it is connected with uses.
        zones: In how many availability zones it has subnets, 2 or 3.
        egress: How pods reach sources and registries outside: through NAT gateways, or not at all.
        nat_gateways: How many; None for one in each zone if the environment serves production, else one.
    """

    cidr: str = "10.64.0.0/16"
    zones: int = 3
    egress: AwsEgress = AwsEgress.NAT
    nat_gateways: int | None = None


@noun
class AwsExistingNetwork(Noun):
    """A VPC that somebody else has made.

    Attributes:
        vpc: Its id, `vpc-…`.
        cidr: Its addresses.
        subnets: The ids of private subnets in at least two zones, tagged `kubernetes.io/role/internal-elb`.
        endpoints: Whether endpoints of AWS's services are made in it; where it has them already, they are not.
    """

    vpc: str = field(kw_only=False)
    cidr: str
    subnets: Sequence[str]
    endpoints: bool = False


@noun
class AuroraCluster(Noun):
    """An Aurora PostgreSQL cluster that is made for one of the environment's containers, an `AuroraDatabase`.

    Attributes:
        container: The container's name.
        version: The version of Aurora PostgreSQL.
        instance: The class of its instances.
        instances: How many; None for two in two zones if the environment serves production, else one.
        backup_days: For how many days it can be put back to any moment.
        deletion_protection: Whether it refuses to be deleted.
        rotate_days: How old the administrator's password gets.
    """

    container: str = field(kw_only=False)
    version: str = "17.7"
    instance: str = "db.r7g.large"
    instances: int | None = None
    backup_days: int = 14
    deletion_protection: bool = True
    rotate_days: int = 30


@noun
class NodeGroup(Noun):
    """Nodes of one type.

    Attributes:
        instance: The instance type; None for the smallest that holds every pod.
        smallest: How many nodes there are at least.
        largest: How many there are at most; None for as many as all pods that may run at once need, and one more.
        disk: The size of each node's volume, in GiB.
        spot: Whether spare capacity is used, which AWS may take back at two minutes' notice.
    """

    name: str = field(kw_only=False)
    instance: str | None = None
    smallest: int = 2
    largest: int | None = None
    disk: int = 80
    spot: bool = False
