"""Questions to a Kubernetes API, none of which changes anything: its answers as plain data, refusals as errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from datasurface.deploy.preflight.check import UnseenError
from datasurface.errors import ConfigurationError, DataSurfaceError, MissingExtraError, TransientError

__all__ = ["ClusterApi", "Right"]

_TIMEOUT = 10.0
_REFUSED, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """A right to do something with a kind of object.

    Attributes:
        group: The API group; empty for the core.
        resource: The kind, in the plural.
        verb: What is done.
        namespace: Where; None for objects of the cluster.
    """

    group: str
    resource: str
    verb: str
    namespace: str | None = None


class ClusterApi:
    """A cluster, as one person may look at it.

    Args:
        client: The library's client.
        context: The kubeconfig's context that it is of; None in a pod.
    """

    def __init__(self, client: Any, context: str | None = None) -> None:
        self._client = client
        self._context = context

    @classmethod
    def opened(cls, environ: Mapping[str, str]) -> Self:
        """Return the cluster of the kubeconfig's current context, or of the pod that this runs in.

        Raises:
            ConfigurationError: there is neither.
            MissingExtraError: the client library is not installed.
        """
        try:
            from kubernetes import client  # noqa: PLC0415 - an extra
            from kubernetes import config as untyped  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError("`datasurface preflight kubernetes`", "kubernetes") from error
        config: Any = untyped
        settings = client.Configuration()
        context = None
        try:
            if environ.get("KUBECONFIG") or not environ.get("KUBERNETES_SERVICE_HOST"):
                file = environ.get("KUBECONFIG") or None
                config.load_kube_config(config_file=file, client_configuration=settings)
                context = config.list_kube_config_contexts(config_file=file)[1]["name"]
            else:
                config.load_incluster_config(client_configuration=settings)
        except (config.ConfigException, OSError) as error:
            raise ConfigurationError(
                f"no cluster is known: {error}", hint="set KUBECONFIG, or say --offline to check what needs no cluster"
            ) from None
        settings.retries = False
        return cls(client.ApiClient(settings), context)

    def get(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path of the API; None if there is nothing.

        Raises:
            UnseenError: this person may not look at it.
            TransientError: the cluster cannot be reached.
        """
        return self._call("GET", path, None)

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the objects of a list; none if the API does not know the kind.

        Raises:
            UnseenError, TransientError: as `get`.
        """
        found = self.get(path)
        return [] if found is None else list(found.get("items") or [])

    def may(self, right: Right) -> bool:
        """Tell whether this person has a right.

        Raises:
            TransientError: the cluster cannot be reached.
        """
        attributes = {"group": right.group, "resource": right.resource, "verb": right.verb}
        if right.namespace is not None:
            attributes["namespace"] = right.namespace
        resource, _, part = right.resource.partition("/")
        if part:
            attributes |= {"resource": resource, "subresource": part}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        found = self._call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(found and found.get("status", {}).get("allowed"))

    def _call(self, method: str, path: str, body: object) -> dict[str, Any] | None:
        """Send one request by the library's own connections: its calls for plain data differ between its versions."""
        settings = self._client.configuration
        login = settings.auth_settings().get("BearerToken", {}).get("value")
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if login:
            headers["Authorization"] = login
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                settings.host + path,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=_TIMEOUT,
                retries=False,
            )
        except Exception as error:  # noqa: BLE001 - urllib3's two dozen
            raise self._unreached(error) from None
        if answer.status == _NOT_FOUND:
            return None
        found = _document(answer.data)
        if answer.status >= _REFUSED:
            raise _refusal(f"{method} {path}: {answer.status} {found.get('message', '')}", answer.status, path)
        return found

    def _unreached(self, error: Exception) -> TransientError:
        """Return that there is no answer, and from which cluster: often another one is meant."""
        server, why = _without_login(self._client.configuration.host), type(error).__name__
        if self._context is None:
            return TransientError(f"{server} cannot be reached: {why}", hint="is its API reachable from here?")
        return TransientError(
            f"the cluster of the kubeconfig's context {self._context!r}, {server}, cannot be reached: {why}",
            hint="choose another (kubectl config use-context NAME, or KUBECONFIG), or is it out of reach from here?",
        )


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _refusal(what: str, status: int, path: str) -> DataSurfaceError:
    if status == _FORBIDDEN:
        return UnseenError(what, hint=f"allow get and list on {path}")
    if status == _UNAUTHORIZED:
        return ConfigurationError(what, hint="log in to the cluster again")
    return TransientError(what)


def _document(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
