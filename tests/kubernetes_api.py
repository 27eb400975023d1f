"""A small server that speaks the Kubernetes API's contract for Secrets: verbs, revisions, conflicts, refusals.

It is no cluster: it checks no schema beyond what the tests need, and knows nothing but Secrets and one bearer token.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "service-account-token"
_PATH = re.compile(r"/api/v1/namespaces/(?P<namespace>[^/]+)/secrets(?:/(?P<name>[^/?]+))?(?:\?.*)?\Z")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
_PATCHES = {"application/merge-patch+json", "application/strategic-merge-patch+json"}


class Api(ThreadingHTTPServer):
    """The Secrets of a cluster, by namespace and name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.revision = 0
        self.forbidden: set[str] = set()
        self.busy = 0
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def put(self, namespace: str, name: str, data: Mapping[str, str | bytes], **more: Any) -> None:
        """Make a Secret as a person would."""
        encoded = {
            key: base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()
            for key, value in data.items()
        }
        with self.lock:
            self.keep(namespace, name, {"metadata": {"name": name}, "data": encoded, "type": "Opaque", **more})

    def texts(self, namespace: str, name: str) -> dict[str, str]:
        data = self.secrets[namespace, name]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def keep(self, namespace: str, name: str, found: dict[str, Any]) -> dict[str, Any]:
        self.revision += 1
        metadata = {**found["metadata"], "namespace": namespace, "resourceVersion": str(self.revision)}
        self.secrets[namespace, name] = {"apiVersion": "v1", "kind": "Secret", **found, "metadata": metadata}
        return self.secrets[namespace, name]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer("get")

    def do_POST(self) -> None:
        self._answer("create")

    def do_PATCH(self) -> None:
        self._answer("patch")

    def do_DELETE(self) -> None:
        self._answer("delete")

    def _answer(self, verb: str) -> None:
        api = self.server
        assert isinstance(api, Api)
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"{}")
        with api.lock:
            status, answer = self._done(api, verb, body)
        if status >= 400:
            answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": answer}
        encoded = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _done(self, api: Api, verb: str, body: dict[str, Any]) -> tuple[int, Any]:
        found = _PATH.match(self.path)
        if found is None:
            return 404, "the server could not find the requested resource"
        namespace, name = found["namespace"], found["name"] or body.get("metadata", {}).get("name")
        if self.headers.get("Authorization", "").lower() != f"bearer {TOKEN}":
            return 401, "Unauthorized"
        if api.busy > 0:
            api.busy -= 1
            return 429, "too many requests, please try again later"
        if verb in api.forbidden:
            return 403, f'secrets "{name}" is forbidden: cannot {verb} resource "secrets" in namespace "{namespace}"'
        return self._changed(api, verb, (namespace, name), body)

    def _created(self, api: Api, key: tuple[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        if key in api.secrets:
            return 409, f'secrets "{key[1]}" already exists'
        if not _NAME.match(key[1]) or not all(map(_KEY.match, body.get("data") or {})):
            return 422, "Secret is invalid"
        return 201, api.keep(*key, body)

    def _changed(self, api: Api, verb: str, key: tuple[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        kept = api.secrets.get(key)
        if verb == "create":
            return self._created(api, key, body)
        if kept is None:
            return 404, f'secrets "{key[1]}" not found'
        if verb == "get":
            return 200, kept
        if verb == "delete":
            del api.secrets[key]
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        return self._patched(api, key, kept, body)

    def _patched(self, api: Api, key: tuple[str, str], kept: dict[str, Any], body: dict[str, Any]) -> tuple[int, Any]:
        if self.headers.get("Content-Type") not in _PATCHES:
            return 415, "the body of the request was in an unknown format"
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != kept["metadata"]["resourceVersion"]:
            return 409, "the object has been modified; please apply your changes to the latest version and try again"
        if kept.get("immutable"):
            return 422, "data: Forbidden: field is immutable when `immutable` is set"
        data = {**kept.get("data", {}), **body.get("data", {})}
        return 200, api.keep(*key, {**kept, "data": {name: value for name, value in data.items() if value is not None}})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def api_server(certificate: Path | None = None, key: Path | None = None) -> Iterator[Api]:
    """Start the API, with TLS if it gets a certificate."""
    api = Api()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        api.socket = context.wrap_socket(api.socket, server_side=True)
        api.scheme = "https"
    thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.shutdown()
        api.server_close()
        thread.join()


def kubeconfig(path: Path, url: str, token: str = TOKEN) -> Path:
    """Write a kubeconfig with one context, `here`, of the namespace `data`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "data"}}],
    }
    path.write_text(json.dumps(config))
    return path
