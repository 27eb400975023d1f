"""What can keep a cluster from running an environment's jobs, seen before anything is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasurface.deploy.base import Deployable
from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.preflight.cluster_checks import CLUSTER_CHECKS
from datasurface.deploy.kubernetes.preflight.node_checks import NODE_CHECKS
from datasurface.deploy.kubernetes.preflight.object_checks import OBJECT_CHECKS
from datasurface.deploy.kubernetes.preflight.setting_checks import SETTING_CHECKS
from datasurface.deploy.kubernetes.preflight.subject import Subject
from datasurface.deploy.preflight.check import Check

__all__ = ["PREFLIGHT", "KubernetesPreflight"]


@dataclass(frozen=True)
class KubernetesPreflight:
    """The checks of the target `kubernetes`."""

    name: str = "kubernetes"
    checks: Sequence[Check[Subject]] = (*SETTING_CHECKS, *OBJECT_CHECKS, *NODE_CHECKS, *CLUSTER_CHECKS)

    def subject(self, deployable: Deployable, environ: Mapping[str, str], *, lint: bool = False) -> Subject:
        """Return what the checks are given; there is no linter of its own."""
        del lint
        return Subject(Cluster.of(deployable), environ)


PREFLIGHT = KubernetesPreflight()
