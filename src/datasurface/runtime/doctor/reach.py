"""Whether a container is reached from here: its name, its port, its certificate. No answer is waited for for ever.

It knows no login: what is seen is what anybody sees who asks from this place.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from datasurface.model.infrastructure import AuroraDatabase, Container, PostgresDatabase
from datasurface.model.vocabulary import Tls
from datasurface.runtime.doctor.check import Check, Verdict, failed, passed, warned

__all__ = ["limited", "reach"]

_TIMEOUT = 5.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's message `SSLRequest`: its length, and the number that stands for it."""
_SHOWN = 4


def limited(subject: str, seconds: float, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield what `look` finds within that time; what takes longer fails, and is left behind."""
    found: list[Check] = []
    broken: list[BaseException] = []

    def work() -> None:
        try:
            found.extend(look())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            broken.append(error)

    thread = threading.Thread(target=work, name=f"doctor {subject}", daemon=True)
    thread.start()
    thread.join(seconds)
    yield from list(found)
    if broken:
        raise broken[0]
    if thread.is_alive():
        yield failed(
            subject,
            f"no answer within {seconds:.0f} s",
            "something on the way drops what is sent: a network policy, a firewall, or a server that hangs",
        )


def reach(container: Container, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield whether a container's host has an address, its port answers, and with which certificate."""
    host, port = getattr(container, "host", None), getattr(container, "port", None)
    if not isinstance(host, str) or not isinstance(port, int) or host.startswith("/"):
        return
    label = container.label()
    steps: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("name", lambda: _name(label, host, port)),
        ("network", lambda: _port(label, host, port)),
    ]
    if isinstance(container, PostgresDatabase | AuroraDatabase):
        steps.append(("TLS", lambda: _certificate(container, environ)))
    for what, look in steps:
        found = list(limited(f"{label}: {what}", 2 * _TIMEOUT, look))
        yield from found
        if any(check.verdict is Verdict.FAIL for check in found):
            return


def _name(label: str, host: str, port: int) -> Iterator[Check]:
    try:
        found = sorted({str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        yield failed(
            f"{label}: name",
            f"{host} has no address: {error}",
            "is it spelt right, and may this pod ask the name server? kubectl get networkpolicy",
        )
        return
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    yield passed(f"{label}: name", f"{host} is {', '.join(found[:_SHOWN])}{more}")


def _port(label: str, host: str, port: int) -> Iterator[Check]:
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT) as connection:
            peer = connection.getpeername()
    except OSError as error:
        yield failed(
            f"{label}: network",
            f"{host}:{port} does not answer: {error}",
            "is it running, and do network policies and firewalls let this pod reach it?",
        )
        return
    yield passed(f"{label}: network", f"{host}:{port} answers, at {peer[0]}")


def _certificate(container: PostgresDatabase | AuroraDatabase, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield whether the server speaks TLS, and whom its certificate names, verified as far as the model asks."""
    subject = f"{container.label()}: TLS"
    weak = container.tls in {Tls.DISABLE, Tls.PREFER}
    try:
        told, problem = _handshake(container, environ)
    except OSError as error:
        yield failed(subject, f"no TLS could be agreed on: {error}", "which versions of TLS does the server speak?")
        return
    if told is None:
        detail = "the server speaks no TLS: rows and the login would cross the network in clear"
        remedy = "switch TLS on at the server; then Tls.REQUIRE or Tls.VERIFY_FULL"
        yield warned(subject, detail, remedy) if weak else failed(subject, detail, remedy)
    elif problem and container.tls in {Tls.VERIFY_CA, Tls.VERIFY_FULL}:
        yield failed(subject, f"{told}, {problem}", "PGSSLROOTCERT names the file with the authority's certificate")
    elif weak:
        yield warned(subject, f"{told}, but tls={container.tls.value} does not ask for it", "Tls.REQUIRE or stronger")
    else:
        yield passed(subject, f"{told}, {problem or 'verified'}")


def _handshake(container: PostgresDatabase | AuroraDatabase, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Return what the server said, None without TLS, and why its certificate is not to be trusted."""
    unverified = ssl._create_unverified_context()  # noqa: S323, SLF001 - only to look; the second one verifies
    told = _talk(container, unverified)
    if told is None:
        return None, ""
    roots = environ.get("PGSSLROOTCERT") or None
    verified = ssl.create_default_context(cafile=roots if roots and os.path.exists(roots) else None)  # noqa: PTH110
    verified.check_hostname = container.tls is Tls.VERIFY_FULL
    try:
        return _talk(container, verified), ""
    except ssl.SSLCertVerificationError as error:
        return told, f"not verified: {error.verify_message}"


def _talk(container: PostgresDatabase | AuroraDatabase, context: ssl.SSLContext) -> str | None:
    with socket.create_connection((container.host, container.port), timeout=_TIMEOUT) as plain:
        plain.sendall(_SSL_REQUEST)
        if plain.recv(1) != b"S":
            return None
        with context.wrap_socket(plain, server_hostname=container.host) as protected:
            names = _names(protected.getpeercert() or {})
            return f"{protected.version()}{names}"


def _names(certificate: Mapping[str, object]) -> str:
    alternatives = certificate.get("subjectAltName")
    found = [str(value) for _, value in alternatives] if isinstance(alternatives, tuple) else []
    return f", for {', '.join(found[:_SHOWN])}" if found else ""
