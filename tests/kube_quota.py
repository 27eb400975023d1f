"""What the controller of quotas does: it counts what the pods that have not ended take of a namespace's quota.

The API server itself charges a quota when it admits a pod, and gives nothing back.
"""

from __future__ import annotations

from kube_cluster import Cluster, Document, Refused

_KINDS, _NAMES = ("requests", "limits"), ("cpu", "memory", "ephemeral-storage")
_THOUSANDTHS = {"m": 1, "Mi": 1000 * 2**20, "Gi": 1000 * 2**30}
_CONFLICT = 409


def count(cluster: Cluster) -> None:
    """Say of each quota how much is used now."""
    for quota in cluster.call("GET", "/api/v1/resourcequotas")["items"]:
        while not _counted(cluster, quota["metadata"]["namespace"], quota["metadata"]["name"]):
            pass


def _counted(cluster: Cluster, namespace: str, name: str) -> bool:
    """Count for one quota; return whether no pod was admitted in the meantime."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/{name}"
    quota = cluster.call("GET", path)
    hard = quota["spec"]["hard"]
    used = dict.fromkeys(hard, "0") | quota["status"].get("used", {}) | _used(cluster, namespace)
    status = {"hard": hard, "used": {each: used[each] for each in hard}}
    metadata = {"resourceVersion": quota["metadata"]["resourceVersion"]}
    try:
        cluster.call(
            "PATCH", f"{path}/status", {"metadata": metadata, "status": status}, "application/merge-patch+json"
        )
    except Refused as refused:
        if refused.status != _CONFLICT:
            raise
        return False
    return True


def _used(cluster: Cluster, namespace: str) -> dict[str, str]:
    pods = cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    live = [pod["spec"] for pod in pods if pod["status"].get("phase") not in {"Succeeded", "Failed"}]
    found = {f"{kind}.{name}": f"{_sum(live, kind, name)}m" for kind in _KINDS for name in _NAMES}
    return {"pods": str(len(live)), **found}


def _sum(specs: list[Document], kind: str, name: str) -> int:
    """Return thousandths of what all containers ask for."""
    containers = [container for spec in specs for container in spec["containers"]]
    return sum(_thousandths(container["resources"].get(kind, {}).get(name, "0")) for container in containers)


def _thousandths(quantity: str) -> int:
    for unit, factor in _THOUSANDTHS.items():
        if quantity.endswith(unit):
            return int(quantity.removesuffix(unit)) * factor
    return int(quantity) * 1000
