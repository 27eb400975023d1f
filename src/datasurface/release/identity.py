"""What `run_as=AwsRole(…)` becomes where a transformer is deployed: service accounts, trust policies, a policy.

Pure: everything is plain data, to be written into manifests or sent by somebody else. A policy allows to read exactly
the secrets that the role's transformers are given, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from datasurface.errors import ConfigurationError
from datasurface.model.identity import AwsRole, identity_problem
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.model.secret_names import aws_name
from datasurface.model.secret_stores import AwsSecrets, StoreChoice
from datasurface.names import RoleNames
from datasurface.release.job import PlatformSpec, TransformerSpec

__all__ = [
    "Document",
    "EksCluster",
    "RoleIdentity",
    "role_identities",
    "service_account_name",
]

Document = dict[str, object]
"""Plain data, as JSON has it."""

_AUDIENCE = "sts.amazonaws.com"
_LONGEST_TRUST, _LONGEST_POLICY = 2048, 6144
"""Characters that IAM takes by default: of a trust policy, and of a managed policy without its spaces."""
_SUFFIX = "-??????"
"""What AWS adds to the name of each secret in its ARN: a dash and six characters."""
_LONGEST_STEM = 50
_LONGEST_ROLE = 63
_NOT_DASHED = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class EksCluster:
    """The EKS cluster that transformers are deployed to.

    Attributes:
        oidc_issuer: The URL of its OIDC provider, for roles of service accounts (IRSA); None if it has none.
        namespace: The Kubernetes namespace of the jobs.
    """

    name: str
    account: str
    region: str
    namespace: str
    oidc_issuer: str | None = None
    partition: str = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleIdentity:
    """One role, and everything that lets the transformers that run as it take it on and read their secrets.

    Attributes:
        arn: The role's ARN.
        transformers: The workspaces of the transformers that run as it, sorted.
        service_accounts: The manifests of their service accounts.
        trust: The role's trust policy by service account (IRSA); None without an OIDC provider.
        pod_trust: The role's trust policy for EKS Pod Identity.
        pod_associations: What Pod Identity has to be told, one for each service account.
        policy: What the role may do; None if its transformers need no secret of AWS.
    """

    arn: str
    transformers: tuple[str, ...]
    service_accounts: tuple[Document, ...]
    trust: Document | None
    pod_trust: Document
    pod_associations: tuple[Document, ...]
    policy: Document | None


def role_identities(
    platform: PlatformSpec, cluster: EksCluster, *, besides: Sequence[str] = ()
) -> tuple[RoleIdentity, ...]:
    """Return the identity of each role that a platform's transformers run as, sorted by ARN.

    Args:
        platform: The platform.
        cluster: Where its transformers are deployed to.
        besides: Names of credentials that the pod looks up besides, such as the platform's own login where code and
            merge share a pod. By default a role reads what the code is given and the login of the code.

    Raises:
        ConfigurationError: IAM would not take it: a name, or a policy that is too long.
    """
    by_arn: dict[str, list[TransformerSpec]] = {}
    for job in platform.jobs:
        transformer = job.transformer
        if transformer is not None and isinstance(transformer.run_as, AwsRole):
            if problem := identity_problem(transformer.run_as):
                raise ConfigurationError(f"the role {transformer.run_as.role!r} {problem}")
            arn = transformer.run_as.arn(account=cluster.account, partition=cluster.partition)
            by_arn.setdefault(arn, []).append(transformer)
    return tuple([_identity(arn, by_arn[arn], platform, cluster, besides) for arn in sorted(by_arn)])


def service_account_name(platform: PlatformSpec, transformer: TransformerSpec) -> str:
    """Return what a transformer's service account is called: telling, legal, and unique for the ecosystem."""
    if isinstance(transformer.run_as, AwsRole) and transformer.run_as.service_account is not None:
        return transformer.run_as.service_account
    whole = [platform.ecosystem, platform.environment, platform.name, transformer.workspace]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:8]
    stem = _NOT_DASHED.sub("-", f"ds-{platform.name}-{transformer.workspace}".lower())[:_LONGEST_STEM].strip("-")
    return f"{stem}-{digest}"


def _identity(
    arn: str, transformers: list[TransformerSpec], platform: PlatformSpec, cluster: EksCluster, besides: Sequence[str]
) -> RoleIdentity:
    transformers = sorted(transformers, key=lambda transformer: transformer.workspace)
    names = sorted({service_account_name(platform, transformer) for transformer in transformers})
    trust = _trust(names, cluster) if cluster.oidc_issuer is not None else None
    pod_trust = _pod_trust(names, cluster)
    policy = _policy(_secrets(platform, transformers, cluster, besides), cluster)
    for document, limit, what in (
        (trust, _LONGEST_TRUST, "trust policy"),
        (pod_trust, _LONGEST_TRUST, "trust policy"),
        (policy, _LONGEST_POLICY, "policy"),
    ):
        _refuse_long(document, limit, f"the {what} of the role {arn}")
    return RoleIdentity(
        arn=arn,
        transformers=tuple([transformer.workspace for transformer in transformers]),
        service_accounts=tuple([_service_account(name, arn, cluster) for name in names]),
        trust=trust,
        pod_trust=pod_trust,
        pod_associations=tuple([_association(name, arn, cluster) for name in names]),
        policy=policy,
    )


def _service_account(name: str, arn: str, cluster: EksCluster) -> Document:
    annotations = {"eks.amazonaws.com/role-arn": arn} if cluster.oidc_issuer is not None else {}
    metadata: Document = {"name": name, "namespace": cluster.namespace}
    metadata["labels"] = {"app.kubernetes.io/managed-by": "datasurface"}
    metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _association(name: str, arn: str, cluster: EksCluster) -> Document:
    return {
        "clusterName": cluster.name,
        "namespace": cluster.namespace,
        "serviceAccount": name,
        "roleArn": arn,
    }


def _trust(names: Sequence[str], cluster: EksCluster) -> Document:
    issuer = (cluster.oidc_issuer or "").removeprefix("https://").rstrip("/")
    subjects = [f"system:serviceaccount:{cluster.namespace}:{name}" for name in names]
    condition = {"StringEquals": {f"{issuer}:aud": _AUDIENCE, f"{issuer}:sub": _one_or_all(subjects)}}
    return _document(
        {
            "Effect": "Allow",
            "Principal": {
                "Federated": f"arn:{cluster.partition}:iam::{cluster.account}:oidc-provider/{issuer}",
            },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }
    )


def _pod_trust(names: Sequence[str], cluster: EksCluster) -> Document:
    condition = {
        "StringEquals": {
            "aws:RequestTag/eks-cluster-name": cluster.name,
            "aws:RequestTag/kubernetes-namespace": cluster.namespace,
            "aws:RequestTag/kubernetes-service-account": _one_or_all(names),
        }
    }
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": condition,
        }
    )


def _secrets(
    platform: PlatformSpec, transformers: Iterable[TransformerSpec], cluster: EksCluster, besides: Sequence[str]
) -> dict[tuple[str, str | None], list[str]]:
    """Return the ARN patterns of what the transformers are given, by region and key of the store."""
    credentials = sorted({*besides, *(name for each in transformers for name in _credentials(platform, each))})
    found: dict[tuple[str, str | None], list[str]] = {}
    for store in map(_aws, platform.secrets):
        if store is not None:
            region = store.region or cluster.region
            names = [aws_name(store.prefix, platform.ecosystem, platform.environment, name) for name in credentials]
            arns = [
                f"arn:{cluster.partition}:secretsmanager:{region}:{cluster.account}:secret:{name}{_SUFFIX}"
                for name in names
            ]
            found.setdefault((region, store.kms_key), []).extend(arns)
    return {place: arns for place, arns in found.items() if arns}


def _credentials(platform: PlatformSpec, transformer: TransformerSpec) -> Iterator[str]:
    """Yield the secrets that a transformer's job looks up: those it declares, and its login of the platform."""
    yield from (credential.name for credential in transformer.secrets.values())
    if not isinstance(platform.container, EmbeddedPostgres):
        roles = RoleNames(platform.ecosystem, platform.environment, platform.name, _LONGEST_ROLE)
        yield roles.credential("transformer", transformer.workspace)


def _aws(choice: StoreChoice) -> AwsSecrets | None:
    if isinstance(choice, AwsSecrets):
        return choice
    return AwsSecrets() if choice == "aws" else None


def _policy(secrets: dict[tuple[str, str | None], list[str]], cluster: EksCluster) -> Document | None:
    statements: list[Document] = []
    for (region, key), arns in sorted(secrets.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        statements.append({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": _one_or_all(arns)})
        if key is not None:
            statements.append(_decrypt(key, region, arns, cluster))
    return _document(*statements) if statements else None


def _decrypt(key: str, region: str, arns: Sequence[str], cluster: EksCluster) -> Document:
    """Return the right to decrypt with a key, through Secrets Manager and for these secrets only.

    What a key's alias stands for is not known here, so that a condition names the alias.
    """
    keys = f"arn:{cluster.partition}:kms:{region}:{cluster.account}"
    like: Document = {"kms:EncryptionContext:SecretARN": _one_or_all(arns)}
    condition: Document = {
        "StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"},
        "StringLike": like,
    }
    before, alias, name = key.partition("alias/")
    if alias and (not before or before.endswith(":")):
        condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": f"alias/{name}"}
        resource = f"{keys}:key/*"
    else:
        resource = key if key.startswith("arn:") else f"{keys}:key/{key}"
    return {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": resource, "Condition": condition}


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _one_or_all(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _refuse_long(document: Document | None, limit: int, what: str) -> None:
    length = len(json.dumps(document, separators=(",", ":"))) if document is not None else 0
    if length > limit:
        raise ConfigurationError(
            f"{what} has {length} characters, and IAM takes {limit}",
            hint="let fewer transformers run as one role, or ask AWS for a higher quota",
        )
