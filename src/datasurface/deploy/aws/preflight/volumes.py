"""Volume claims of Kubernetes objects, and the driver that would make each volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ONE_NODE", "ON_DEMAND_FILES", "SHARED_BY_NODES", "Claim", "claims_of"]

ONE_NODE = frozenset({"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com", "kubernetes.io/aws-ebs"})
"""Drivers whose volumes one node mounts at a time."""
ON_DEMAND_FILES = "efs.csi.aws.com"
SHARED_BY_NODES = frozenset({"ReadWriteMany", "ReadOnlyMany"})
_USUAL = {"gp2": "ebs.csi.aws.com", "gp3": "ebs.csi.aws.com", "efs-sc": ON_DEMAND_FILES, "": "ebs.csi.aws.com"}
"""The drivers of classes as they are usually called; a cluster's default class is one of EBS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A volume that is asked for.

    Attributes:
        name: What messages call it.
        modes: The access modes.
        storage_class: The class, empty for the cluster's default.
        driver: The class's provisioner; None if it is not known.
    """

    name: str
    modes: tuple[str, ...]
    storage_class: str
    driver: str | None


def claims_of(manifests: Iterable[Mapping[str, Any]]) -> Iterator[Claim]:
    """Yield the claims of objects: their own, those of stateful sets, and ephemeral ones of pods."""
    manifests = list(manifests)
    classes = {
        each["metadata"]["name"]: str(each.get("provisioner", ""))
        for each in manifests
        if each.get("kind") == "StorageClass"
    }
    drivers = {**_USUAL, **classes}
    for manifest in manifests:
        name = f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"
        for spec in _specs(manifest):
            chosen = str(spec.get("storageClassName") or "")
            yield Claim(name=name, modes=tuple(spec["accessModes"]), storage_class=chosen, driver=drivers.get(chosen))


def _specs(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield every specification of a claim inside an object: what has access modes, and is no volume itself."""
    if isinstance(value, Mapping):
        if isinstance(value.get("accessModes"), list) and "capacity" not in value:
            yield value
        for each in value.values():
            yield from _specs(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _specs(each)
