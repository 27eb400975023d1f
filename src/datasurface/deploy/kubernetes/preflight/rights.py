"""Which rights applying the manifests takes, and the rules that would grant those that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from datasurface.deploy.kubernetes.preflight.api import Right

__all__ = ["missing_role", "wanted_rights"]

_VERBS = ("create", "get", "patch")
"""What `kubectl apply` does with each object."""
_RESOURCES = {
    "NetworkPolicy": "networkpolicies",
    "PriorityClass": "priorityclasses",
}


def wanted_rights(objects: Iterable[dict[str, Any]]) -> tuple[Right, ...]:
    """Return the rights that applying objects takes, sorted; those that a role grants have to be one's own, too."""
    found: set[Right] = set()
    for each in objects:
        group = each["apiVersion"].rpartition("/")[0]
        resource = _RESOURCES.get(each["kind"], f"{each['kind'].lower()}s")
        namespace = each["metadata"].get("namespace")
        found |= {Right(group, resource, verb, namespace) for verb in _VERBS}
        if each["kind"] == "Role":
            found |= _granted(each)
    return tuple(sorted(found, key=lambda right: (right.group, right.resource, right.verb, right.namespace or "")))


def _granted(role: dict[str, Any]) -> set[Right]:
    """Return the rights in a role: the API lets nobody grant what he has not."""
    namespace = role["metadata"]["namespace"]
    return {
        Right(group, resource, verb, namespace)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def missing_role(missing: Sequence[Right]) -> dict[str, object]:
    """Return a list of roles that hold exactly what is missing, one a namespace and one for the cluster."""
    by_place: dict[str, dict[tuple[str, str], list[str]]] = {}
    for right in missing:
        rules = by_place.setdefault(right.namespace or "", {})
        rules.setdefault((right.group, right.resource), []).append(right.verb)
    return {"apiVersion": "v1", "kind": "List", "items": [_role(*each) for each in sorted(by_place.items())]}


def _role(namespace: str, rules: dict[tuple[str, str], list[str]]) -> dict[str, object]:
    metadata = {"name": "datasurface-apply", **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": metadata,
        "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs)}
            for (group, resource), verbs in sorted(rules.items())
        ],
    }
