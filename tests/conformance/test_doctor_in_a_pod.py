"""`doctor --platform-file`: what a job would meet from where it runs, told without a model, and always told in time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from datasurface import BigInt, Column, Dataset, Tls
from datasurface.release.platform_file import platform_file
from datasurface.runtime.doctor import Verdict, examine_pod
from datasurface.runtime.doctor import reach as reach_module
from datasurface.runtime.doctor.check import Check
from datasurface.runtime.doctor.machine import inodes, memory_limit
from datasurface.runtime.doctor.reach import reach
from servers import system_server
from workbench import container, environ, model, workbench

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True)])


def _found(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.subject: check for check in checks}


def test_all_that_a_batch_needs_is_looked_at(two_databases: tuple[str, str], tmp_path: Path) -> None:
    source, target = two_databases
    with psycopg.connect(source) as connection:
        connection.execute(b"CREATE TABLE orders (id bigint PRIMARY KEY)")
    secrets = environ(src=source, dst=target)
    file = tmp_path / "platform.json"
    made = model(container("src", source), container("dst", target), [ORDERS])
    with workbench(made, target, tmp_path, secrets) as bench:
        file.write_text(platform_file(bench.release.platforms[0]))
        found = _found(examine_pod(file, ["shop", "gone"], secrets, tmp_path, tmp_path))
    assert {s for s, check in found.items() if check.verdict is Verdict.FAIL} == {"stream gone"}
    assert found["secret src"].detail == "password, user found in environment"
    assert found["PostgresDatabase 'dst': server"].detail.startswith("PostgreSQL ")
    assert f"database {target.rpartition('/')[2].partition('?')[0]}" in found["PostgresDatabase 'dst': server"].detail
    assert found["PostgresDatabase 'src': tables"].detail == "1 table as the model says"
    assert "no TLS" in found["PostgresDatabase 'src': TLS"].detail
    assert " at 127.0.0.1:" in found["PostgresDatabase 'dst': server"].detail
    assert found["platform yellow: release"].verdict is Verdict.PASS
    password = secrets["DATASURFACE_SRC_PASSWORD"]
    assert not any(password in check.detail + check.remedy for check in found.values())


def test_the_command_needs_no_model(two_databases: tuple[str, str], tmp_path: Path) -> None:
    _, target = two_databases
    made = model(container("src", target), container("dst", target), [ORDERS])
    secrets = environ(src=target, dst=target)
    with psycopg.connect(target) as connection:
        connection.execute(b"CREATE TABLE orders (id bigint PRIMARY KEY)")
    with workbench(made, target, tmp_path, secrets) as bench:
        (tmp_path / "platform.json").write_text(platform_file(bench.release.platforms[0]))
    command = [sys.executable, "-m", "datasurface", "doctor", "--platform-file", "platform.json", "--stream", "shop"]
    run = subprocess.run(command, cwd=tmp_path, env=secrets, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert "secret src" in run.stdout
    wrong = subprocess.run(
        [*command[:4], "--stream", "shop"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2


@contextmanager
def _silent() -> Iterator[int]:
    """Yield a port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield listening.getsockname()[1]


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach_module, "_TIMEOUT", 0.3)
    silent = container("dst", "postgresql://u:p@127.0.0.1/db")
    with _silent() as port:
        began = time.monotonic()
        found = _found(reach(dataclasses.replace(silent, port=port), {}))
        assert time.monotonic() - began < 5
    assert found["PostgresDatabase 'dst': network"].verdict is Verdict.PASS
    assert found["PostgresDatabase 'dst': TLS"].verdict is Verdict.FAIL
    gone = _found(reach(dataclasses.replace(silent, port=1), {}))
    assert "network policies" in gone["PostgresDatabase 'dst': network"].remedy
    nowhere = _found(reach(dataclasses.replace(silent, host="no-such-host.invalid"), {}))
    assert list(nowhere) == ["PostgresDatabase 'dst': name"]
    assert "has no address" in nowhere["PostgresDatabase 'dst': name"].detail


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate that signs itself for a name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    private.chmod(0o600)
    return certificate, private


@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/lib/postgresql/15/bin/initdb").exists(), reason="no PostgreSQL of Debian")
def test_a_server_is_known_by_its_certificate(tmp_path: Path) -> None:
    with system_server() as server, server.database() as url, psycopg.connect(url, autocommit=True) as connection:
        (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        certificate, key = _certificate(tmp_path, "localhost")
        owner = Path(data).stat()
        for file in (certificate, key):
            kept = Path(data) / file.name
            kept.write_bytes(file.read_bytes())
            kept.chmod(0o600)
            os.chown(kept, owner.st_uid, owner.st_gid)
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute("SELECT pg_reload_conf()")
        _until_tls(url)
        known = {"PGSSLROOTCERT": str(certificate)}
        subject = "PostgresDatabase 'dst': TLS"
        place = dataclasses.replace(container("dst", url), host="localhost", tls=Tls.VERIFY_FULL)
        verified = _found(reach(place, known))[subject]
        assert verified.verdict is Verdict.PASS, verified
        assert "TLSv1.3" in verified.detail
        assert "localhost, verified" in verified.detail
        unknown = _found(reach(place, {}))[subject]
        assert unknown.verdict is Verdict.FAIL
        assert "PGSSLROOTCERT" in unknown.remedy
        another = _found(reach(dataclasses.replace(place, host="127.0.0.1"), known))[subject]
        assert another.verdict is Verdict.FAIL
        assert "mismatch" in another.detail
        weak = _found(reach(dataclasses.replace(place, tls=Tls.PREFER), known))[subject]
        assert weak.verdict is Verdict.WARN


def _until_tls(url: str) -> None:
    for _ in range(100):
        with psycopg.connect(url, autocommit=True) as connection:
            if connection.execute("SHOW ssl").fetchone() == ("on",):
                return
        time.sleep(0.1)
    raise AssertionError("the server does not switch TLS on")


def test_the_limit_of_memory_is_that_of_the_container(tmp_path: Path) -> None:
    assert memory_limit(tmp_path).detail == "none"
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit(tmp_path).detail == "none"
    (tmp_path / "memory.max").write_text(f"{512 * 2**20}\n")
    assert memory_limit(tmp_path).detail == "512 MiB"
    (tmp_path / "memory.events").write_text("low 0\noom 2\noom_kill 2\n")
    assert memory_limit(tmp_path).verdict is Verdict.WARN
    (tmp_path / "memory.events").unlink()
    (tmp_path / "memory.max").write_text(f"{64 * 2**20}\n")
    assert memory_limit(tmp_path).verdict is Verdict.FAIL
    assert inodes(tmp_path).verdict is Verdict.PASS
