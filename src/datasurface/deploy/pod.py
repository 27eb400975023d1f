"""The pod of one job as plain data: the same for a CronJob here and for a task of Airflow.

It runs as a numeric user without rights, on a read-only file system, with the secrets of its own job and no token of
the cluster unless the job talks to the Kubernetes API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datasurface.deploy.names import dns_label, job_account
from datasurface.deploy.pod_secrets import SECRETS, MountedSecret, kubernetes_store, mounted_secrets, uses_files
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.vocabulary import Priority, Tls
from datasurface.release.identity import service_account_name
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = [
    "PLATFORM_FILE",
    "SECRETS",
    "USER",
    "Document",
    "Need",
    "account_of",
    "container_security",
    "job_labels",
    "job_pod",
    "platform_config",
    "pod_security",
    "priority_class",
    "source_label",
    "talks_to_kubernetes",
]

Document = dict[str, object]
"""Plain data, as YAML and JSON have it."""

PLATFORM_FILE = "/etc/datasurface/platform.json"
CERTIFICATES = "/etc/datasurface-certificates"
_RELEASES = "/var/run/datasurface/releases"
_TMP = "/tmp"  # noqa: S108 - of the pod alone
USER = 10001
_DISK = 1024
_DISK_LIMIT = 4096
_BURST = 4
_GRACE = 60
_PARTS = "datasurface"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a pod asks of its node.

    Attributes:
        cpu: Thousandths of a CPU.
        memory: MiB; more is never given, so that one job cannot take another's.
    """

    cpu: int = 250
    memory: int = 512

    def resources(self) -> Document:
        """Return the container's requests and limits."""
        return {
            "requests": {"cpu": f"{self.cpu}m", "memory": f"{self.memory}Mi", "ephemeral-storage": f"{_DISK}Mi"},
            "limits": {
                "cpu": f"{self.cpu * _BURST}m",
                "memory": f"{self.memory}Mi",
                "ephemeral-storage": f"{_DISK_LIMIT}Mi",
            },
        }


def account_of(platform: PlatformSpec, kind: SystemJob | JobSpec) -> str:
    """Return the service account of a job: a transformer with `run_as` has the one that its identity trusts."""
    if isinstance(kind, JobSpec) and kind.transformer is not None and kind.transformer.run_as is not None:
        return service_account_name(platform, kind.transformer)
    return job_account(platform, kind)


def platform_config(platform: PlatformSpec, kind: SystemJob | JobSpec | None = None) -> str:
    """Return the name of the ConfigMap with a platform's file; the job that writes secrets has one of its own."""
    own = "security" if kind is SystemJob.SECURITY else "platform"
    return dns_label(platform.ecosystem, platform.environment, platform.name, own)


def priority_class(settings: Kubernetes, priority: Priority) -> str:
    """Return the PriorityClass of jobs of a priority; it is the cluster's, so that the namespace is part of it."""
    return dns_label(settings.namespace, priority.value)


def source_label(container: str) -> str:
    """Return the label's value that ingestions from a container have, and that network policies select."""
    return dns_label("source", container)


def talks_to_kubernetes(platform: PlatformSpec, kind: SystemJob | JobSpec) -> bool:
    """Tell whether a job needs the Kubernetes API: only the one that keeps new passwords in Secrets."""
    return kind is SystemJob.SECURITY and uses_files(platform) and kubernetes_store(platform) is not None


def job_labels(platform: PlatformSpec, kind: SystemJob | JobSpec) -> dict[str, str]:
    """Return the labels of a job's pod."""
    labels = {
        "app.kubernetes.io/managed-by": _PARTS,
        "app.kubernetes.io/name": _PARTS,
        "app.kubernetes.io/part-of": _PARTS,
        "datasurface.io/platform": dns_label(platform.ecosystem, platform.environment, platform.name),
    }
    if isinstance(kind, SystemJob):
        return {**labels, "datasurface.io/job": kind.value}
    if kind.transformer is not None:
        return {**labels, "datasurface.io/job": "transform"}
    return {**labels, "datasurface.io/job": "ingest", "datasurface.io/source": source_label(kind.source.name)}


def job_pod(
    platform: PlatformSpec,
    kind: SystemJob | JobSpec,
    settings: Kubernetes,
    *,
    arguments: Sequence[str],
    need: Need = Need(),
    environment: Sequence[Document] = (),
) -> Document:
    """Return the specification of a job's pod.

    Args:
        platform: The platform.
        kind: The job.
        settings: The cluster.
        arguments: What `datasurface` is called with; the platform file is added.
        need: What it asks of its node.
        environment: More variables, none of them secret.
    """
    secrets = mounted_secrets(platform, kind, settings)
    authority = _authority(platform, settings)
    priority = kind.priority if isinstance(kind, JobSpec) else Priority.HIGH
    releases = settings.release_secret if kind is SystemJob.APPLY and platform.follows is not None else None
    container: Document = {
        "name": "job",
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["datasurface"],
        "args": [*arguments, "--platform-file", PLATFORM_FILE],
        "env": [*_variables(secrets, authority, releases, settings), *environment],
        "resources": need.resources(),
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "platform", "mountPath": "/etc/datasurface", "readOnly": True},
            {"name": "tmp", "mountPath": _TMP},
            *[{"name": each, "mountPath": CERTIFICATES, "readOnly": True} for each in authority],
            *([{"name": "releases", "mountPath": _RELEASES, "readOnly": True}] if releases else []),
            *[
                {"name": _volume(each), "mountPath": f"{SECRETS}/{each.credential.name}", "readOnly": True}
                for each in secrets
            ],
        ],
    }
    return {
        "serviceAccountName": account_of(platform, kind),
        "automountServiceAccountToken": talks_to_kubernetes(platform, kind),
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE,
        "priorityClassName": priority_class(settings, priority),
        **({"nodeSelector": dict(sorted(settings.node_selector.items()))} if settings.node_selector else {}),
        **({"imagePullSecrets": [{"name": name} for name in settings.pull_secrets]} if settings.pull_secrets else {}),
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": [
            {"name": "platform", "configMap": {"name": platform_config(platform, kind), "defaultMode": 0o444}},
            {"name": "tmp", "emptyDir": {"sizeLimit": f"{_DISK_LIMIT}Mi"}},
            *[_authority_volume(each, settings) for each in authority],
            *([{"name": "releases", "secret": {"secretName": releases, "defaultMode": 0o440}}] if releases else []),
            *[_secret_volume(each) for each in secrets],
        ],
    }


def pod_security(user: int = USER) -> Document:
    """Return the security context of a pod that Pod Security `restricted` admits."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Document:
    """Return the security context of a container that can become nobody else, and writes only to its volumes."""
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _variables(
    secrets: Sequence[MountedSecret], authority: Sequence[str], releases: str | None, settings: Kubernetes
) -> list[Document]:
    found: dict[str, str] = {
        "DATASURFACE_HOME": f"{_TMP}/datasurface",
        "HOME": _TMP,
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": _TMP,
    }
    found |= settings.environment
    if secrets:
        found["DATASURFACE_SECRETS"] = SECRETS
    if authority:
        found["PGSSLROOTCERT"] = f"{CERTIFICATES}/ca.crt"
    if releases is not None:
        found["AWS_CONFIG_FILE"] = f"{_RELEASES}/config"
        found["AWS_SHARED_CREDENTIALS_FILE"] = f"{_RELEASES}/credentials"
    return [{"name": name, "value": value} for name, value in sorted(found.items())]


def _volume(secret: MountedSecret) -> str:
    return dns_label("secret", secret.credential.name)


def _secret_volume(secret: MountedSecret) -> Document:
    items = [{"key": key, "path": file} for file, key in secret.keys]
    source: Document = {"secretName": secret.secret, "defaultMode": 0o440, "items": items}
    if secret.optional:
        source["optional"] = True
    return {"name": _volume(secret), "secret": source}


def _authority(platform: PlatformSpec, settings: Kubernetes) -> tuple[str, ...]:
    """Return the volume with the certificate that the operator's server is verified by, if the model asks for that.

    libpq would verify every server that it connects to with TLS by it, so that it is not there unasked.
    """
    postgres = settings.postgres
    if postgres is None or platform.container.name != postgres.container:
        return ()
    return ("authority",) if getattr(platform.container, "tls", None) in {Tls.VERIFY_CA, Tls.VERIFY_FULL} else ()


def _authority_volume(name: str, settings: Kubernetes) -> Document:
    cluster = settings.postgres.cluster if settings.postgres is not None else ""
    items = [{"key": "ca.crt", "path": "ca.crt"}]
    return {"name": name, "secret": {"secretName": f"{cluster}-ca", "defaultMode": 0o444, "items": items}}
