from __future__ import annotations

import stat
import threading
import traceback
from pathlib import Path

import pytest

from datasurface import Credential, CredentialKind
from datasurface.errors import SecretError
from datasurface.secrets.base import Secret, Surroundings, WritableStore
from datasurface.secrets.files import FileStore

CREDENTIAL = Credential("yellow.run")
CANARY = "hunter2-never-shown"


def secret(password: str, user: str = "ada") -> Secret:
    return Secret(user=user, password=password)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore.at(tmp_path / "secrets")


def test_a_staged_secret_is_pending_until_it_is_promoted(store: FileStore) -> None:
    assert isinstance(store, WritableStore)
    store.stage(CREDENTIAL, secret("first"))
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, secret("first"))
    store.promote(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (secret("first"), None)
    store.stage(CREDENTIAL, secret("second"))
    store.stage(CREDENTIAL, secret("third"))
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (secret("first"), secret("third"))
    store.promote(CREDENTIAL)
    store.promote(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (secret("third"), None)


def test_the_former_secret_is_kept_as_previous(store: FileStore, tmp_path: Path) -> None:
    for value in ("first", "second"):
        store.stage(CREDENTIAL, secret(value))
        store.promote(CREDENTIAL)
    previous = tmp_path / "secrets" / ".datasurface" / "versions" / CREDENTIAL.name / "previous"
    assert (previous / "password").read_text() == "first\n"


def test_a_secret_made_by_hand_is_kept_as_previous_too(store: FileStore, tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / CREDENTIAL.name
    folder.mkdir(parents=True, mode=0o700)
    for name, value in (("user", "ada"), ("password", "by hand")):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    store.stage(CREDENTIAL, secret("new"))
    assert store.lookup(CREDENTIAL) == secret("by hand")
    store.promote(CREDENTIAL)
    assert store.lookup(CREDENTIAL) == secret("new")


@pytest.mark.parametrize(
    "value", ["two\nlines\n", "end\r", "end\r\n", "", "ü🙂", "' \" \\ $(x) %s {}", "\x00", " spaces "]
)
def test_any_text_comes_back_as_it_was(store: FileStore, value: str) -> None:
    store.stage(CREDENTIAL, secret(value))
    store.promote(CREDENTIAL)
    assert store.lookup(CREDENTIAL) == secret(value)


def test_what_is_written_only_its_owner_can_read(store: FileStore, tmp_path: Path) -> None:
    store.stage(CREDENTIAL, secret("first"))
    store.promote(CREDENTIAL)
    store.stage(CREDENTIAL, secret("second"))
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").rglob("*")}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_removing_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    for value in ("first", "second", "third"):
        store.stage(CREDENTIAL, secret(value))
        store.promote(CREDENTIAL)
    store.stage(CREDENTIAL, secret("fourth"))
    store.remove(CREDENTIAL)
    store.remove(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, None)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"] == []


def test_what_cannot_be_written_is_an_error_without_the_secret(tmp_path: Path) -> None:
    attempts = [
        (FileStore({}), CREDENTIAL, secret(CANARY), "no folder to write into"),
        (FileStore.at(tmp_path), Credential("../x"), secret(CANARY), "cannot have a folder"),
        (FileStore.at(tmp_path), Credential(".datasurface"), secret(CANARY), "cannot have a folder"),
        (FileStore.at(tmp_path), CREDENTIAL, Secret(password=CANARY), "has no user"),
        (FileStore.at(tmp_path), CREDENTIAL, secret(f"{CANARY}\ud800"), "is no text"),
        (FileStore.at(tmp_path / "file" / "x"), CREDENTIAL, secret(CANARY), "cannot write secrets"),
    ]
    (tmp_path / "file").write_text("")
    for store, credential, new, problem in attempts:
        with pytest.raises(SecretError, match=problem) as caught:
            store.stage(credential, new)
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_folder_that_others_can_write_to_is_not_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(SecretError, match="others may write"):
        FileStore.at(tmp_path).stage(CREDENTIAL, secret("x"))


def test_promoting_nothing_is_an_error(store: FileStore) -> None:
    with pytest.raises(SecretError, match="no secret to come"):
        store.promote(CREDENTIAL)


def test_a_pending_secret_that_somebody_changed_is_refused(store: FileStore, tmp_path: Path) -> None:
    store.stage(CREDENTIAL, secret("first"))
    (staged,) = tmp_path.rglob("pending.*/password")
    staged.chmod(0o644)
    with pytest.raises(SecretError, match="others may read"):
        store.pending(CREDENTIAL)


def test_keys_have_their_own_pieces(store: FileStore) -> None:
    credential, key = Credential("k", kind=CredentialKind.KEY_PAIR), Secret(user="ada", private_key="-----\nkey\n")
    store.stage(credential, key)
    store.promote(credential)
    assert store.lookup(credential) == key


def test_writers_at_once_never_mix_and_readers_always_see_a_whole_secret(store: FileStore) -> None:
    store.stage(CREDENTIAL, secret("begin", "begin"))
    store.promote(CREDENTIAL)
    stop, problems = threading.Event(), list[object]()

    def write(writer: int) -> None:
        for number in range(25):
            value = f"{writer}-{number}"
            store.stage(CREDENTIAL, secret(value, value))
            store.promote(CREDENTIAL)

    def read() -> None:
        while not stop.is_set():
            try:
                found = store.lookup(CREDENTIAL)
            except SecretError as error:
                problems.append(error)
                return
            if found is None or found.user != found.password:
                problems.append(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert problems == []


def test_environments_in_one_folder_do_not_take_each_others_logins(tmp_path: Path) -> None:
    def opened(environment: str | None) -> FileStore:
        environ = {"DATASURFACE_SECRETS": str(tmp_path / "secrets")}
        return FileStore.opened("files", Surroundings(environ=environ, ecosystem="acme", environment=environment))

    for environment in ("test", "prod"):
        opened(environment).stage(CREDENTIAL, secret(environment))
        opened(environment).promote(CREDENTIAL)
    found = {name: opened(name).lookup(CREDENTIAL) for name in ("test", "prod", "dev", None)}
    assert found == {"test": secret("test"), "prod": secret("prod"), "dev": None, None: None}
    assert (tmp_path / "secrets" / "prod" / CREDENTIAL.name / "password").read_text() == "prod\n"
    shared = Credential("crm_reader")
    opened(None).stage(shared, secret("shared"))
    opened(None).promote(shared)
    assert opened("prod").lookup(shared) == secret("shared")
    assert [Path(place).parent.parent.name for place in opened("prod").places(shared)] == ["prod"] * 2 + ["secrets"] * 2
    (tmp_path / "secrets").chmod(0o777)
    with pytest.raises(SecretError, match="others may write"):
        opened("prod").lookup(CREDENTIAL)
