"""Which secrets a pod is given, as files of Kubernetes Secrets, and which stores its platform file names.

A pod finds the secrets of its own job and no others. Where they come from a cloud's store, its identity fetches them
and nothing is mounted. Only the job that issues passwords talks to the Kubernetes API about Secrets.
"""

from __future__ import annotations

from dataclasses import dataclass

from datasurface.errors import ConfigurationError
from datasurface.model.infrastructure import Credential
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.secret_names import kubernetes_name
from datasurface.model.secret_stores import FileSecrets, KubernetesSecrets, StoreChoice, kind_of_store
from datasurface.release.bind import replaced
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob, credentials_of, issued_credentials, system_credentials
from datasurface.secrets.base import required_pieces

__all__ = [
    "SECRETS",
    "MountedSecret",
    "issues",
    "kubernetes_store",
    "mounted_secrets",
    "needed",
    "pod_platform",
    "secret_name",
    "uses_files",
]

SECRETS = "/var/run/datasurface/secrets"
"""Where secrets are mounted, a folder for each credential."""
_CLOUDS = frozenset({"aws", "azure"})
_OPERATORS_KEYS = (("password", "password"), ("user", "username"))
"""How CloudNativePG names the keys of the Secret that it makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedSecret:
    """A Secret as a pod sees it.

    Attributes:
        credential: The credential whose secret it is.
        secret: The name of the Secret.
        keys: Its keys, by the names of the files that they become.
        optional: Whether the pod starts without it: it is issued later.
    """

    credential: Credential
    secret: str
    keys: tuple[tuple[str, str], ...]
    optional: bool = False


def uses_files(platform: PlatformSpec) -> bool:
    """Tell whether pods get their secrets as mounted files, because no store of a cloud gives them."""
    return not any(kind_of_store(choice) in _CLOUDS for choice in platform.secrets)


def issues(platform: PlatformSpec) -> bool:
    """Tell whether new passwords can be kept in a deployed system, so that DataSurface makes logins of its own."""
    return any(
        kind_of_store(choice) in {"kubernetes", *_CLOUDS} and not getattr(choice, "read_only", False)
        for choice in platform.secrets
    )


def kubernetes_store(platform: PlatformSpec) -> KubernetesSecrets | None:
    """Return the store of Kubernetes Secrets among a platform's stores, or None."""
    found = next((choice for choice in platform.secrets if kind_of_store(choice) == "kubernetes"), None)
    return found if found is None or isinstance(found, KubernetesSecrets) else KubernetesSecrets()


def secret_name(platform: PlatformSpec, credential: Credential) -> str:
    """Return the name of the Secret that holds a credential's secret."""
    store = kubernetes_store(platform) or KubernetesSecrets()
    return kubernetes_name(store.prefix, platform.ecosystem, platform.environment, credential.name)


def pod_platform(platform: PlatformSpec, kind: SystemJob | JobSpec) -> PlatformSpec:
    """Return a platform as a pod of that kind sees it: mounted files are its only store, unless it writes secrets.

    Raises:
        ConfigurationError: the store of Kubernetes Secrets is meant for a machine outside of the cluster.
    """
    if not uses_files(platform):
        return platform
    store = kubernetes_store(platform)
    if store is not None and store.context is not None:
        raise ConfigurationError(
            f"platform {platform.name!r} looks for secrets in the context {store.context!r} of a kubeconfig, "
            "which no pod has",
            hint="leave context= out of the KubernetesSecrets of this environment",
        )
    stores: tuple[StoreChoice, ...] = ("files",)
    if kind is SystemJob.SECURITY and store is not None:
        stores = (FileSecrets(SECRETS, read_only=True), store)
    return replaced(platform, secrets=stores)


def mounted_secrets(
    platform: PlatformSpec, kind: SystemJob | JobSpec, settings: Kubernetes
) -> tuple[MountedSecret, ...]:
    """Return the Secrets that a pod mounts, sorted by credential: none where its identity gives them.

    The job that issues passwords reads those by the API: what is mounted may be a minute old.
    """
    if not uses_files(platform):
        return ()
    issued = set(issued_credentials(platform))
    fresh = issued if kind is SystemJob.SECURITY and kubernetes_store(platform) is not None else set[Credential]()
    wanted = [credential for credential in needed(platform, kind) if credential not in fresh]
    return tuple([_mounted(platform, each, settings, issued=each in issued) for each in wanted])


def needed(platform: PlatformSpec, kind: SystemJob | JobSpec) -> tuple[Credential, ...]:
    """Return the credentials that a pod looks up, sorted by name.

    The job that applies releases has the platform's own too: with it, it makes what has to be there before logins can
    be issued.
    """
    synced = issues(platform)
    if isinstance(kind, JobSpec):
        return credentials_of(platform, kind, synced=synced)
    found = set(system_credentials(platform, kind, synced=synced))
    if kind is SystemJob.APPLY:
        found |= set(system_credentials(platform, kind, synced=False))
    if kind is SystemJob.SECURITY:
        found |= set(issued_credentials(platform))
    return tuple(sorted(found, key=lambda credential: (credential.name, credential.kind.value)))


def _mounted(platform: PlatformSpec, credential: Credential, settings: Kubernetes, *, issued: bool) -> MountedSecret:
    postgres = settings.postgres
    if postgres is not None and platform.credential == credential and platform.container.name == postgres.container:
        return MountedSecret(credential=credential, secret=f"{postgres.cluster}-app", keys=_OPERATORS_KEYS)
    keys = tuple([(piece, piece) for piece in required_pieces(credential.kind)])
    return MountedSecret(credential=credential, secret=secret_name(platform, credential), keys=keys, optional=issued)
