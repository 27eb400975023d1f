"""Calls of the Kubernetes API for Secrets: how the cluster is reached, and what its answers mean in words.

Errors are raised where no variable holds what was sent or received, because tracebacks may show variables.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from datasurface.errors import ConfigurationError, DataSurfaceError, MissingExtraError, SecretError, TransientError
from datasurface.model.secret_stores import KubernetesSecrets
from datasurface.secrets.base import Pieces
from datasurface.secrets.kubernetes_object import SecretObject

__all__ = ["POD_NAMESPACE", "ChangedError", "KubernetesClient"]

_T = TypeVar("_T")
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NOT_FOUND, _FORBIDDEN, _UNAUTHORIZED, _CONFLICT = 404, 403, 401, 409
_AGAIN = frozenset({429, 500, 502, 503, 504})
_PAUSES = (0.2, 0.5, 1.0, 2.0)
_TIMEOUT = (5.0, 15.0)


class ChangedError(TransientError):
    """Somebody else has changed the Secret since it was read, or has made it."""


class KubernetesClient:
    """The Secrets of one namespace."""

    def __init__(self, api: Any, models: Any, namespace: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._models = models
        self._sleep = sleep
        self.namespace = namespace

    @classmethod
    def opened(cls, choice: KubernetesSecrets, environ: Mapping[str, str]) -> Self:
        """Return the client of a namespace.

        In a pod it is that of the pod's service account, unless the model names a context; else the kubeconfig's.

        Raises:
            ConfigurationError: neither is there.
            MissingExtraError: the client library is not installed.
        """
        try:
            from kubernetes import client  # noqa: PLC0415 - an extra
            from kubernetes import config as untyped  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError("the secret store kubernetes", "kubernetes") from error
        config: Any = untyped
        logger = logging.getLogger("kubernetes.client.rest")  # at DEBUG it logs what is received, secrets included
        logger.setLevel(max(logger.level, logging.INFO))
        settings = client.Configuration()
        try:
            if choice.context is None and environ.get("KUBERNETES_SERVICE_HOST"):
                config.load_incluster_config(client_configuration=settings)
                own = POD_NAMESPACE.read_text(encoding="utf-8").strip() if POD_NAMESPACE.exists() else None
            else:
                file = environ.get("KUBECONFIG") or None
                config.load_kube_config(config_file=file, context=choice.context, client_configuration=settings)
                own = _context_namespace(config, file, choice.context)
        except (config.ConfigException, OSError) as error:
            raise ConfigurationError(
                f"the secret store kubernetes knows no cluster: {error}",
                hint="run in a pod, or set KUBECONFIG; KubernetesSecrets(context=…) names a context of it",
            ) from None
        settings.retries = False
        api = client.CoreV1Api(client.ApiClient(settings))
        return cls(api, client, choice.namespace or own or "default")

    def read(self, name: str) -> SecretObject | None:
        """Return a Secret, or None if there is none of that name.

        Raises:
            SecretError: the cluster refuses.
            TransientError: the cluster cannot be reached.
        """
        return self._guarded(
            "get",
            name,
            lambda: _value(self._api.read_namespaced_secret(name, self.namespace, _request_timeout=_TIMEOUT)),
            absent=lambda: None,
        )

    def create(self, name: str, wanted: SecretObject) -> None:
        """Create a Secret.

        Raises:
            ChangedError: it exists already.
            SecretError: the cluster refuses.
            TransientError: the cluster cannot be reached.
        """
        self._guarded(
            "create",
            name,
            lambda: self._api.create_namespaced_secret(
                self.namespace, self._body(name, wanted), _request_timeout=_TIMEOUT
            ),
        )

    def change(self, name: str, former: SecretObject, wanted: SecretObject) -> None:
        """Change the keys in which two values differ, and nothing else, if the Secret still has the former's revision.

        Raises:
            ChangedError: it has another revision now.
            SecretError: the cluster refuses.
            TransientError: the cluster cannot be reached.
        """
        self._guarded(
            "patch",
            name,
            lambda: self._api.patch_namespaced_secret(
                name,
                self.namespace,
                {
                    "metadata": {"resourceVersion": former.revision},
                    "data": {**dict.fromkeys(former.data), **wanted.data},
                },
                _request_timeout=_TIMEOUT,
            ),
        )

    def delete(self, name: str) -> None:
        """Delete a Secret; none being there is no error.

        Raises:
            SecretError: the cluster refuses.
            TransientError: the cluster cannot be reached.
        """
        self._guarded(
            "delete",
            name,
            lambda: self._api.delete_namespaced_secret(name, self.namespace, _request_timeout=_TIMEOUT),
            absent=lambda: None,
        )

    def _body(self, name: str, wanted: SecretObject) -> Any:
        metadata = self._models.V1ObjectMeta(
            name=name,
            labels=dict(wanted.labels),
            annotations=dict(wanted.annotations),
        )
        return self._models.V1Secret(metadata=metadata, data=dict(wanted.data), type=wanted.type)

    def _guarded(self, verb: str, name: str, call: Callable[[], _T], *, absent: Callable[[], _T] | None = None) -> _T:
        problem: DataSurfaceError = TransientError(f"Kubernetes cannot be reached to {verb} Secret {name}")
        for pause in (*_PAUSES, None):
            again = False
            try:
                return call()
            except self._models.ApiException as error:
                if error.status == _NOT_FOUND and absent is not None:
                    return absent()
                problem, again = self._refusal(verb, name, error.status, _message(error.body)), error.status in _AGAIN
            except OSError:  # what the library wraps in its own is below
                again = True
            except Exception as error:  # noqa: BLE001 - of the library's two dozen; their texts may hold what was sent
                again = type(error).__module__.startswith("urllib3")
                if not again:
                    problem = SecretError(f"Kubernetes: {verb} Secret {name}: {type(error).__name__}")
            if not again or pause is None:
                break
            self._sleep(pause)
        raise problem

    def _refusal(self, verb: str, name: str, status: int, message: str) -> SecretError | TransientError:
        what = f"Kubernetes: {verb} Secret {name} in namespace {self.namespace}: {status} {message}"
        if status == _CONFLICT:
            return ChangedError(what)
        if status in _AGAIN:
            return TransientError(what)
        if status == _UNAUTHORIZED:
            return SecretError(what, hint="this process's login to the cluster is not valid (any more)")
        hint = f"a Role must allow {verb} on secrets in namespace {self.namespace}" if status == _FORBIDDEN else ""
        return SecretError(what, hint=hint)


def _value(found: Any) -> SecretObject:
    metadata = found.metadata
    return SecretObject(
        data=Pieces(found.data or {}),
        labels=metadata.labels or {},
        annotations=metadata.annotations or {},
        revision=metadata.resource_version,
        type=found.type or "Opaque",
    )


def _message(body: object) -> str:
    """Return the message of the API's answer, which is a `Status`; never what is not one."""
    try:
        status = json.loads(body) if isinstance(body, str | bytes) else {}
    except ValueError:
        return ""
    return str(status.get("message", "")) if isinstance(status, dict) and status.get("kind") == "Status" else ""


def _context_namespace(config: Any, file: str | None, context: str | None) -> str | None:
    contexts, current = config.list_kube_config_contexts(config_file=file)
    chosen = next((known for known in contexts if known["name"] == context), current)
    namespace = (chosen.get("context") or {}).get("namespace") if chosen else None
    return str(namespace) if namespace else None
