"""Secret stores as a model chooses them: where the secrets of credentials are looked for, and put.

A plain string stands for the store of that name with its defaults: `"environment"`, `"files"`, `"kubernetes"`, `"aws"`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field
from typing import ClassVar, TypeAlias

from datasurface.model.base import Noun, field_names, noun

__all__ = [
    "BUILT_IN_STORES",
    "DEFAULT_STORES",
    "AwsSecrets",
    "AzureKeyVault",
    "ConfiguredStore",
    "EnvironmentSecrets",
    "FileSecrets",
    "KubernetesSecrets",
    "StoreChoice",
    "kind_of_store",
    "store_label",
    "store_problem",
]


class ConfiguredStore(Noun):
    """A secret store with settings. Its kind is the name under which its code is installed."""

    __slots__ = ()

    kind: ClassVar[str]


StoreChoice: TypeAlias = ConfiguredStore | str
DEFAULT_STORES: Sequence[StoreChoice] = ("environment", "files")
"""What a platform asks that names no stores."""
BUILT_IN_STORES = frozenset({"environment", "files", "kubernetes", "aws", "azure"})
"""The stores that come with DataSurface."""


@noun
class EnvironmentSecrets(ConfiguredStore):
    """Variables of the process: `DATASURFACE_<CREDENTIAL>_USER`, `…_PASSWORD`."""

    kind = "environment"


@noun
class FileSecrets(ConfiguredStore):
    """A folder with a folder for each credential.

    Attributes:
        path: The folder; a relative one starts at the model folder.
        read_only: Whether new secrets go elsewhere.
    """

    kind = "files"

    path: str = field(kw_only=False)
    read_only: bool = False


@noun
class KubernetesSecrets(ConfiguredStore):
    """Secrets of a Kubernetes namespace.

    Attributes:
        namespace: None for the pod's own, or that of the kubeconfig's context.
        context: A context of the kubeconfig; None for the pod's service account, else the current context.
        prefix: What the names of all secrets begin with.
        adopt: Whether secrets that somebody else has made may be changed.
        read_only: Whether new secrets go elsewhere.
    """

    kind = "kubernetes"

    namespace: str | None = None
    context: str | None = None
    prefix: str = "datasurface"
    adopt: bool = False
    read_only: bool = False


@noun
class AwsSecrets(ConfiguredStore):
    """AWS Secrets Manager, with names such as `datasurface/<ecosystem>/<credential>`.

    Attributes:
        region: None for AWS's own defaults, such as `AWS_REGION`.
        kms_key: The key that encrypts new secrets: an ARN, an id or `alias/…`; None for the account's own.
        prefix: What the names of all secrets begin with.
        adopt: Whether secrets that somebody else has made may be changed.
        read_only: Whether new secrets go elsewhere.
    """

    kind = "aws"

    region: str | None = None
    kms_key: str | None = None
    prefix: str = "datasurface"
    adopt: bool = False
    read_only: bool = False


@noun
class AzureKeyVault(ConfiguredStore):
    """An Azure Key Vault.

    Attributes:
        vault: Its name, or its URL.
        prefix: What the names of all secrets begin with.
        adopt: Whether secrets that somebody else has made may be changed.
        read_only: Whether new secrets go elsewhere.
    """

    kind = "azure"

    vault: str = field(kw_only=False)
    prefix: str = "datasurface"
    adopt: bool = False
    read_only: bool = False


def kind_of_store(choice: StoreChoice) -> str:
    """Return the name under which the code of a store is installed."""
    return choice if isinstance(choice, str) else choice.kind


def store_label(choice: StoreChoice) -> str:
    """Return a store as messages name it: its kind, and those settings that are not the default."""
    if isinstance(choice, str):
        return choice
    defaults = {name: spec.default for name, spec in type(choice).__dataclass_fields__.items()}  # type: ignore[attr-defined]
    values = {name: getattr(choice, name) for name in field_names(type(choice))}
    shown = ", ".join(f"{name}={value}" for name, value in values.items() if value != defaults[name])
    return f"{choice.kind}({shown})" if shown else choice.kind


_DASHED = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_TAKEN: dict[tuple[str, str], tuple[re.Pattern[str], str]] = {
    ("files", "path"): (re.compile(r".+", re.DOTALL), "a folder"),
    ("kubernetes", "prefix"): (re.compile(rf"{_DASHED}(\.{_DASHED})*"), "small letters, digits, dashes and dots"),
    ("kubernetes", "namespace"): (
        re.compile(rf"(?=.{{1,63}}\Z){_DASHED}"),
        "up to 63 small letters, digits and dashes",
    ),
    ("aws", "prefix"): (re.compile(r"[A-Za-z0-9_+=.@-]+(/[A-Za-z0-9_+=.@-]+)*"), "letters, digits and /_+=.@-"),
    ("aws", "region"): (re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+"), 'a region such as "eu-west-1"'),
    ("azure", "prefix"): (re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"), "letters, digits and dashes"),
    ("azure", "vault"): (
        re.compile(r"https://[^/\s]+/?|[A-Za-z][A-Za-z0-9-]{2,23}"),
        "a vault's name, or its https:// URL",
    ),
}
"""What some settings take, by kind of store and name, and the same in words."""


def store_problem(choice: StoreChoice) -> str | None:
    """Return which setting of a store cannot be, in words; None if all can."""
    for (kind, name), (takes, words) in _TAKEN.items():
        value = getattr(choice, name, None) if kind_of_store(choice) == kind else None
        if isinstance(value, str) and not takes.fullmatch(value):
            return f"{name}={value!r}: it takes {words}"
    return None
