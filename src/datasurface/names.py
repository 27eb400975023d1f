"""Names: what a legal identifier is, how physical names are derived and shortened. Knows no database."""

from __future__ import annotations

import hashlib
import re

__all__ = [
    "HISTORY_SUFFIX",
    "SYSTEM",
    "group_schema",
    "is_identifier",
    "is_system_name",
    "output_schema",
    "platform_schema",
    "shorten",
    "view_name",
]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_DIGEST_LENGTH = 8

HISTORY_SUFFIX = "_history"

SYSTEM = "datasurface"
"""The zone that DataSurface adds to every ecosystem; what is in it is named so too, with an ending."""


def is_identifier(name: str) -> bool:
    """Tell whether `name` is an SQL identifier: a letter or underscore, then letters, digits, underscores; 1 to 128."""
    return _IDENTIFIER.match(name) is not None


def is_system_name(name: str) -> bool:
    """Tell whether a name is kept for what DataSurface adds itself: `datasurface`, or `datasurface_` and more."""
    return name == SYSTEM or name.startswith(f"{SYSTEM}_")


def shorten(name: str, limit: int) -> str:
    """Return `name` if it has at most `limit` bytes of UTF-8, else a prefix, `_` and 8 hex digits of its SHA-256."""
    encoded = name.encode(errors="surrogatepass")
    if len(encoded) <= limit:
        return name
    prefix = encoded[: limit - _DIGEST_LENGTH - 1].decode(errors="ignore")
    return f"{prefix}_{hashlib.sha256(encoded).hexdigest()[:_DIGEST_LENGTH]}"


def group_schema(workspace: str, group: str, limit: int) -> str:
    """Return the schema that holds a workspace group's views: `<workspace>_<group>`."""
    return shorten(f"{workspace}_{group}", limit)


def view_name(datastore: str, dataset: str, limit: int, *, history: bool = False) -> str:
    """Return the view of a sink: `<datastore>_<dataset>`, with `_history` for all versions."""
    return shorten(f"{datastore}_{dataset}{HISTORY_SUFFIX if history else ''}", limit)


def platform_schema(platform: str, limit: int) -> str:
    """Return the schema of a platform's own tables: `ds_<platform>`."""
    return shorten(f"ds_{platform}", limit)


def output_schema(platform: str, workspace: str, limit: int) -> str:
    """Return the schema into which a workspace's transformer writes: `ds_<platform>.<workspace>`.

    The dot, which no logical name can have, keeps it apart from every other schema.
    """
    return shorten(f"ds_{platform}.{workspace}", limit)
