"""Namespaces, service accounts and rights: each kind of job is somebody, and may do what it has to and nothing else."""

from __future__ import annotations

from datasurface.deploy.aws_names import aws_names
from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.objects import named
from datasurface.deploy.names import dns_label
from datasurface.deploy.pod import Document, account_of, talks_to_kubernetes
from datasurface.deploy.pod_secrets import secret_name
from datasurface.model.identity import AwsRole
from datasurface.model.vocabulary import AwsIdentity
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob, issued_credentials

__all__ = ["AIRFLOW_ACCOUNTS", "accounts", "namespaces", "rights"]

_RBAC = "rbac.authorization.k8s.io/v1"
_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("audit", "enforce", "warn")}
AIRFLOW_ACCOUNTS = ("airflow-scheduler", "airflow-triggerer", "airflow-worker")
"""The service accounts of Airflow's components that handle the pods of tasks, as the chart's values name them."""


def namespaces(cluster: Cluster) -> list[Document]:
    """Return the namespaces: none admits a pod that could become root or reach its node."""
    names = [cluster.namespace, *([cluster.airflow_namespace] if cluster.airflow is not None else [])]
    return [named("v1", "Namespace", name, None, labels=_RESTRICTED) for name in names]


def accounts(cluster: Cluster) -> list[Document]:
    """Return the service accounts, sorted by name; no pod gets a token by itself."""
    found: dict[str, Document] = {}
    for platform, kind in cluster.kinds():
        name = account_of(platform, kind)
        if name not in found:
            found[name] = named(
                "v1",
                "ServiceAccount",
                name,
                cluster.namespace,
                annotations=_role(cluster, platform, kind),
                automountServiceAccountToken=False,
            )
    return [found[name] for name in sorted(found)]


def rights(cluster: Cluster) -> list[Document]:
    """Return roles and who has them: Airflow handles pods of jobs, and one job writes the Secrets it issues."""
    found: list[Document] = []
    for platform in cluster.platforms:
        for kind in cluster.system_jobs(platform):
            if talks_to_kubernetes(platform, kind):
                found += _secrets(cluster, platform, kind)
    if cluster.starts_pods:
        found += _pods(cluster)
    return found


def _role(cluster: Cluster, platform: PlatformSpec, kind: SystemJob | JobSpec) -> dict[str, str]:
    """Return the annotation by which a pod takes on a role of AWS; EKS Pod Identity is told of it elsewhere."""
    identity = kind.transformer.run_as if isinstance(kind, JobSpec) and kind.transformer is not None else None
    role, aws = None, cluster.aws
    if isinstance(identity, AwsRole):
        account = identity.account or (aws.account if aws is not None else None)
        role = identity.role if identity.role.startswith("arn:") else account and identity.arn(account=account)
    elif aws is not None:
        names = aws_names(cluster.deployable)
        role = names.role_arn(names.job_role(platform, kind))
    if not role or (aws is not None and aws.identity is AwsIdentity.POD_IDENTITY):
        return {}
    return {"eks.amazonaws.com/role-arn": role}


def _secrets(cluster: Cluster, platform: PlatformSpec, kind: SystemJob) -> list[Document]:
    """Return the right to change the Secrets of a platform's credentials; a new one cannot be named beforehand."""
    names = sorted({secret_name(platform, credential) for credential in issued_credentials(platform)})
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["delete", "get", "patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]
    name = dns_label(platform.ecosystem, platform.environment, platform.name, "secrets")
    subjects = [(account_of(platform, kind), cluster.namespace)]
    return _granted(cluster, name, rules, subjects)


def _pods(cluster: Cluster) -> list[Document]:
    """Return the right of Airflow's components to start, watch and end pods of jobs, and to read what they say."""
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete", "get", "list", "patch", "watch"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    ]
    return _granted(cluster, "airflow-pods", rules, [(name, cluster.airflow_namespace) for name in AIRFLOW_ACCOUNTS])


def _granted(
    cluster: Cluster, name: str, rules: list[dict[str, list[str]]], subjects: list[tuple[str, str]]
) -> list[Document]:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    who = [{"kind": "ServiceAccount", "name": account, "namespace": namespace} for account, namespace in subjects]
    return [
        named(_RBAC, "Role", name, cluster.namespace, rules=rules),
        named(_RBAC, "RoleBinding", name, cluster.namespace, roleRef=role, subjects=who),
    ]
