"""Stand-ins for clouds: a real moto server over HTTP, and a gate before it that refuses, slows down and counts."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

Answer = tuple[int, dict[str, object]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def moto_server(module: str = "moto.server") -> Iterator[int]:
    """Start a moto server as a process of its own; yield its port."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", module, "-H", "127.0.0.1", "-p", str(port)]
    here = str(Path(__file__).parent)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=here)
    try:
        for _ in range(300):
            try:
                with urlopen(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=5):
                    break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


class Gate(ThreadingHTTPServer):
    """Hands requests on to AWS's stand-in, unless a fault is set for their operation."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.faults: list[Callable[[str], Answer | None]] = []
        self.calls: list[str] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def refuse(self, operation: str, code: str, message: str = "refused", times: int = 1_000_000) -> None:
        """Answer an operation with an error, so many times."""
        left = [times]

        def fault(asked: str) -> Answer | None:
            if asked != operation or left[0] == 0:
                return None
            left[0] -= 1
            return 400, {"__type": code, "message": message}

        self.faults.append(fault)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: the second would wait for an acknowledgement
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        gate = self.server
        assert isinstance(gate, Gate)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        gate.calls.append(operation)
        if operation == "GetSecretValue":
            gate.asked.append(str(json.loads(body)["SecretId"]))
        answer = next((found for fault in gate.faults if (found := fault(operation))), None)
        if answer is not None:
            self._send(answer[0], json.dumps(answer[1]).encode())
            return
        behind = http.client.HTTPConnection("127.0.0.1", gate.behind, timeout=30)
        behind.request("POST", self.path, body, dict(self.headers.items()))
        response = behind.getresponse()
        self._send(response.status, response.read())
        behind.close()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def gate_to(port: int) -> Iterator[Gate]:
    """Open a gate before a server."""
    gate = Gate(port)
    thread = threading.Thread(target=gate.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        gate.shutdown()
        gate.server_close()
        thread.join()
