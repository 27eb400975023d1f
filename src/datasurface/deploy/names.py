"""How what is deployed is called: legal, short enough, unique and stable, from the names of the model alone."""

from __future__ import annotations

import hashlib
import json
import re

from datasurface.names import shorten
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["SystemJob", "dag_id", "dns_label", "job_account", "platform_id", "system_dag_id"]

_LABEL = 63
_DAG_ID = 250
_DIGEST = 8
_NOT_DASHED = re.compile(r"[^a-z0-9]+")


def dns_label(*parts: str | None, limit: int = _LABEL) -> str:
    """Return a name of lower-case letters, digits and dashes, at most `limit` long, that begins with `ds-`.

    The parts stand in it as far as they fit; a digest of all of them makes it unique, whatever was left out.
    """
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGEST]
    stem = "-".join(["ds", *(_NOT_DASHED.sub("-", part.lower()).strip("-") for part in parts if part)])
    return f"{stem[: limit - _DIGEST - 1].strip('-')}-{digest}"


def platform_id(platform: PlatformSpec) -> str:
    """Return what a platform is called where several ecosystems and environments meet: `acme.prod.yellow`.

    The parts are identifiers, and what is deployed has an environment, so that no two platforms have one id.
    """
    return ".".join(part for part in (platform.ecosystem, platform.environment or "", platform.name) if part)


def dag_id(platform: PlatformSpec, stream: str) -> str:
    """Return the id of a stream's DAG: `acme.prod.yellow.crm`."""
    return shorten(f"{platform_id(platform)}.{stream}", _DAG_ID)


def system_dag_id(platform: PlatformSpec, kind: SystemJob) -> str:
    """Return the id of a system DAG: `acme.prod.yellow.ds-apply`; no stream's name has a dash."""
    return shorten(f"{platform_id(platform)}.ds-{kind}", _DAG_ID)


def job_account(platform: PlatformSpec, kind: SystemJob | JobSpec) -> str:
    """Return the service account of a kind of job: one for all ingestions, one for each transformer and system job."""
    if isinstance(kind, SystemJob):
        what = ("system", kind.value)
    elif kind.transformer is not None:
        what = ("transform", kind.transformer.workspace)
    else:
        what = ("ingest", "")
    return dns_label(platform.ecosystem, platform.environment, platform.name, *what)
