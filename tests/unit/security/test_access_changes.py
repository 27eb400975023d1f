"""What a model means for access, and what has to change: pure, and the same statements each time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datasurface import CONFIDENTIAL, INTERNAL, PC1, PC3, PII, PUBLIC, Classification, PostgresDatabase
from datasurface.databases.base import Login
from datasurface.databases.postgres.roles import PostgresSecurity
from datasurface.databases.postgres.verifier import verifier
from datasurface.databases.security import Catalog, Kind, Membership, Privilege, Thing
from datasurface.model.effective import access_ends
from datasurface.names import RoleNames
from datasurface.release.job import ReaderSpec
from datasurface.release.readers import covers
from datasurface.security.change import Change
from datasurface.security.desired import Desired, desired_state
from datasurface.security.diff import changes
from datasurface.security.wanted import Wanted, mark_of, scope_of
from security_bench import spec_of

GOLDEN = Path(__file__).parent / "access.sql"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
NAMES = RoleNames("acme", None, "yellow", 63)
OURS = [
    Thing(Kind.DATABASE, "warehouse"),
    Thing(Kind.SCHEMA, "ds_yellow"),
    Thing(Kind.VIEW, "ds_yellow", "batches"),
    Thing(Kind.TABLE, "ds_yellow", "crm.people"),
    Thing(Kind.SCHEMA, "ds_yellow.reports"),
    Thing(Kind.TABLE, "ds_yellow.reports", "out"),
    Thing(Kind.SCHEMA, "reports_all"),
    Thing(Kind.VIEW, "reports_all", "crm_people"),
]


def wanted(*readers: ReaderSpec, now: datetime = NOW) -> Wanted:
    spec = spec_of(transformers=["reports"], readers=readers, ecosystem="acme")
    return Wanted(names=NAMES, spec=spec, limit=63, now=now)


def catalog(owner: str = "admin") -> Catalog:
    """Return a database in which everything was made by `owner`, and no role of ours is."""
    return Catalog(
        admin="admin",
        all_powerful=False,
        database="warehouse",
        gives_database=True,
        owns_database=True,
        splits_membership=True,
        roles={},
        strangers={"anna": True, "team": False},
        schemas=frozenset(thing.schema for thing in OURS if thing.kind is Kind.SCHEMA),
        memberships=frozenset(),
        owners=dict.fromkeys(OURS, owner),
        privileges=frozenset({Privilege(OURS[0], "", "CONNECT"), Privilege(OURS[7], "bob", "SELECT")}),
        columns={OURS[7]: ("id", "name", "salary")},
    )


def compared(asked: Wanted, found: Catalog) -> tuple[Desired, list[Change]]:
    store = PostgresSecurity(Login(container=PostgresDatabase("db", host="h", database="warehouse")))
    store._splits = found.splits_membership
    desired = desired_state(asked, found, {f"{NAMES.run}.a"})
    return desired, changes(store, found, desired, mark=mark_of(asked.spec), owner=NAMES.owner, own=False)


def test_the_statements_are_these() -> None:
    cleared = ReaderSpec("anna", workspace="reports", cleared="INTERNAL", hidden=["crm.people.salary"])
    _, found = compared(wanted(cleared, ReaderSpec("team", workspace="reports", group=True)), catalog())
    lines = [line for change in found for line in (f"-- {change.sentence()}", *(f"{s};" for s in change.statements))]
    text = "\n".join(lines) + "\n"
    assert text == GOLDEN.read_text()


def test_what_is_as_desired_needs_nothing() -> None:
    asked = wanted(ReaderSpec("anna", workspace="reports"))
    desired, found = compared(asked, catalog())
    assert found
    reached = replace(
        catalog(NAMES.owner),
        roles=desired.roles,
        memberships=desired.memberships,
        privileges=desired.privileges,
        defaults=desired.defaults,
    )
    again, left = compared(asked, reached)
    assert left == []
    assert again == desired


def test_an_older_server_has_memberships_of_one_kind() -> None:
    desired, _ = compared(wanted(), replace(catalog(), splits_membership=False))
    assert {(m.inherit, m.assume) for m in desired.memberships} == {(True, True)}


def test_access_is_over_at_its_end() -> None:
    ends = "2027-02-01T00:00:00+00:00"
    reader = ReaderSpec("anna", workspace="reports", until=ends)
    membership = Membership(NAMES.reader("reports", "all"), "anna")
    before, _ = compared(wanted(reader, now=datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)), catalog())
    after, _ = compared(wanted(reader, now=datetime(2027, 2, 1, tzinfo=UTC)), catalog())
    assert membership in before.memberships
    assert membership not in after.memberships


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2027-01-31T12:00", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        ("9999-12-31", None),
        ("2027-02-30", None),
        ("soon", None),
        ("", None),
    ],
)
def test_an_end_is_a_date_or_a_time(text: str, moment: datetime | None) -> None:
    assert access_ends(text) == moment


@pytest.mark.parametrize(
    ("clearance", "classification", "covered"),
    [
        ([INTERNAL], PUBLIC, True),
        ([INTERNAL], INTERNAL, True),
        ([INTERNAL], CONFIDENTIAL, False),
        ([PII], INTERNAL, True),
        ([PII], PC1, False),
        ([PC3], PII, True),
        ([PII, PC1], PC1, True),
        ([], PUBLIC, False),
        ([Classification("SECRET", level=9, scheme="firm")], PII, False),
        ([Classification("SECRET", level=9, scheme="firm")], Classification("LOW", level=1, scheme="firm"), True),
    ],
)
def test_a_clearance_covers_itself_and_what_is_lower(
    clearance: list[Classification], classification: Classification, *, covered: bool
) -> None:
    assert covers(clearance, classification) is covered


def test_names_fit_and_stay_apart() -> None:
    long = RoleNames("e" * 100, "prod", "yellow", 63)
    roles = {long.owner, long.run, long.transformer("a"), long.transformer("b"), long.reader("a", "b")}
    assert len(roles) == 5
    assert all(len(login.encode()) <= 63 for role in roles for login in long.logins(role))
    assert NAMES.owner == "ds.acme.yellow.owner"
    assert RoleNames("acme", "prod", "yellow", 63).transformer("w") == "ds.acme.prod.yellow.t.w"
    assert NAMES.credential("transformer", "w") == "yellow.transformer.w"


def test_only_schemas_of_ours_are_looked_into() -> None:
    scope = scope_of(
        wanted(ReaderSpec("anna", workspace="reports"), ReaderSpec("carl", workspace="reports", login=True))
    )
    assert scope.whole == {"ds_yellow", "ds_yellow.reports"}
    assert scope.shared == {"reports_all"}
    assert scope.readers == {"anna"}
    assert f"{NAMES.person('carl')}.b" in scope.roles


def test_a_verifier_is_that_of_the_standard() -> None:
    """The exchange of RFC 7677, section 3."""
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    kind, settings, keys = verifier("pencil", base64.b64decode(salt)).split("$")
    assert (kind, settings) == ("SCRAM-SHA-256", f"4096:{salt}")
    stored, server = (base64.b64decode(key) for key in keys.split(":"))
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s={salt},i=4096,c=biws,r={nonce}".encode()
    signature = base64.b64encode(hmac.digest(server, message, "sha256")).decode()
    assert signature == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client = bytes(x ^ y for x, y in zip(proof, hmac.digest(stored, message, "sha256"), strict=True))
    assert hashlib.sha256(client).digest() == stored
