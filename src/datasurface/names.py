"""Names: what a legal identifier is, how physical names are derived and shortened. Knows no database."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

__all__ = [
    "HISTORY_SUFFIX",
    "SYSTEM",
    "RoleNames",
    "group_schema",
    "input_schema",
    "is_identifier",
    "is_pinned",
    "is_system_name",
    "output_schema",
    "platform_schema",
    "shorten",
    "view_name",
    "work_schema",
]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_PINNED = re.compile(r"[A-Za-z0-9][\w.-]*\s*(\[[\w.,\s-]*\])?\s*={2,3}\s*[0-9A-Za-z][\w.!+-]*\s*(;.*)?\Z")
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


def input_schema(platform: str, workspace: str, group: str, limit: int) -> str:
    """Return the schema with copies of what a group sees, while code that connects by itself runs."""
    return shorten(f"ds_{platform}.{workspace}.in.{group}", limit)


def work_schema(platform: str, workspace: str, limit: int) -> str:
    """Return the schema in which a transformer's code may make tables of its own, while it runs."""
    return shorten(f"ds_{platform}.{workspace}.work", limit)


def is_pinned(requirement: str) -> bool:
    """Tell whether a requirement of a Python package names exactly one version: `name==1.2`, `name[extra]==1.2`."""
    return _PINNED.match(requirement) is not None


@dataclass(frozen=True, slots=True)
class RoleNames:
    """The names of a platform's roles in its database server, and of the credentials that hold their passwords.

    A server's roles are shared by all its databases, so ecosystem and environment are part of them. Each login comes
    twice, `.a` and `.b`, so that one can be given a new password while the other one works.

    Attributes:
        ecosystem: Whose platform it is.
        environment: Which environment binds it; None for the model as it is.
        platform: The platform's name.
        limit: The longest name, in bytes.
    """

    ecosystem: str
    environment: str | None
    platform: str
    limit: int

    @property
    def owner(self) -> str:
        """The role that owns the platform's schemas, tables and views; nobody logs in as it."""
        return self._role("owner")

    @property
    def run(self) -> str:
        """The group of the logins that apply releases and run batches."""
        return self._role("run")

    @property
    def monitor(self) -> str:
        """The role that reads the platform's public views."""
        return self._role("monitor")

    def transformer(self, workspace: str) -> str:
        """Return the role of a workspace's transformer."""
        return self._role("t", workspace)

    def reader(self, workspace: str, group: str, cleared: str | None = None) -> str:
        """Return the role that reads a group of a workspace, or only the columns that a clearance covers."""
        return self._role("r", workspace, group, *(() if cleared is None else (f"cleared for {cleared or 'nothing'}",)))

    def workspace(self, workspace: str) -> str:
        """Return the role that reads all groups of a workspace."""
        return self._role("r", workspace)

    def person(self, name: str) -> str:
        """Return the role of a person whose login DataSurface makes."""
        return self._role("p", name)

    def credential(self, *parts: str) -> str:
        """Return the name of the credential of a login, such as `yellow.transformer.reports`."""
        return ".".join((self.platform, *parts))

    def logins(self, role: str) -> tuple[str, str]:
        """Return the two alternating logins of a role."""
        return f"{role}.a", f"{role}.b"

    def _role(self, *parts: str) -> str:
        environment = () if self.environment is None else (self.environment,)
        return shorten(".".join(("ds", self.ecosystem, *environment, self.platform, *parts)), self.limit - 2)
