"""What the checks are given: the objects that would be applied, and the cluster, reached when the first one asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.preflight.api import ClusterApi
from datasurface.deploy.kubernetes.target import objects
from datasurface.errors import DataSurfaceError

__all__ = ["Subject"]


class Subject:
    """An environment's cluster before anything is applied to it.

    Attributes:
        cluster: The cluster as the model describes it.
    """

    def __init__(self, cluster: Cluster, environ: Mapping[str, str]) -> None:
        self.cluster = cluster
        self._environ = environ
        self._lock = threading.Lock()
        self._api: ClusterApi | None = None

    @cached_property
    def problem(self) -> DataSurfaceError | None:
        """Why the manifests cannot be made, or None."""
        try:
            objects(self.cluster)
        except DataSurfaceError as error:
            return error
        return None

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """What would be applied; nothing as long as it cannot be made."""
        return [] if self.problem is not None else objects(self.cluster)

    @property
    def api(self) -> ClusterApi:
        """The cluster that the kubeconfig, or the pod that this runs in, names.

        Raises:
            ConfigurationError: neither does.
            MissingExtraError: the client library is not installed.
        """
        with self._lock:
            if self._api is None:
                self._api = ClusterApi.opened(self._environ)
            return self._api
