"""Kubernetes objects as plain data, and their text: sorted, without anchors, the same for the same data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from datasurface.deploy.pod import Document
from datasurface.errors import MissingExtraError

__all__ = ["MANAGED", "manifest", "named", "yaml_text"]

_UNBROKEN = 4096
MANAGED: Mapping[str, str] = {
    "app.kubernetes.io/managed-by": "datasurface",
    "app.kubernetes.io/part-of": "datasurface",
}
"""The labels of every object that is generated."""


def named(
    api: str,
    kind: str,
    name: str,
    namespace: str | None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: object,
) -> Document:
    """Return an object: what it is, what it is called, and its fields; None as the namespace: it is the cluster's."""
    metadata: Document = {"name": name, "labels": {**MANAGED, **(labels or {})}}
    if namespace is not None:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def manifest(documents: Iterable[Document], *, heading: str) -> str:
    """Return objects as one YAML file, with a comment at its head."""
    return "\n---\n".join([f"# {heading}", *[yaml_text(document).rstrip("\n") for document in documents]]) + "\n"


def yaml_text(document: Mapping[str, object]) -> str:
    """Return data as YAML.

    Raises:
        MissingExtraError: the YAML library is not installed.
    """
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("`datasurface deploy kubernetes`", "deploy") from error
    dumper = _dumper(yaml)
    text: str = yaml.dump(document, Dumper=dumper, sort_keys=True, allow_unicode=True, width=_UNBROKEN)
    return text


def _dumper(yaml: Any) -> Any:
    """Return a writer without references between parts, that leaves the lines of a text as they are."""
    writer: Any = type(
        "_Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {"ignore_aliases": lambda _self, _data: True}
    )

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    writer.add_representer(str, text)
    return writer
