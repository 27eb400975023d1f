"""A PostgreSQL cluster by the operator CloudNativePG: its own password and certificates, TLS only, backups if asked."""

from __future__ import annotations

from datasurface.deploy.kubernetes.cluster import Cluster, refuse
from datasurface.deploy.kubernetes.objects import named
from datasurface.deploy.pod import Document
from datasurface.deploy.pod_secrets import uses_files
from datasurface.model.infrastructure import PostgresDatabase
from datasurface.model.kubernetes import CloudNativePostgres
from datasurface.model.vocabulary import Tls

__all__ = ["API", "postgres"]

API = "postgresql.cnpg.io/v1"
_PLUGIN = "barman-cloud.cloudnative-pg.io"
_PROTECTED = frozenset({Tls.REQUIRE, Tls.VERIFY_CA, Tls.VERIFY_FULL})
_DAILY = "0 0 2 * * *"
_OWNER = "datasurface"


def postgres(cluster: Cluster) -> list[Document]:
    """Return the PostgreSQL cluster, and its daily backup.

    Raises:
        ConfigurationError: the container that stands for it says something else.
    """
    settings = cluster.settings.postgres
    if settings is None:
        return []
    container = _container(cluster, settings)
    found = [
        named("postgresql.cnpg.io/v1", "Cluster", settings.cluster, cluster.namespace, spec=_spec(settings, container))
    ]
    if settings.backups is not None:
        spec = {
            "backupOwnerReference": "self",
            "cluster": {"name": settings.cluster},
            "method": "plugin",
            "pluginConfiguration": {"name": _PLUGIN},
            "schedule": _DAILY,
        }
        found.append(named(API, "ScheduledBackup", settings.cluster, cluster.namespace, spec=spec))
    return found


def _container(cluster: Cluster, settings: CloudNativePostgres) -> PostgresDatabase:
    """Return the container that stands for the cluster, if it does."""
    found = next((p.container for p in cluster.platforms if p.container.name == settings.container), None)
    hosts = [f"{settings.cluster}-rw.{cluster.namespace}.svc{end}" for end in ("", ".cluster.local")]
    problems = []
    if not isinstance(found, PostgresDatabase):
        problems.append(f"no platform has a PostgresDatabase {settings.container!r} as its container")
    else:
        if found.host not in hosts:
            problems.append(f"its host is {found.host!r}, and that of the cluster {hosts[0]!r}")
        if found.tls not in _PROTECTED:
            problems.append(f"tls={found.tls.value}; the cluster takes TLS: Tls.REQUIRE or Tls.VERIFY_FULL")
        if found.credential is None and not any(p.credential for p in cluster.platforms if p.container == found):
            problems.append("nothing has a credential for it; the operator makes the password that it names")
    problems += [
        f"platform {platform.name} asks a cloud's secret store, and the operator makes a Secret"
        for platform in cluster.platforms
        if platform.container == found and not uses_files(platform)
    ]
    refuse(
        problems,
        f"the container {settings.container!r} does not stand for the cluster {settings.cluster!r}",
        "correct it in the environment's containers={…}",
    )
    assert isinstance(found, PostgresDatabase)  # noqa: S101 - refused above
    return found


def _spec(settings: CloudNativePostgres, container: PostgresDatabase) -> Document:
    size: Document = {"size": settings.storage}
    if settings.storage_class is not None:
        size["storageClass"] = settings.storage_class
    amounts = {"cpu": f"{int(settings.cpu * 1000)}m", "memory": settings.memory}
    spec: Document = {
        "bootstrap": {
            "initdb": {
                "dataChecksums": True,
                "database": container.database,
                "owner": _OWNER,
                "postInitApplicationSQL": [f"ALTER ROLE {_OWNER} CREATEROLE"],
            }
        },
        "enableSuperuserAccess": False,
        "instances": settings.instances,
        "postgresql": {"pg_hba": ["hostnossl all all all reject"]},
        "primaryUpdateStrategy": "unsupervised",
        "resources": {"limits": amounts, "requests": amounts},
        "storage": size,
    }
    if settings.image is not None:
        spec["imageName"] = settings.image
    if settings.backups is not None:
        parameters = {"barmanObjectName": settings.backups}
        spec["plugins"] = [{"name": _PLUGIN, "isWALArchiver": True, "parameters": parameters}]
    return spec
