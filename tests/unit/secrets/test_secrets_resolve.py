from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface import Credential, CredentialKind
from datasurface.errors import ConfigurationError, SecretError
from datasurface.secrets.base import Secret
from datasurface.secrets.environment import variable
from datasurface.secrets.resolve import DEFAULT_STORES, resolve

PIECES = ["user", "password", "token", "private_key", "certificate"]


def folder_with(tmp_path: Path, name: str, **pieces: str) -> dict[str, str]:
    folder = tmp_path / name
    folder.mkdir(mode=0o700)
    tmp_path.chmod(0o700)
    for piece, value in pieces.items():
        (folder / piece).write_text(value)
        (folder / piece).chmod(0o600)
    return {"DATASURFACE_SECRETS": str(tmp_path)}


def test_no_credential_is_the_drivers_own_business() -> None:
    assert resolve(None, DEFAULT_STORES, {}) is None


def test_the_first_store_that_has_it_wins(tmp_path: Path) -> None:
    environ = folder_with(tmp_path, "crm", user="file", password="f")
    both = {**environ, "DATASURFACE_CRM_USER": "env", "DATASURFACE_CRM_PASSWORD": "e"}
    users = {
        stores: secret.user if (secret := resolve(Credential("crm"), stores, both)) else None
        for stores in [("environment", "files"), ("files", "environment"), ("files",)]
    }
    assert users == {("environment", "files"): "env", ("files", "environment"): "file", ("files",): "file"}
    found = resolve(Credential("crm"), DEFAULT_STORES, environ)
    assert found is not None
    assert found.user == "file"


def test_a_half_secret_is_not_completed_from_another_store(tmp_path: Path) -> None:
    environ = {**folder_with(tmp_path, "crm", user="file", password="f"), "DATASURFACE_CRM_USER": "env"}
    with pytest.raises(SecretError, match="no DATASURFACE_CRM_PASSWORD"):
        resolve(Credential("crm"), DEFAULT_STORES, environ)


def test_absent_everywhere_lists_every_place(tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        resolve(Credential("crm"), DEFAULT_STORES, {"DATASURFACE_SECRETS": str(tmp_path)})
    for place in ("DATASURFACE_CRM_USER", "DATASURFACE_CRM_PASSWORD", f"{tmp_path}/crm/password"):
        assert place in str(caught.value)
    with pytest.raises(SecretError, match=r"\$DATASURFACE_SECRETS/crm/user"):
        resolve(Credential("crm"), DEFAULT_STORES, {})


def test_an_unknown_store_lists_the_installed_ones() -> None:
    with pytest.raises(ConfigurationError, match="environment, files"):
        resolve(Credential("crm"), ["vault"], {})


@given(
    kind=st.sampled_from(CredentialKind),
    pieces=st.lists(st.sampled_from(PIECES), unique=True, min_size=1),
    name=st.text(min_size=1, max_size=20),
)
def test_no_value_is_ever_shown(kind: CredentialKind, pieces: list[str], name: str) -> None:
    value = "hunter2-never-shown"
    environ = {variable(name, piece): value for piece in pieces}
    try:
        shown = repr(resolve(Credential(name, kind=kind), ["environment"], environ))
    except SecretError as error:
        shown = str(error) + repr(error) + "".join(traceback.format_exception(error))
    assert value not in shown


def test_a_secret_shows_which_parts_it_has_and_none_of_them() -> None:
    secret = Secret(user="ada", password="hunter2")
    assert f"{secret} {secret!r}" == "Secret(user=***, password=***) Secret(user=***, password=***)"
