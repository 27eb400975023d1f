"""`security sync` and `rotate` are killed at every step; what is left is consistent, and the next sync completes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from datasurface.release.bind import replaced
from datasurface.release.job import PlatformSpec, ReaderSpec
from datasurface.security.wanted import login_roles
from security_bench import SecurityBench, security_bench, spec_of, transformer_job
from servers import Server

MANY = 200


@dataclass
class Attempts:
    """A process that makes attempts and is killed in them."""

    process: subprocess.Popen[str]
    bench: SecurityBench

    def killed(self, action: str, step: int, *credentials: str) -> bool:
        """Make an attempt; tell whether it was killed before it ended well."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        bench = self.bench
        task = {"url": bench.url, "folder": str(bench.folder), "spec": bench.spec.to_json()}
        self.process.stdin.write(
            json.dumps({**task, "action": action, "step": step, "credentials": credentials}) + "\n"
        )
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer in ("killed", "ended 0"), answer
        return answer == "killed"


@contextmanager
def attempts(bench: SecurityBench) -> Iterator[Attempts]:
    """Start the process that is killed."""
    tests = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, str(tests / "crash" / "security_child.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests)},
    )
    try:
        yield Attempts(process, bench)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def sound(bench: SecurityBench) -> None:
    """Show that every login that works is known to the store, and what the store hands out to jobs logs in."""
    roles = _dict(
        bench.sql(f"SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'ds.{bench.spec.ecosystem}.%'")
    )
    known: set[object] = set()
    with bench.access() as access:
        asked = {login.credential for login in login_roles(access.wanted)}
    for path in bench.folder.iterdir() if bench.folder.exists() else ():
        if path.name.startswith("."):
            continue
        current, pending = bench.vault.current(path.name), bench.vault.pending(path.name)
        assert current is not None
        known.add(current.user)
        assert current.user in roles, f"{path.name} has a secret of a login that is not there"
        if roles[current.user] or path.name in asked:  # the login of what left the model ends before its secret does
            _gets_in(bench, str(current.user), str(current.password))
        if pending is not None:
            known.add(pending.user)
    kept = bench.folder / ".datasurface" / "versions"
    for path in kept.iterdir() if kept.exists() else ():
        pending = bench.vault.pending(path.name)
        if pending is not None:
            known.add(pending.user)
    unknown = {name for name, may in roles.items() if may} - known
    former = {name for name in unknown if str(name)[-2:] in (".a", ".b") and _other(str(name)) in known}
    assert unknown - former == set(), "logins work whose passwords nobody knows"


def _dict(rows: list[tuple[object, ...]]) -> dict[object, bool]:
    return {row[0]: bool(row[1]) for row in rows}


def _gets_in(bench: SecurityBench, user: str, password: str) -> None:
    """Show that the server takes a password; what the login may do afterwards is another matter."""
    try:
        bench.connect(user, password).close()
    except psycopg.OperationalError as error:
        if "permission denied for database" not in str(error):
            raise


def _other(name: str) -> str:
    return name[:-1] + ("b" if name.endswith("a") else "a")


def _whole(bench: SecurityBench, *credentials: str) -> None:
    """Show that a sync completes what was left."""
    synced = bench.sync(unsafe=True)
    assert synced.complete, synced.waiting
    assert bench.drift() == []
    for credential in credentials:
        bench.as_login(credential).close()
    sound(bench)


def _specs() -> tuple[PlatformSpec, PlatformSpec]:
    """Return a platform before and after a change that makes, alters, grants, revokes and drops something."""
    before = spec_of(
        workspaces=["reports", "derived", "second"],
        transformers=["derived"],
        readers=[ReaderSpec("carl", workspace="reports", login=True)],
    )
    jobs = [transformer_job("second", "yellow")]
    return before, replaced(before, jobs=jobs, readers=[ReaderSpec("dora", workspace="derived", login=True)])


def steps(server: Server) -> range:
    """Return the steps to kill at: every one on the newest server, every third on others, which take as many."""
    return range(1, MANY, 1 if server.version >= 18 else 3)


@pytest.mark.slow
def test_sync_is_killed_at_every_step(server: Server, postgres_url: str, tmp_path: Path) -> None:
    before, after = _specs()
    with security_bench(postgres_url, tmp_path / "s", before) as bench, attempts(bench) as child:
        bench.spec = after
        bench.build()
        bench.spec = before
        bench.build()
        step = 0
        for step in steps(server):
            bench.spec = before
            assert bench.sync(unsafe=True).complete
            bench.sql(f'GRANT SELECT ON "{bench.schema}"."crm.people" TO PUBLIC')
            bench.spec = after
            killed = child.killed("sync", step)
            sound(bench)
            _whole(bench, "run", "transformer.second", "person.dora")
            assert bench.vault.current(bench.names.credential("transformer", "derived")) is None
            if not killed:
                break
        assert 15 < step < MANY - 3


@pytest.mark.slow
def test_a_first_sync_is_killed_at_every_step(server: Server, postgres_url: str, tmp_path: Path) -> None:
    with security_bench(postgres_url, tmp_path / "s", spec_of()) as first, attempts(first) as child:
        step = 0
        for step in steps(server):
            spec = spec_of(workspaces=["reports"], transformers=["reports"])
            with security_bench(postgres_url, tmp_path / f"s{step}", spec) as bench:
                child.bench = bench
                killed = child.killed("sync", step)
                sound(bench)
                _whole(bench, "run", "transformer.reports")
            for schema in ("ds_yellow", "ds_yellow.reports", "reports_all"):
                first.sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
            if not killed:
                break
        assert 8 < step < MANY - 3


@pytest.mark.slow
@pytest.mark.parametrize("action", ["rotate", "rotate now"])
def test_a_rotation_is_killed_at_every_step(server: Server, postgres_url: str, tmp_path: Path, action: str) -> None:
    spec = spec_of(workspaces=["reports"], transformers=["reports"])
    with security_bench(postgres_url, tmp_path / "s", spec) as bench, attempts(bench) as child:
        bench.build()
        credential = bench.names.credential("transformer", "reports")
        step = 0
        for step in steps(server):
            bench.sync()
            bench.sql(f"UPDATE \"{bench.schema}\".logins SET issued_at = issued_at - interval '2 hours'")
            bench.sync()
            with bench.as_login("transformer.reports") as job:
                killed = child.killed(action, step, credential)
                sound(bench)
                _whole(bench, "transformer.reports")
                if action == "rotate":
                    assert job.execute("SELECT count(*) FROM reports_all.crm_people").fetchone() == (2,)
            if not killed:
                break
        assert 8 < step < MANY - 3
