"""Airflow's pools: one a container, so that no more jobs read it at once than it takes connections. Pure."""

from __future__ import annotations

from datasurface.model.infrastructure import Container
from datasurface.release.job import PlatformSpec

__all__ = ["pool_name", "pools_of"]

_USUAL = 4
_LONGEST = 250


def pool_name(platform: PlatformSpec, container: Container) -> str:
    """Return the name of a container's pool, which all platforms of an environment share."""
    parts = (platform.ecosystem, platform.environment or "", container.name)
    return ".".join(part for part in parts if part)[:_LONGEST]


def pools_of(platform: PlatformSpec) -> dict[str, dict[str, object]]:
    """Return the pools that a platform's tasks use, as `airflow pools import` reads them."""
    containers = {pool_name(platform, job.source): job.source for job in platform.jobs}
    return {
        name: {
            "slots": max(1, int(getattr(container, "connections", None) or _USUAL)),
            "description": f"DataSurface: jobs that use {container.name} at once",
            "include_deferred": True,
        }
        for name, container in sorted(containers.items())
    }
