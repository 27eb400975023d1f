"""A stand-in for scheduler and kubelet: it runs each pod's command as a process of this machine, with its volumes as
folders, reports what becomes of it, and answers for its log.

It isolates nothing: no image, no network of its own, no limit. Paths below a mount are rewritten to the folder.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kube_cluster import Cluster, Document, Refused
from kube_quota import count

NODE = "stand-in"
_TAIL = 2048


class Kubelet:
    """Runs the pods of a cluster.

    Attributes:
        ran: Every pod that was run, as it was last seen, by its name.
        logs: What each printed.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.ran: dict[str, Document] = {}
        self.logs: dict[str, Path] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._asked: set[str] = set()
        self._freed = threading.Event()
        self._end = threading.Event()

    def look(self) -> None:
        """Start what was asked for and end what was deleted, until it is told to end."""
        while not self._end.wait(0.1):
            for pod in self.cluster.call("GET", "/api/v1/pods")["items"]:
                with suppress(Refused):  # deleted in the meantime
                    self._see(pod)
            if self._freed.is_set():
                self._freed.clear()
                count(self.cluster)

    def stop(self) -> None:
        """End everything that runs."""
        self._end.set()
        for process in self.running.values():
            _signal(process, signal.SIGKILL)
        for thread in self._threads.values():
            thread.join(10)

    def _see(self, pod: Document) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self.running:
            self.ran[pod["metadata"]["name"]] = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._delete(pod, uid)
        elif uid not in self.running and pod["status"].get("phase") == "Pending":
            self._start(pod)

    def _delete(self, pod: Document, uid: str) -> None:
        """Ask the pod's process to end, kill it when its time of grace is over, and let go of the pod after that."""
        process = self.running.get(uid)
        if process is not None and process.poll() is None:
            if uid not in self._asked:
                self._asked.add(uid)
                process.terminate()
            if _now() >= pod["metadata"]["deletionTimestamp"]:
                _signal(process, signal.SIGKILL)
        elif uid not in self._threads or not self._threads[uid].is_alive():
            self.cluster.call("DELETE", _path(pod), {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
            self._freed.set()

    def _start(self, pod: Document) -> None:
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        if "nodeName" not in pod["spec"]:
            self.cluster.call("POST", f"{_path(pod)}/binding", binding)
        root = self.folder / uid
        [container] = pod["spec"]["containers"]
        mounts = self._mounts(pod, container, root)
        self.ran[name], self.logs[name] = pod, self.folder / f"{name}.log"
        environ = {each["name"]: _moved(each["value"], mounts) for each in container.get("env", [])}
        command = [_moved(each, mounts) for each in [*container["command"], *container.get("args", [])]]
        with self.logs[name].open("wb") as log:
            self.running[uid] = subprocess.Popen(
                command,
                cwd=mounts["/tmp"],
                env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with suppress(Refused):  # deleted in the meantime: it is waited for all the same
            self._report(pod, "Running", {"running": {"startedAt": _now()}})
        self._threads[uid] = threading.Thread(target=self._wait, args=(pod, root), daemon=True)
        self._threads[uid].start()

    def _mounts(self, pod: Document, container: Document, root: Path) -> dict[str, str]:
        """Make a folder of each volume; return them by the paths that they are mounted at."""
        volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
        found = {}
        for mount in container["volumeMounts"]:
            folder = root / mount["name"]
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for file, content in self._content(pod, volumes[mount["name"]]).items():
                (folder / file).touch(mode=0o600)
                (folder / file).write_bytes(content)
            found[mount["mountPath"]] = str(folder)
        self._join(found, container, root)
        return found

    def _join(self, mounts: dict[str, str], container: Document, root: Path) -> None:
        """Bring volumes that are mounted below one another's parent, such as one a credential, into one folder."""
        together = next((e["value"] for e in container.get("env", []) if e["name"] == "DATASURFACE_SECRETS"), None)
        if together is not None:
            joined = root / "joined"
            joined.mkdir(mode=0o700)
            for path, folder in list(mounts.items()):
                if path.startswith(f"{together}/"):
                    shutil.move(folder, joined / path.removeprefix(f"{together}/"))
                    del mounts[path]
            mounts[together] = str(joined)

    def _content(self, pod: Document, volume: Document) -> dict[str, bytes]:
        namespace = pod["metadata"]["namespace"]
        if "secret" in volume:
            asked = volume["secret"]
            try:
                kept = self.cluster.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{asked['secretName']}")
            except Refused:
                if asked.get("optional"):
                    return {}
                raise
            values = {key: base64.b64decode(value) for key, value in kept.get("data", {}).items()}
            return _chosen(values, asked)
        if "configMap" in volume:
            asked = volume["configMap"]
            kept = self.cluster.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/{asked['name']}")
            return _chosen({key: value.encode() for key, value in kept.get("data", {}).items()}, asked)
        return {}

    def _wait(self, pod: Document, root: Path) -> None:
        process = self.running[pod["metadata"]["uid"]]
        code = process.wait()
        shutil.rmtree(root, ignore_errors=True)
        code = 128 - code if code < 0 else code
        message = self.logs[pod["metadata"]["name"]].read_text(errors="replace")[-_TAIL:] if code else ""
        ended: Document = {"exitCode": code, "finishedAt": _now(), "message": message, "reason": "Completed"}
        ended["reason"] = "Error" if code else "Completed"
        with suppress(Refused):
            self._report(pod, "Failed" if code else "Succeeded", {"terminated": ended})
            self._freed.set()

    def _report(self, pod: Document, phase: str, state: Document) -> None:
        [container] = pod["spec"]["containers"]
        status = {"name": container["name"], "state": state, "ready": phase == "Running", "restartCount": 0}
        status |= {"image": container["image"], "imageID": container["image"], "started": phase == "Running"}
        body = {"status": {"phase": phase, "containerStatuses": [status], "startTime": _now(), "podIP": "127.0.0.1"}}
        self.cluster.call("PATCH", f"{_path(pod)}/status", body, "application/strategic-merge-patch+json")


def _chosen(values: dict[str, bytes], asked: Document) -> dict[str, bytes]:
    items = asked.get("items")
    return values if items is None else {each["path"]: values[each["key"]] for each in items}


def _moved(text: str, mounts: dict[str, str]) -> str:
    for path, folder in sorted(mounts.items(), reverse=True):
        if text == path or text.startswith(f"{path}/"):
            return folder + text.removeprefix(path)
    return text


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and to all that it has started in its session."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _path(pod: Document) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Logs(ThreadingHTTPServer):
    """Where the API server asks for logs."""

    daemon_threads = True
    kubelet: Kubelet


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Logs)
        path, _, asked = self.path.partition("?")
        name = path.split("/")[3]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        with suppress(OSError):
            self._send(server.kubelet, name, asked)

    def _send(self, kubelet: Kubelet, name: str, asked: str) -> None:
        process = kubelet.running[kubelet.ran[name]["metadata"]["uid"]]
        with kubelet.logs[name].open("rb") as file:
            while True:
                ended = process.poll() is not None or "follow=true" not in asked
                for line in file.readlines():
                    stamp = f"{_now()} ".encode() if "timestamps=true" in asked else b""
                    self.wfile.write(stamp + line)
                self.wfile.flush()
                if ended:
                    return
                time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def kubelet(cluster: Cluster, folder: Path) -> Iterator[Kubelet]:
    """Join a cluster as its only node."""
    made = Kubelet(cluster, folder)
    logs = _Logs(("127.0.0.1", 0), _Handler)
    logs.kubelet = made
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates = cluster.authority.parent
    trust.load_cert_chain(certificates / "apiserver.crt", certificates / "apiserver.key")
    logs.socket = trust.wrap_socket(logs.socket, server_side=True)
    _join(cluster, logs.server_address[1])
    threads = [
        threading.Thread(target=logs.serve_forever, daemon=True),
        threading.Thread(target=made.look, daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.stop()
        logs.shutdown()
        logs.server_close()
        for thread in threads:
            thread.join(10)


def _join(cluster: Cluster, port: Any) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
    cluster.call("POST", "/api/v1/nodes", node)
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    cluster.call("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status}, "application/merge-patch+json")
