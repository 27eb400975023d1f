"""A real kube-apiserver with etcd, and a stand-in for everything else of a cluster that tests need.

`tests/kube/build.sh` builds it: Kubernetes 1.20, the newest that Debian has the sources of. RBAC and admission are the
real ones; there is no scheduler, no controller and no kubelet: `tests/kubelet.py` runs pods as processes, and
`tests/kube_quota.py` counts what they take of quotas.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cloud import free_port

Document = dict[str, Any]


def programs() -> Path:
    """Return where the build puts its programs."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return Path(os.environ.get("DATASURFACE_TEST_KUBE", f"{cache}/datasurface-tests/kube"), "bin")


def require_cluster() -> None:
    """Skip the tests where it was not built."""
    if not (programs() / "kube-apiserver").exists():
        pytest.skip("no kube-apiserver here: tests/kube/build.sh builds it from Debian's sources in about 5 minutes")


class Refused(Exception):  # noqa: N818 - what it is
    """The API said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Cluster:
    """The API, as one of its users."""

    def __init__(self, port: int, authority: Path, token: str) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.authority = authority
        self.token = token
        self._trust = ssl.create_default_context(cafile=str(authority))

    def call(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        """Call the API.

        Raises:
            Refused: with the API's own words.
        """
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, "Accept": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(
                Request(self.url + path, data, headers, method=method), timeout=30, context=self._trust
            ) as said:
                text = said.read().decode()
        except HTTPError as error:
            raise Refused(error.code, error.read().decode()) from None
        return json.loads(text) if text.startswith("{") else text

    def user(self, namespace: str, account: str) -> Cluster:
        """Return the API as a service account sees it, by a token of an hour."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        said = self.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body)
        return Cluster(int(self.url.rpartition(":")[2]), self.authority, said["status"]["token"])

    def apply(self, document: Document, *, dry: bool = False) -> Any:
        """Make an object as `kubectl apply --server-side` does; `dry`: only ask whether it would be taken."""
        path = f"{self.path_of(document)}?fieldManager=tests&force=true{'&dryRun=All' if dry else ''}"
        return self.call("PATCH", path, document, "application/apply-patch+yaml")

    def knows(self, document: Document) -> bool:
        """Tell whether this version of Kubernetes has objects of that kind."""
        with suppress(Refused):
            return any(each["kind"] == document["kind"] for each in self._resources(document["apiVersion"]))
        return False

    def path_of(self, document: Document) -> str:
        """Return where an object is."""
        version, kind = document["apiVersion"], document["kind"]
        [found] = [each for each in self._resources(version) if each["kind"] == kind and "/" not in each["name"]]
        metadata = document["metadata"]
        inside = f"/namespaces/{metadata.get('namespace', 'default')}" if found["namespaced"] else ""
        return f"{_root(version)}{inside}/{found['name']}/{metadata['name']}"

    def _resources(self, version: str) -> list[Document]:
        return list(self.call("GET", _root(version))["resources"])

    def may(self, user: str, verb: str, resource: str, namespace: str | None, group: str = "", name: str = "") -> bool:
        """Ask the API whether somebody may do something, as `kubectl auth can-i --as` does."""
        resource, _, part = resource.partition("/")
        asked = {"verb": verb, "resource": resource, "subresource": part, "group": group, "name": name}
        spec = {"user": user, "resourceAttributes": {**asked, **({"namespace": namespace} if namespace else {})}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        said = self.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
        return bool(said["status"].get("allowed"))

    def kubeconfig(self, file: Path, namespace: str) -> Path:
        """Write how to reach the API as this user."""
        data = base64.b64encode(self.authority.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": self.url, "certificate-authority-data": data}}],
            "users": [{"name": "u", "user": {"token": self.token}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
        }
        file.write_text(json.dumps(config))
        file.chmod(0o600)
        return file


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start etcd and the API server; yield the API as an administrator."""
    require_cluster()
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="ds-kube-") as made:
        home = Path(made)
        (home / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
        _signing_key(home / "accounts.key")
        port, processes = free_port(), []
        try:
            processes.append(_etcd(home, store := free_port()))
            processes.append(_api_server(home, store, port))
            yield _ready(home, port, token, processes)
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait(30)


def _etcd(home: Path, port: int) -> subprocess.Popen[bytes]:
    url, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    told = {"data-dir": home / "etcd", "listen-client-urls": url, "advertise-client-urls": url}
    return _start(home, "etcd", {**told, "listen-peer-urls": peers, "unsafe-no-fsync": "true"})


def _api_server(home: Path, store: int, port: int) -> subprocess.Popen[bytes]:
    told = {
        "advertise-address": "127.0.0.1",
        "authorization-mode": "RBAC",
        "bind-address": "127.0.0.1",
        "cert-dir": home / "certificates",
        "etcd-servers": f"http://127.0.0.1:{store}",
        "secure-port": port,
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": home / "accounts.key",
        "service-account-signing-key-file": home / "accounts.key",
        "service-cluster-ip-range": "10.96.0.0/24",
        "token-auth-file": home / "tokens.csv",
    }
    return _start(home, "kube-apiserver", told)


def _start(home: Path, program: str, told: Mapping[str, object]) -> subprocess.Popen[bytes]:
    with (home / f"{program}.log").open("wb") as log:
        options = [f"--{name}={value}" for name, value in told.items()]
        return subprocess.Popen([str(programs() / program), *options], cwd=home, stdout=log, stderr=log)


def _ready(home: Path, port: int, token: str, processes: list[subprocess.Popen[bytes]]) -> Cluster:
    certificate = home / "certificates" / "apiserver.crt"
    for _ in range(300):
        logs = "\n".join(file.read_text(errors="replace")[-2000:] for file in home.glob("*.log"))
        assert all(process.poll() is None for process in processes), logs
        with suppress(OSError, Refused, ssl.SSLError):
            made = Cluster(port, certificate, token)
            if made.call("GET", "/readyz") == "ok":
                return made
        time.sleep(0.2)
    raise TimeoutError("the API server does not become ready")


def _signing_key(file: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
