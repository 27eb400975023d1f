"""What a server of metrics has at which path: Prometheus' client alone answers with metrics at any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["only_metrics"]

_PATH = "/metrics"
_LINK = b'<!doctype html><title>DataSurface</title><a href="/metrics">metrics</a>\n'


def only_metrics(metrics: WSGIApplication) -> WSGIApplication:
    """Return an application that has these metrics at `/metrics`, a link to them at `/`, and nothing else."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == _PATH:
            return metrics(environ, start_response)
        if path in {"", "/"}:
            start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [_LINK]
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"metrics are at /metrics\n"]

    return application
