"""The store `azure` with Azure's real libraries, against a small server that speaks the vault's contract."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datasurface import AzureKeyVault, Credential
from datasurface.errors import ConfigurationError, SecretError, TransientError
from datasurface.secrets import azure_client
from datasurface.secrets.azure import AzureStore
from datasurface.secrets.base import Secret, Surroundings, WritableStore
from key_vault import Vault, vault_server

CREDENTIAL = Credential("crm-reader")
NAME = "datasurface--acme--crm-reader"
CANARY = "c4n4ry-\"'\\\n\t{}$ü🙂"
Show = Callable[[BaseException], str]
Open = Callable[..., AzureStore]


def secret(password: str, user: str = "ada") -> Secret:
    return Secret(user=user, password=password)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    monkeypatch.setattr(azure_client, "_WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda _, __: None)
    with vault_server(tmp_path) as (running, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def opened(vault: Vault) -> Open:
    """Opens the store of the vault, as the model says."""

    def open_it(environment: str | None = None, *, adopt: bool = False) -> AzureStore:
        where = Surroundings(environ={}, ecosystem="acme", environment=environment)
        return AzureStore.opened(AzureKeyVault(vault.url, adopt=adopt), where)

    return open_it


def test_a_staged_secret_is_pending_until_it_is_promoted(opened: Open) -> None:
    store = opened()
    assert isinstance(store, WritableStore)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, None)
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


def test_what_it_makes_has_a_telling_name_tags_and_history(opened: Open, vault: Vault) -> None:
    store = opened(environment="prod")
    for value in ("first", "second"):
        store.stage(CREDENTIAL, secret(value))
        store.promote(CREDENTIAL)
    former, newest = vault.secrets["datasurface--acme--prod--crm-reader"]
    assert json.loads(former["value"]) == {"username": "ada", "password": "first"}
    assert json.loads(newest["value"]) == {"username": "ada", "password": "second"}
    assert newest["contentType"] == "application/json"
    staged = vault.secrets["datasurface--acme--prod--crm-reader--pending"][-1]["id"].rpartition("/")[2]
    assert newest["tags"] == {
        "managed-by": "datasurface", "ecosystem": "acme", "environment": "prod", "credential": "crm-reader",
        "promoted-from": staged,
    }  # fmt: skip


@pytest.mark.parametrize("value", [CANARY, "", " spaces ", "\x00"])
def test_any_text_comes_back_as_it_was(opened: Open, value: str) -> None:
    store = opened()
    store.stage(CREDENTIAL, secret(value))
    store.promote(CREDENTIAL)
    assert store.lookup(CREDENTIAL) == secret(value)


def test_what_is_not_ours_is_changed_only_when_told_and_keeps_its_other_keys(opened: Open, vault: Vault) -> None:
    vault.put(NAME, {"value": json.dumps({"host": "h", "username": "old", "password": "p-w"})})
    assert opened().lookup(CREDENTIAL) == secret("p-w", "old")
    for change in (lambda: opened().stage(CREDENTIAL, secret("new")), lambda: opened().remove(CREDENTIAL)):
        with pytest.raises(SecretError, match="not made by DataSurface") as caught:
            change()
        assert "adopt=True" in caught.value.hint
    told = opened(adopt=True)
    told.stage(CREDENTIAL, secret("new-pw"))
    told.promote(CREDENTIAL)
    assert json.loads(vault.secrets[NAME][-1]["value"]) == {"host": "h", "username": "ada", "password": "new-pw"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (json.dumps({"password": CANARY}), f"no 'username' in {NAME}"),
        ('{"username": "ada"}', f"no 'password' in {NAME}"),
        (CANARY, "no JSON object"),
    ],
)
def test_a_secret_that_cannot_be_used_is_an_error_without_what_it_holds(
    opened: Open, vault: Vault, shown: Show, text: str, problem: str
) -> None:
    vault.put(NAME, {"value": text})
    with pytest.raises(SecretError, match=problem) as caught:
        opened().lookup(CREDENTIAL)
    assert "c4n4ry" not in shown(caught.value)


def test_a_disabled_version_is_an_error_that_says_so(opened: Open, vault: Vault) -> None:
    vault.put(NAME, {"value": "{}", "attributes": {"enabled": False}})
    with pytest.raises(SecretError, match="SecretDisabled") as caught:
        opened().lookup(CREDENTIAL)
    assert "enable the newest version" in caught.value.hint


def test_a_removed_secret_is_gone_and_its_name_can_be_used_again(opened: Open, vault: Vault) -> None:
    store = opened()
    store.stage(CREDENTIAL, secret("first"))
    store.promote(CREDENTIAL)
    store.remove(CREDENTIAL)
    store.remove(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, None)
    assert set(vault.deleted) == {NAME, f"{NAME}--pending"}
    store.stage(CREDENTIAL, secret("second"))
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, secret("second"))
    store.promote(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (secret("second"), None)


@pytest.mark.parametrize(
    ("verb", "code", "hint", "action"),
    [
        ("get", "ForbiddenByRbac", "Key Vault Secrets User", lambda store: store.lookup(CREDENTIAL)),
        ("set", "ForbiddenByRbac", "Secrets Officer", lambda store: store.stage(CREDENTIAL, secret(CANARY))),
        ("delete", "AccessDenied", "secrets/delete", lambda store: store.remove(CREDENTIAL)),
        ("get", "ForbiddenByFirewall", "network rules", lambda store: store.lookup(CREDENTIAL)),
    ],
)
def test_a_refusal_names_the_role_and_shows_no_secret(
    opened: Open, vault: Vault, shown: Show, verb: str, code: str, hint: str, action: Callable[[AzureStore], object]
) -> None:
    vault.forbidden[verb] = code
    with pytest.raises(SecretError) as caught:
        action(opened())
    assert hint in caught.value.hint
    assert "c4n4ry" not in shown(caught.value)


def test_a_busy_vault_is_asked_again_and_at_last_the_fault_is_one_that_may_pass(opened: Open, vault: Vault) -> None:
    store = opened()
    vault.busy = 3
    assert store.lookup(CREDENTIAL) is None
    vault.busy = 1000
    with pytest.raises(TransientError, match="429"):
        store.lookup(CREDENTIAL)


def test_a_vault_out_of_reach_is_a_fault_that_may_pass(vault: Vault) -> None:
    assert vault.url
    where = Surroundings(environ={}, ecosystem="acme")
    store = AzureStore.opened(AzureKeyVault("https://127.0.0.1:1"), where)
    with pytest.raises(TransientError, match="cannot be reached"):
        store.lookup(CREDENTIAL)


def test_without_a_login_to_azure_the_error_says_so(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    store = AzureStore.opened(AzureKeyVault(vault.url), Surroundings(environ={}, ecosystem="acme"))
    with pytest.raises(SecretError, match="no login to Azure"):
        store.lookup(CREDENTIAL)


def test_a_vault_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="has no vault"):
        AzureStore.opened("azure", Surroundings(environ={}, ecosystem="acme"))


def test_nothing_is_logged_of_what_is_sent_and_received(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        store = opened()
        store.stage(CREDENTIAL, secret(CANARY))
        store.promote(CREDENTIAL)
        store.lookup(CREDENTIAL)
    assert "c4n4ry" not in caplog.text
