from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from datasurface import Credential, CredentialKind
from datasurface.errors import SecretError
from datasurface.secrets.files import FileStore

HIDDEN = "hunter2-never-shown"


def put(root: Path, name: str, *, mode: int = 0o600, **pieces: str | bytes) -> Path:
    folder = root / name
    folder.mkdir(mode=0o700, exist_ok=True)
    for piece, value in pieces.items():
        path = folder / piece
        path.write_bytes(value if isinstance(value, bytes) else value.encode())
        path.chmod(mode)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    return folder


def store(root: Path) -> FileStore:
    return FileStore({"DATASURFACE_SECRETS": str(root)})


@pytest.mark.parametrize(
    ("written", "read"),
    [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), ("s3cret\n\n", "s3cret\n"), (" s3cret \r\n", " s3cret ")],
)
def test_one_newline_at_the_end_is_no_part_of_the_secret(root: Path, written: str, read: str) -> None:
    put(root, "crm", user="ada\n", password=written)
    secret = store(root).lookup(Credential("crm"))
    assert secret is not None
    assert (secret.user, secret.password) == ("ada", read)


def test_a_key_keeps_its_lines(root: Path) -> None:
    put(root, "crm", user="ada", private_key="-----BEGIN\nabc\n-----END\n")
    secret = store(root).lookup(Credential("crm", kind=CredentialKind.KEY_PAIR))
    assert secret is not None
    assert secret.private_key == "-----BEGIN\nabc\n-----END"


def test_without_a_folder_there_is_no_secret(root: Path) -> None:
    assert FileStore({}).lookup(Credential("crm")) is None
    assert store(root).lookup(Credential("crm")) is None
    assert store(root / "absent").lookup(Credential("crm")) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_file_that_others_can_read_or_write_is_refused(root: Path, mode: int) -> None:
    put(root, "crm", mode=mode, user="ada", password=HIDDEN)
    with pytest.raises(SecretError, match="others may read or write") as caught:
        store(root).lookup(Credential("crm"))
    assert "chmod 600" in caught.value.hint
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("which", ["root", "name"])
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_others_can_write_to_is_refused(root: Path, which: str, mode: int) -> None:
    folder = put(root, "crm", user="ada", password=HIDDEN)
    (root if which == "root" else folder).chmod(mode)
    with pytest.raises(SecretError, match="others may write to the folder"):
        store(root).lookup(Credential("crm"))


@pytest.mark.parametrize("name", ["..", ".", "", "../crm", "a/b", "a\\b", "a\0b", "/etc"])
def test_a_name_that_leaves_the_folder_is_refused(root: Path, name: str) -> None:
    put(root.parent, "crm", user="ada", password=HIDDEN)
    with pytest.raises(SecretError, match="cannot have a folder of its own"):
        store(root).lookup(Credential(name))


def test_a_partial_secret_names_the_missing_file(root: Path) -> None:
    folder = put(root, "crm", password=HIDDEN)
    with pytest.raises(SecretError) as caught:
        store(root).lookup(Credential("crm"))
    assert f"no {folder / 'user'}" in str(caught.value)
    assert HIDDEN not in str(caught.value)


def test_bytes_that_are_no_text_are_refused_without_showing_them(root: Path) -> None:
    put(root, "crm", user="ada", password=HIDDEN.encode() + b"\xff")
    with pytest.raises(SecretError, match="is no text") as caught:
        store(root).lookup(Credential("crm"))
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_a_pipe_or_a_folder_in_place_of_a_file_is_refused_at_once(root: Path) -> None:
    folder = put(root, "crm", user="ada")
    os.mkfifo(folder / "password", 0o600)
    with pytest.raises(SecretError, match="is no file"):
        store(root).lookup(Credential("crm"))


def test_a_name_longer_than_the_file_system_allows_is_an_error_and_not_a_crash(root: Path) -> None:
    with pytest.raises(SecretError, match="cannot look into"):
        store(root).lookup(Credential("n" * 300))


def mounted(root: Path, mode: int) -> None:
    """Lay a secret out as the kubelet does: files in a folder of their own, reached over a link."""
    folder = root / "crm" / "..2026_11_26"
    folder.mkdir(parents=True)
    for piece, value in (("user", "ada"), ("password", HIDDEN)):
        (folder / piece).write_text(value)
        (folder / piece).chmod(mode)
        (root / "crm" / piece).symlink_to(f"..data/{piece}")
    (root / "crm" / "..data").symlink_to("..2026_11_26")


@pytest.mark.skipif(os.geteuid() != 0, reason="the files of a volume belong to root")
@pytest.mark.parametrize(("mode", "accepted"), [(0o400, True), (0o440, True), (0o444, False), (0o460, False)])
def test_in_a_mounted_volume_the_pods_own_group_may_read(root: Path, mode: int, *, accepted: bool) -> None:
    mounted(root, mode)
    if accepted:
        assert store(root).lookup(Credential("crm")) is not None
    else:
        with pytest.raises(SecretError, match="others may read or write"):
            store(root).lookup(Credential("crm"))


def test_a_folder_that_is_mounted_read_only_may_have_any_mode(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(root, 0o400)
    (root / "crm").chmod(0o1777)
    with pytest.raises(SecretError, match="others may write"):
        store(root).lookup(Credential("crm"))
    monkeypatch.setattr("datasurface.secrets.files._read_only", lambda _: True)
    assert store(root).lookup(Credential("crm")) is not None
