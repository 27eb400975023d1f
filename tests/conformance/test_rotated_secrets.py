"""A password that is rotated while a platform uses it: on a real server, with what a remote store answers kept."""

from __future__ import annotations

import io
import secrets
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from rich.console import Console
from rich.traceback import Traceback

from datasurface import Credential, PostgresDatabase
from datasurface.databases.postgres.connect import connect
from datasurface.errors import SourceError
from datasurface.runtime.logins import Logins
from datasurface.secrets.base import Secret
from datasurface.secrets.keyring import Keyring

CREDENTIAL = Credential("crm")


class Remote:
    """A store far away: its answers are kept for a minute."""

    keeps = 60.0

    def __init__(self, secret: Secret) -> None:
        self.secret = secret
        self.asked = 0

    def lookup(self, credential: Credential) -> Secret:  # noqa: ARG002 - the protocol's name
        self.asked += 1
        return self.secret

    def places(self, credential: Credential) -> tuple[str, ...]:  # noqa: ARG002 - as above
        return ()


def fresh(user: str) -> Secret:
    return Secret(user=user, password=f"canary-{secrets.token_hex(8)}")


@pytest.fixture
def role(postgres_url: str) -> Iterator[tuple[str, PostgresDatabase]]:
    """A login of the server, and the database that it reaches."""
    name, parts = f"test_{secrets.token_hex(6)}", urlsplit(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE ROLE "{name}" LOGIN'.encode())
    yield (
        name,
        PostgresDatabase("db", host=parts.hostname or "", port=parts.port or 5432, database=parts.path[1:]),
    )
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'DROP ROLE "{name}"'.encode())


def give(url: str, secret: Secret) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"""ALTER ROLE "{secret.user}" PASSWORD '{secret.password}'""".encode())


def test_a_refused_password_is_looked_up_anew_once(
    postgres_url: str, role: tuple[str, PostgresDatabase], tmp_path: Path
) -> None:
    user, container = role
    remote = Remote(fresh(user))
    give(postgres_url, remote.secret)
    logins = Logins(tmp_path, {}, Keyring([("remote", lambda: remote)]))
    login = logins.login(container, CREDENTIAL)
    connect(login).close()
    connect(login).close()
    assert remote.asked == 1
    remote.secret = fresh(user)
    give(postgres_url, remote.secret)
    connect(login).close()
    connect(login).close()
    assert remote.asked == 2


def test_a_password_that_stays_wrong_is_an_error_that_shows_no_password(
    postgres_url: str, role: tuple[str, PostgresDatabase], tmp_path: Path
) -> None:
    user, container = role
    wrong = fresh(user)
    give(postgres_url, fresh(user))
    logins = Logins(tmp_path, {}, Keyring([("remote", lambda: Remote(wrong))]))
    with pytest.raises(SourceError, match="password authentication failed") as caught:
        connect(logins.login(container, CREDENTIAL))
    shown = io.StringIO()
    error = caught.value
    frames = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
    Console(file=shown, width=200).print(frames)
    assert "login = Login" in " ".join(shown.getvalue().split())
    assert (wrong.password or "") not in shown.getvalue()
    assert (wrong.password or "") not in "".join(traceback.format_exception(error))
