"""A small server that answers a Kubernetes API's questions from prepared objects; it knows lists, absence and refusal.

It is no cluster: objects are what a test puts in, by path; rights are all there but those that a test denies.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubernetes_api import TOKEN

_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class FakeCluster(ThreadingHTTPServer):
    """What a test's cluster holds.

    Attributes:
        found: Objects and lists by path, without the query.
        denied: Rights that are not there, as (verb, resource) or (verb, resource, namespace).
        hidden: Paths that may not be looked at.
        asked: Every request, as (method, path).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.found: dict[str, dict[str, Any]] = {}
        self.denied: set[tuple[str, ...]] = set()
        self.hidden: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put_list(self, path: str, *items: dict[str, Any]) -> None:
        self.found[path] = {"items": list(items)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self._allowed(path):
            cluster = self._cluster("GET")
            found = cluster.found.get(path)
            self._answer(404 if found is None else 200, found or {"message": "not found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        cluster = self._cluster("POST")
        asked = body["spec"]["resourceAttributes"]
        assert self.path == _REVIEW, "nothing but questions"
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        right = (asked["verb"], resource, asked.get("namespace", ""))
        denied = right in cluster.denied or right[:2] in cluster.denied
        self._answer(201, {"status": {"allowed": not denied}})

    def _allowed(self, path: str) -> bool:
        cluster = self._cluster("")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Unauthorized"})
        elif path in cluster.hidden:
            self._answer(403, {"message": f"cannot get {path}"})
        else:
            return True
        return False

    def _cluster(self, method: str) -> FakeCluster:
        assert isinstance(self.server, FakeCluster)
        if method:
            self.server.asked.append((method, self.path))
        return self.server

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def fake_cluster() -> Iterator[FakeCluster]:
    """Start the API."""
    cluster = FakeCluster()
    thread = threading.Thread(target=cluster.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        cluster.shutdown()
        cluster.server_close()
        thread.join()
