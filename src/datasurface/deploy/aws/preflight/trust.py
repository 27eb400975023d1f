"""What a role's trust policy has to say for pods to take the role on: by service account, or by Pod Identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from datasurface.deploy.aws.preflight.policies import statements_of
from datasurface.deploy.aws.preflight.template import is_known, listed

__all__ = [
    "AUDIENCE",
    "clusters_of",
    "issuers_of",
    "pod_identity_problems",
    "subjects_of",
    "trusts_all_pods",
    "web_identity_problems",
]

AUDIENCE = "sts.amazonaws.com"
_WEB, _PODS = "sts:AssumeRoleWithWebIdentity", "pods.eks.amazonaws.com"
_ACCOUNT_TAG = "aws:RequestTag/kubernetes-service-account"
_CLUSTER_KEYS = frozenset({"aws:SourceArn", "aws:RequestTag/eks-cluster-arn", "aws:RequestTag/eks-cluster-name"})


def _of_web(trust: Any) -> Iterator[Mapping[str, Any]]:
    for statement in statements_of(trust):
        if _WEB in listed(statement.get("Action")) and statement.get("Effect") == "Allow":
            yield statement


def _of_pods(trust: Any) -> Iterator[Mapping[str, Any]]:
    for statement in statements_of(trust):
        principal = statement.get("Principal", {})
        if isinstance(principal, Mapping) and _PODS in listed(principal.get("Service")):
            yield statement


def issuers_of(trust: Any) -> tuple[str, ...]:
    """Return the issuers whose service accounts may take a role on, as the policy names them.

    One that only the creation of the cluster tells is called as the conditions call it.
    """
    found = []
    for statement in _of_web(trust):
        principal = statement.get("Principal", {})
        providers = listed(principal.get("Federated") if isinstance(principal, Mapping) else principal)
        found += [_issuer(str(provider), statement) for provider in providers]
    return tuple(found)


def _issuer(provider: str, statement: Mapping[str, Any]) -> str:
    if is_known(provider):
        return provider.partition(":oidc-provider/")[2]
    keys = [key for condition in (statement.get("Condition") or {}).values() for key in condition]
    return next((key.rpartition(":")[0] for key in keys if key.endswith((":aud", ":sub"))), provider)


def subjects_of(trust: Any) -> tuple[str, ...]:
    """Return the service accounts that a trust names: `system:serviceaccount:<namespace>:<name>`, or the name."""
    found: list[str] = []
    for statement in _of_web(trust):
        for condition in (statement.get("Condition") or {}).values():
            for key, value in condition.items():
                if key.endswith(":sub"):
                    found += map(str, listed(value))
    for statement in _of_pods(trust):
        condition = (statement.get("Condition") or {}).get("StringEquals", {})
        found += map(str, listed(condition.get(_ACCOUNT_TAG)))
    return tuple(found)


def clusters_of(trust: Any) -> tuple[str, ...]:
    """Return the clusters whose pods may take a role on by Pod Identity, by name; none if the policy names none."""
    found = []
    for statement in _of_pods(trust):
        for condition in (statement.get("Condition") or {}).values():
            for key in _CLUSTER_KEYS & condition.keys():
                found += [str(value).rpartition("/")[2] for value in listed(condition[key])]
    return tuple(sorted(set(found)))


def trusts_all_pods(trust: Any) -> bool:
    """Tell whether a trust policy leaves it to Pod Identity's associations which service accounts have the role."""
    return any(
        _ACCOUNT_TAG not in (statement.get("Condition") or {}).get("StringEquals", {}) for statement in _of_pods(trust)
    )


def web_identity_problems(trust: Any) -> Iterator[str]:
    """Yield what keeps service accounts from taking a role on by web identity, or lets in others."""
    for statement in _of_web(trust):
        for issuer in issuers_of({"Statement": [statement]}):
            yield from _of_issuer(issuer, statement)


def _of_issuer(issuer: str, statement: Mapping[str, Any]) -> Iterator[str]:
    if not issuer:
        yield "the principal is no ARN of an OIDC provider: arn:aws:iam::<account>:oidc-provider/<host>/id/<id>"
        return
    if issuer.startswith("https://"):
        yield f"the provider {issuer} has to be named without https://"
    conditions: dict[str, list[str]] = {}
    for operator, each in (statement.get("Condition") or {}).items():
        for key, value in each.items():
            conditions[key] = [str(one) for one in listed(value)]
            if operator != "StringEquals" and key.endswith((":sub", ":aud")):
                yield f"{key} is compared by {operator}: only StringEquals lets in exactly one service account"
    host = issuer.removeprefix("https://")
    if AUDIENCE not in conditions.get(f"{host}:aud", []):
        yield f"{host}:aud is not compared with {AUDIENCE}"
    if not conditions.get(f"{host}:sub"):
        strange = [key for key in conditions if key.endswith(":sub")]
        named = f", only {strange[0]}" if strange else ""
        yield f"{host}:sub is not compared{named}: any pod of the cluster could take the role on, or none"
    for name in conditions.get(f"{host}:sub", []):
        if not name.startswith("system:serviceaccount:") or "*" in name:
            yield f"{name!r} names no service account: system:serviceaccount:<namespace>:<name>"


def pod_identity_problems(trust: Any) -> Iterator[str]:
    """Yield what keeps EKS Pod Identity from giving a role to pods."""
    for statement in _of_pods(trust):
        missing = {"sts:AssumeRole", "sts:TagSession"} - set(map(str, listed(statement.get("Action"))))
        if missing:
            yield f"EKS Pod Identity also needs {' and '.join(sorted(missing))}"
