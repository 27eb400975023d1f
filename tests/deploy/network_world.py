"""What network policies allow, evaluated as Kubernetes documents it: for what comes from pods, by label or address."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

Manifest = Mapping[str, Any]
NAMESPACE = "kubernetes.io/metadata.name"


def may_connect(
    policies: Sequence[Manifest],
    namespace: str,
    labels: Mapping[str, str],
    port: int,
    *,
    address: str | None = None,
    pod: tuple[str, Mapping[str, str]] | None = None,
    protocol: str = "TCP",
) -> bool:
    """Tell whether a pod may open a connection to an address, or to a pod of a namespace."""
    selecting = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == namespace
        and "Egress" in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], labels)
    ]
    if not selecting:
        return True
    rules = [rule for spec in selecting for rule in spec.get("egress", ())]
    return any(_on(rule, port, protocol) and _to(rule, namespace, address, pod) for rule in rules)


def _selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def _on(rule: Manifest, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return ports is None or any(each["port"] == port and each["protocol"] == protocol for each in ports)


def _to(rule: Manifest, namespace: str, address: str | None, pod: tuple[str, Mapping[str, str]] | None) -> bool:
    for peer in rule["to"]:
        if "ipBlock" in peer:
            block = ipaddress.ip_network(peer["ipBlock"]["cidr"])
            if address is not None and ipaddress.ip_address(address) in block:
                return True
        elif pod is not None:
            where, labels = pod
            wanted = peer.get("namespaceSelector")
            here = where == namespace if wanted is None else _selects(wanted, {NAMESPACE: where})
            if here and _selects(peer.get("podSelector", {}), labels):
                return True
    return False
