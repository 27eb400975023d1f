"""Under which name each kind of store keeps a credential's secret. Pure: stores, `check` and policies ask the same.

A part of a name that a store allows stays as it is; another becomes a legal text with 8 hex digits of its own digest,
so that no two credentials meet but by intent, which `check` finds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

__all__ = ["NAMED_STORES", "SecretNames", "aws_name", "azure_name", "kubernetes_name", "variable_stem"]

_NO_VARIABLE = re.compile(r"[^A-Z0-9_]")
_DASHED = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_NOT_DASHED = re.compile(r"[^a-z0-9]+")
_PATH_PART = re.compile(r"[A-Za-z0-9_+=.@-]+\Z")
_NOT_PATH = re.compile(r"[^A-Za-z0-9_+=.@-]+")
_DIGITS = 8
_LONGEST_DASHED, _LONGEST_PATH_PART = 40, 100
_LONGEST_KUBERNETES, _LONGEST_AZURE = 253, 127

SecretNames = Callable[[str, str, "str | None", str], str]
"""Returns a secret's name from prefix, ecosystem, environment and credential."""


def variable_stem(credential: str) -> str:
    """Return what the variables of a credential begin with: the name in upper case, other characters as `_`."""
    return f"DATASURFACE_{_NO_VARIABLE.sub('_', credential.upper())}_"


def aws_name(prefix: str, ecosystem: str, environment: str | None, credential: str) -> str:
    """Return a name in AWS Secrets Manager: `<prefix>/<ecosystem>[/<environment>]/<credential>`."""
    parts = (ecosystem, credential) if environment is None else (ecosystem, environment, credential)
    return "/".join([prefix, *(_part(part, _PATH_PART, _NOT_PATH, "_", ".", _LONGEST_PATH_PART) for part in parts)])


def kubernetes_name(prefix: str, ecosystem: str, environment: str | None, credential: str) -> str:
    """Return the name of a Kubernetes Secret: `<prefix>.<ecosystem>[.<environment>].<credential>`."""
    return _dashed(".", prefix, ecosystem, environment, credential, _LONGEST_KUBERNETES)


def azure_name(prefix: str, ecosystem: str, environment: str | None, credential: str) -> str:
    """Return a name in a Key Vault, without regard to case: `<prefix>--<ecosystem>[--<environment>]--<credential>`."""
    return _dashed("--", prefix, ecosystem, environment, credential, _LONGEST_AZURE)


NAMED_STORES: dict[str, SecretNames] = {
    "kubernetes": kubernetes_name,
    "aws": aws_name,
    "azure": azure_name,
}
"""The kinds of store that derive a name from these parts."""


def _dashed(between: str, prefix: str, ecosystem: str, environment: str | None, credential: str, limit: int) -> str:
    parts = (ecosystem, credential) if environment is None else (ecosystem, environment, credential)
    legal = [_part(part, _DASHED, _NOT_DASHED, "-", "-", _LONGEST_DASHED) for part in parts]
    name = between.join([prefix, *legal])
    if len(name) <= limit:
        return name
    return f"{name[: limit - _DIGITS - 1].rstrip('-.')}-{_digest(name)}"


def _part(
    text: str, allowed: re.Pattern[str], others: re.Pattern[str], instead: str, before_digest: str, limit: int
) -> str:
    if allowed.match(text) and len(text) <= limit:
        return text
    lower = text.lower() if instead == "-" else text
    stem = others.sub(instead, lower).strip(instead)[: limit - _DIGITS - 1].rstrip("-._") or "x"
    return f"{stem}{before_digest}{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
