from __future__ import annotations

import pytest

from datasurface import Credential, CredentialKind
from datasurface.errors import SecretError
from datasurface.secrets.environment import EnvironmentStore, variable

HIDDEN = "hunter2-never-shown"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("crm_reader", "DATASURFACE_CRM_READER_USER"),
        ("crm-reader.eu", "DATASURFACE_CRM_READER_EU_USER"),
        ("Crm Reader1", "DATASURFACE_CRM_READER1_USER"),
        ("zürich", "DATASURFACE_Z_RICH_USER"),
    ],
)
def test_the_variable_is_the_name_in_upper_case_with_underscores(name: str, expected: str) -> None:
    assert variable(name, "user") == expected


def test_a_password_is_user_and_password() -> None:
    store = EnvironmentStore({"DATASURFACE_CRM_USER": "ada", "DATASURFACE_CRM_PASSWORD": HIDDEN})
    secret = store.lookup(Credential("crm"))
    assert secret is not None
    assert (secret.user, secret.password, secret.token) == ("ada", HIDDEN, None)


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        (CredentialKind.TOKEN, {"token": "t"}),
        (CredentialKind.KEY_PAIR, {"user": "u", "private_key": "k"}),
        (CredentialKind.CERTIFICATE, {"certificate": "c", "private_key": "k"}),
        (CredentialKind.KEY_PAIR, {"user": "u", "private_key": "k", "password": "passphrase"}),
    ],
)
def test_every_kind_has_its_own_pieces(kind: CredentialKind, pieces: dict[str, str]) -> None:
    store = EnvironmentStore({variable("x", piece): value for piece, value in pieces.items()})
    secret = store.lookup(Credential("x", kind=kind))
    assert secret is not None
    assert {piece: getattr(secret, piece) for piece in pieces} == pieces


def test_nothing_set_is_no_secret() -> None:
    assert EnvironmentStore({"DATASURFACE_OTHER_USER": "u"}).lookup(Credential("crm")) is None


@pytest.mark.parametrize("empty", [{}, {"DATASURFACE_CRM_USER": ""}])
def test_a_partial_secret_names_the_missing_variable_and_shows_no_value(empty: dict[str, str]) -> None:
    store = EnvironmentStore({"DATASURFACE_CRM_PASSWORD": HIDDEN, **empty})
    with pytest.raises(SecretError) as caught:
        store.lookup(Credential("crm"))
    assert "no DATASURFACE_CRM_USER" in str(caught.value)
    assert HIDDEN not in str(caught.value)
    assert HIDDEN not in repr(store)
