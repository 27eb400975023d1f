from __future__ import annotations

import threading
from pathlib import Path

import pytest

from datasurface import AwsSecrets, Credential, EnvironmentSecrets, FileSecrets, YellowPlatform
from datasurface.errors import ConfigurationError, SecretError
from datasurface.secrets.base import Secret, Surroundings
from datasurface.secrets.files import FileStore
from datasurface.secrets.keyring import Keyring

CREDENTIAL = Credential("crm")


class Remote:
    """A store that counts how often it is asked, and whose answers may be kept."""

    def __init__(self, keeps: float, password: str | None) -> None:
        self.keeps = keeps
        self.password = password
        self.asked = 0

    def lookup(self, credential: Credential) -> Secret | None:  # noqa: ARG002 - the protocol's name
        self.asked += 1
        return None if self.password is None else Secret(user="ada", password=self.password)

    def places(self, credential: Credential) -> tuple[str, ...]:
        return (f"remote {credential.name}",)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def password(found: Secret | None) -> str | None:
    return found.password if found else None


def test_a_remote_answer_is_kept_until_its_time_is_over() -> None:
    remote, clock = Remote(60, "old-password"), Clock()
    keyring = Keyring([("remote", lambda: remote)], clock=clock)
    keyring.find(CREDENTIAL)
    remote.password, clock.now = "new-password", clock.now + 59
    assert (password(keyring.find(CREDENTIAL)), remote.asked) == ("old-password", 1)
    clock.now += 1
    assert (password(keyring.find(CREDENTIAL)), remote.asked) == ("new-password", 2)


def test_a_refused_secret_is_asked_for_anew() -> None:
    remote = Remote(60, "old-password")
    keyring = Keyring([("remote", lambda: remote)], clock=Clock())
    keyring.find(CREDENTIAL)
    remote.password = "new-password"
    assert password(keyring.refresh(CREDENTIAL)) == "new-password"
    assert password(keyring.find(CREDENTIAL)) == "new-password"


def test_what_is_near_is_asked_each_time() -> None:
    near = Remote(0, "old-password")
    keyring = Keyring([("near", lambda: near)], clock=Clock())
    keyring.find(CREDENTIAL)
    near.password = "new-password"
    assert password(keyring.find(CREDENTIAL)) == "new-password"


def test_an_absent_secret_is_not_remembered_as_absent() -> None:
    remote = Remote(60, None)
    keyring = Keyring([("remote", lambda: remote)], clock=Clock())
    with pytest.raises(SecretError, match="remote: remote crm"):
        keyring.find(CREDENTIAL)
    remote.password = "come-at-last"
    assert password(keyring.find(CREDENTIAL)) == "come-at-last"


def test_the_store_that_has_it_is_named_and_those_behind_it_are_not_opened() -> None:
    def never() -> Remote:
        raise AssertionError

    keyring = Keyring([("first", lambda: Remote(0, None)), ("second", lambda: Remote(0, "x-y-z")), ("third", never)])
    assert keyring.locate(CREDENTIAL).store == "second"
    assert "x-y-z" not in repr(keyring.locate(CREDENTIAL)) + repr(keyring)


def test_many_threads_ask_a_remote_store_once() -> None:
    remote = Remote(60, "password")
    keyring = Keyring([("remote", lambda: remote)])
    threads = [threading.Thread(target=keyring.find, args=(CREDENTIAL,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert remote.asked == 1


def test_new_secrets_go_to_the_first_store_that_takes_them(tmp_path: Path) -> None:
    where = Surroundings(environ={}, folder=tmp_path)
    choices = [EnvironmentSecrets(), "files", FileSecrets("kept", read_only=True), FileSecrets("own"), FileSecrets("x")]
    store = Keyring.opened(choices, where).writable()
    assert isinstance(store, FileStore)
    store.stage(CREDENTIAL, Secret(user="ada", password="pass"))
    store.promote(CREDENTIAL)
    assert (tmp_path / "own" / "crm" / "password").read_text() == "pass\n"
    assert Keyring.opened(choices, where).locate(CREDENTIAL).store == "files(path=own)"


def test_no_store_that_takes_new_secrets_is_an_error_that_lists_them() -> None:
    with pytest.raises(SecretError, match="the stores are environment, files") as caught:
        Keyring.opened(["environment", "files"], Surroundings(environ={})).writable()
    assert "DATASURFACE_SECRETS" in caught.value.hint


def test_a_store_that_is_read_only_is_not_written_to(tmp_path: Path) -> None:
    store = FileStore.opened(FileSecrets(str(tmp_path), read_only=True), Surroundings(environ={}))
    with pytest.raises(SecretError, match="read only"):
        store.stage(CREDENTIAL, Secret(user="ada", password="pass"))


def test_an_unknown_store_lists_the_installed_ones() -> None:
    with pytest.raises(ConfigurationError, match="environment, files"):
        Keyring.opened(["vault"], Surroundings(environ={})).find(CREDENTIAL)


def test_a_choice_survives_json_in_a_platform() -> None:
    platform = YellowPlatform("y", secrets=["files", AwsSecrets(region="eu-west-1"), FileSecrets("/run/secrets")])
    assert YellowPlatform.from_json(platform.to_json()) == platform


def test_an_answer_that_was_asked_for_before_a_refusal_is_not_taken_for_a_fresh_one() -> None:
    remote = Remote(60, "old-password")
    begun, may_answer = threading.Event(), threading.Event()
    slow_lookup = remote.lookup

    def lookup(credential: Credential) -> Secret | None:
        answer = slow_lookup(credential)
        begun.set()
        may_answer.wait(10)
        return answer

    remote.lookup = lookup  # type: ignore[method-assign]
    keyring, fresh = Keyring([("remote", lambda: remote)]), list[str | None]()
    early = threading.Thread(target=keyring.find, args=(CREDENTIAL,))
    early.start()
    begun.wait(10)
    remote.password = "new-password"
    late = threading.Thread(target=lambda: fresh.append(password(keyring.refresh(CREDENTIAL))))
    late.start()
    may_answer.set()
    early.join()
    late.join()
    assert fresh == ["new-password"]
