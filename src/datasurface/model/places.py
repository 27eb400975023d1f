"""Where things are for pods of a cluster: what the model says, what a host tells, what `deploy aws` makes. Pure."""

from __future__ import annotations

import ipaddress
import re

from datasurface.model.deployment import Aws
from datasurface.model.infrastructure import AuroraDatabase, Container
from datasurface.model.kubernetes import Egress, Kubernetes

__all__ = ["IN_NETWORK", "place_of_container", "place_of_service"]

IN_NETWORK = frozenset({"airflow_database", "api_server", "release_store", "secret_store"})
"""Services that `deploy aws` makes inside of the network: Aurora, the private API, endpoints of services."""
_IN_CLUSTER = re.compile(r"[^.]+\.(?P<namespace>[a-z0-9-]+)\.svc(\.cluster\.local\.?)?\Z")


def place_of_container(container: Container, cluster: Kubernetes, aws: Aws | None) -> Egress | None:
    """Return where a container is: as the model says, else an address, a service, or a server of ours; else None."""
    if container.name in cluster.egress:
        return cluster.egress[container.name]
    if cluster.postgres is not None and cluster.postgres.container == container.name:
        return Egress(pods={"cnpg.io/cluster": cluster.postgres.cluster})
    if isinstance(container, AuroraDatabase) and aws is not None:
        return Egress([aws.network.cidr])
    host = getattr(container, "host", "")
    if found := _IN_CLUSTER.match(host):
        return Egress(namespace=found["namespace"])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return Egress([f"{address}/{address.max_prefixlen}"])


def place_of_service(name: str, cluster: Kubernetes, aws: Aws | None) -> Egress | None:
    """Return where a service is: as the model says in the field of that name, on AWS the network that it is in."""
    declared: Egress | None = getattr(cluster, name)
    if declared is not None or aws is None or name not in IN_NETWORK:
        return declared
    return Egress([aws.network.cidr])
