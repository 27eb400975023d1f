"""A small server that speaks the contract of Azure Key Vault's REST API for secrets, and of an identity's tokens.

It knows versions, the enabled flag, tags, soft-delete and recovery, the challenge for a token, and `api-version`; not
roles, keys or certificates. It is no Azure.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "vault-token"
_SECRET = re.compile(r"/secrets/(?P<name>[0-9a-zA-Z-]{1,127})(?:/(?P<version>[0-9a-f]*))?\Z")
_DELETED = re.compile(r"/deletedsecrets/(?P<name>[0-9a-zA-Z-]{1,127})(?P<recover>/recover)?\Z")
Answer = tuple[int, dict[str, Any]]


class Vault(ThreadingHTTPServer):
    """A vault: its secrets with their versions, newest last, and those that are deleted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        self.deleted: dict[str, list[dict[str, Any]]] = {}
        self.forbidden: dict[str, str] = {}
        self.busy = 0
        self.tokens = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def put(self, name: str, body: dict[str, Any]) -> Answer:
        if name in self.deleted:
            return 409, _error("Conflict", "ObjectIsDeletedButRecoverable")
        if len(body["value"]) > 25_000:
            return 400, _error("BadParameter")
        version, now = uuid.uuid4().hex, int(time.time())
        attributes = {"enabled": True, "created": now, "updated": now, **(body.get("attributes") or {})}
        made = {"id": f"{self.url}/secrets/{name}/{version}", **body, "attributes": attributes}
        self.secrets.setdefault(name, []).append(made)
        return 200, made

    def get(self, name: str, version: str | None) -> Answer:
        versions = [one for one in self.secrets.get(name, []) if not version or one["id"].endswith(version)]
        if not versions:
            return 404, _error("SecretNotFound")
        if not versions[-1]["attributes"]["enabled"]:
            return 403, _error("Forbidden", "SecretDisabled")
        return 200, versions[-1]

    def delete(self, name: str) -> Answer:
        if name not in self.secrets:
            return 404, _error("SecretNotFound")
        self.deleted[name] = self.secrets.pop(name)
        return 200, {"recoveryId": f"{self.url}/deletedsecrets/{name}", **self.deleted[name][-1], "value": None}

    def recover(self, name: str) -> Answer:
        if name not in self.deleted:
            return 404, _error("SecretNotFound")
        self.secrets[name] = self.deleted.pop(name)
        return 200, {**self.secrets[name][-1], "value": None}


def _error(code: str, inner: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"code": code, "message": f"{code} of what was asked"}
    return {"error": told if inner is None else {**told, "innererror": {"code": inner}}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path.startswith("/msi/token"):
            self._token()
        else:
            self._answer("get")

    def do_PUT(self) -> None:
        self._answer("set")

    def do_DELETE(self) -> None:
        self._answer("delete")

    def do_POST(self) -> None:
        self._answer("recover")

    def _token(self) -> None:
        vault = self._vault()
        vault.tokens += 1
        later = str(int(time.time()) + 3600)
        self._send(200, {"access_token": TOKEN, "expires_on": later, "token_type": "Bearer", "resource": "r"})

    def _vault(self) -> Vault:
        assert isinstance(self.server, Vault)
        return self.server

    def _answer(self, verb: str) -> None:
        vault, body = self._vault(), self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            resource = f"https://0.0.1:{vault.server_address[1]}"  # the domain that the vault's is one of
            challenge = f'Bearer authorization="https://login.example/tenant", resource="{resource}"'
            self._send(401, _error("Unauthorized"), {"WWW-Authenticate": challenge})
            return
        with vault.lock:
            status, answer = self._done(vault, verb, body)
        self._send(status, answer, {"Retry-After": "0"} if status == 429 else {})

    def _done(self, vault: Vault, verb: str, body: bytes) -> Answer:
        if "api-version" not in parse_qs(urlsplit(self.path).query):
            return 400, _error("BadParameter")
        if vault.busy > 0:
            vault.busy -= 1
            return 429, _error("Throttled")
        if verb in vault.forbidden:
            return 403, _error("Forbidden", vault.forbidden[verb])
        return self._routed(vault, verb, body)

    def _routed(self, vault: Vault, verb: str, body: bytes) -> Answer:
        path = urlsplit(self.path).path
        secret, deleted = _SECRET.match(path), _DELETED.match(path)
        if deleted is not None:
            return vault.recover(deleted["name"]) if deleted["recover"] else (404, _error("SecretNotFound"))
        if secret is None:
            return 404, _error("NotFound")
        if verb == "set":
            return vault.put(secret["name"], json.loads(body))
        return vault.delete(secret["name"]) if verb == "delete" else vault.get(secret["name"], secret["version"])

    def _send(self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        encoded = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that signs itself; return it and its key."""
    made, key = folder / "server.crt", folder / "server.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


@contextmanager
def vault_server(folder: Path) -> Iterator[tuple[Vault, dict[str, str]]]:
    """Start a vault with TLS; yield it and the variables with which Azure's own libraries find identity and trust."""
    made, key = certificate(folder)
    vault = Vault()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    vault.socket = context.wrap_socket(vault.socket, server_side=True)
    thread = threading.Thread(target=vault.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    variables = {
        "IDENTITY_ENDPOINT": f"{vault.url}/msi/token",
        "IDENTITY_HEADER": "here",
        "REQUESTS_CA_BUNDLE": str(made),
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
    }
    try:
        yield vault, variables
    finally:
        vault.shutdown()
        vault.server_close()
        thread.join()
