"""Roles, and who may take them on: services of AWS, pods by EKS Pod Identity, pods by their service accounts (IRSA)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from troposphere import GetAtt, Select, Split, Sub, eks, iam

from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.keys import document
from datasurface.deploy.aws.template import StackBuilder

__all__ = [
    "add_role",
    "issuer_host",
    "issuer_trust",
    "one_or_all",
    "pod_trust",
    "service_account_trust",
    "service_trust",
]

_AUDIENCE = "sts.amazonaws.com"


def add_role(
    stack: StackBuilder,
    title: str,
    name: str,
    trust: object,
    *,
    policies: Mapping[str, object] | None = None,
    managed: Sequence[str] = (),
) -> iam.Role:
    """Add a role.

    Args:
        stack: The stack that it belongs to.
        title: What the template calls it.
        name: What IAM calls it.
        trust: Who may take it on.
        policies: What it may do, by name.
        managed: Policies of AWS's own that it has, by the part of their ARN after `policy/`.
    """
    role: iam.Role = stack.add(
        iam.Role(
            title,
            RoleName=name,
            AssumeRolePolicyDocument=trust,
            Policies=[
                iam.Policy(PolicyName=called, PolicyDocument=policy)
                for called, policy in sorted((policies or {}).items())
            ],
            ManagedPolicyArns=[f"arn:{stack.ground.names.partition}:iam::aws:policy/{policy}" for policy in managed],
        )
    )
    return role


def service_trust(ground: Ground, service: str) -> dict[str, object]:
    """Return the trust in a service of AWS, on behalf of this account only."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ground.names.account}},
        }
    )


def pod_trust(ground: Ground, namespace: str, accounts: Sequence[str]) -> dict[str, object]:
    """Return the trust in the pods of service accounts of this cluster, by EKS Pod Identity."""
    names = ground.names
    cluster = f"arn:{names.partition}:eks:{names.region}:{names.account}:cluster/{names.cluster}"
    own = {
        "aws:RequestTag/eks-cluster-arn": cluster,
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": one_or_all(accounts),
    }
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": own, "ArnEquals": {"aws:SourceArn": cluster}},
        }
    )


def service_account_trust(stack: StackBuilder, namespace: str, accounts: Sequence[str]) -> Sub:
    """Return the trust in service accounts by the cluster's issuer of identities (IRSA).

    CloudFormation replaces nothing in the keys of a document, and the issuer is in two of them: so it is a text.
    """
    text = json.dumps(issuer_trust(namespace, accounts), sort_keys=True)
    return Sub(text, Provider=stack.told("IssuerArn"), Issuer=stack.told("Issuer"))


def issuer_trust(namespace: str, accounts: Sequence[str]) -> dict[str, object]:
    """Return the trust in service accounts of a cluster whose issuer and provider are still to be put in."""
    subjects = [f"system:serviceaccount:{namespace}:{account}" for account in accounts]
    own = {"${Issuer}:aud": _AUDIENCE, "${Issuer}:sub": one_or_all(subjects)}
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": "${Provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": own},
        }
    )


def one_or_all(values: Sequence[str]) -> str | list[str]:
    """Return a value alone, or several as a list."""
    return values[0] if len(values) == 1 else list(values)


def issuer_host(cluster: eks.Cluster) -> Select:
    """Return a cluster's issuer without `https://`, as trust policies name it."""
    return Select(1, Split("//", GetAtt(cluster, "OpenIdConnectIssuerUrl")))
