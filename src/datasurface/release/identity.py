"""How the service account of a transformer is called that has an identity of its own."""

from __future__ import annotations

import hashlib
import json
import re

from datasurface.model.identity import AwsRole
from datasurface.release.job import PlatformSpec, TransformerSpec

__all__ = ["service_account_name"]

_LONGEST_STEM = 50
_NOT_DASHED = re.compile(r"[^a-z0-9]+")


def service_account_name(platform: PlatformSpec, transformer: TransformerSpec) -> str:
    """Return what a transformer's service account is called: telling, legal, and unique for the ecosystem."""
    if isinstance(transformer.run_as, AwsRole) and transformer.run_as.service_account is not None:
        return transformer.run_as.service_account
    whole = [platform.ecosystem, platform.environment, platform.name, transformer.workspace]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:8]
    stem = _NOT_DASHED.sub("-", f"ds-{platform.name}-{transformer.workspace}".lower())[:_LONGEST_STEM].strip("-")
    return f"{stem}-{digest}"
