"""A collector for tests: a real HTTP server that keeps what is posted to it, and answers as it is told."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Collector", "Posted", "collector"]


@dataclass(frozen=True)
class Posted:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Collector:
    """What was posted, and how the next posts are answered."""

    url: str = ""
    status: int = 200
    delay: float = 0.0
    posted: list[Posted] = field(default_factory=list)

    def until(self, condition: Callable[[list[Posted]], bool], seconds: float = 10) -> list[Posted]:
        """Wait until what was posted satisfies a condition."""
        deadline = time.monotonic() + seconds
        while not condition(self.posted):
            assert time.monotonic() < deadline, f"posted: {[p.path for p in self.posted]}"
            time.sleep(0.02)
        return self.posted

    @property
    def everything(self) -> str:
        """All that was posted, as text, for those who look for what must not be in it."""
        return "\n".join(f"{p.path} {p.headers} {p.body.decode(errors='replace')}" for p in self.posted)


@contextmanager
def collector() -> Iterator[Collector]:
    """Run one."""
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            time.sleep(kept.delay)
            kept.posted.append(Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - as the base has it
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
