"""PostgreSQL's statements for roles, memberships and grants, as text, so that a plan prints what sync runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from datasurface.databases.postgres.ddl import literal, qualified, quote
from datasurface.databases.security import (
    EVERYBODY,
    DefaultPrivilege,
    Kind,
    Membership,
    Privilege,
    Role,
    Setting,
    Thing,
)

__all__ = [
    "alter_role",
    "create_role",
    "create_schema",
    "default",
    "disable",
    "drop_role",
    "enable",
    "give",
    "grant",
    "join",
    "leave",
    "revoke",
    "set_options",
]

_OBJECTS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS", "L": "LARGE OBJECTS"}


def create_role(role: Role) -> Sequence[str]:
    """Return the statements that make a role that cannot log in yet, with its mark and settings."""
    name = quote(role.name)
    inherits = "" if role.inherits else " NOINHERIT"
    return [
        f"CREATE ROLE {name} NOLOGIN{inherits}{_until(role.expires)}",
        f"COMMENT ON ROLE {name} IS {literal(role.mark)}",
        *(_set(role.name, setting) for setting in _sorted(role.settings)),
    ]


def alter_role(actual: Role, role: Role) -> Sequence[str]:
    """Return the statements that give a role its attributes again; a login is only ever taken away by them.

    Only what differs is named: who is no superuser may not even say NOSUPERUSER.
    """
    words = [f"NO{power}" for power in sorted(actual.powers - role.powers)]
    if actual.login and not role.login:
        words.append("NOLOGIN PASSWORD NULL")
    if actual.inherits != role.inherits:
        words.append("INHERIT" if role.inherits else "NOINHERIT")
    if actual.connections != role.connections:
        words.append(f"CONNECTION LIMIT {role.connections}")
    if actual.expires != role.expires:
        words.append(_until(role.expires).strip() or "VALID UNTIL 'infinity'")
    statements = [f"ALTER ROLE {quote(role.name)} {' '.join(words)}"] if words else []
    if actual.mark != role.mark:
        statements.append(f"COMMENT ON ROLE {quote(role.name)} IS {literal(role.mark)}")
    statements += [_reset(role.name, setting) for setting in _sorted(actual.settings - role.settings)]
    statements += [_set(role.name, setting) for setting in _sorted(role.settings - actual.settings)]
    return statements


def _until(expires: datetime | None) -> str:
    return f" VALID UNTIL {literal(expires.isoformat())}" if expires else ""


def _sorted(settings: Collection[Setting]) -> list[Setting]:
    return sorted(settings, key=lambda setting: (setting.database, setting.name))


def _place(role: str, setting: Setting) -> str:
    where = f" IN DATABASE {quote(setting.database)}" if setting.database else ""
    return f"ALTER ROLE {quote(role)}{where}"


def _set(role: str, setting: Setting) -> str:
    return f"{_place(role, setting)} SET {quote(setting.name)} = {literal(setting.value)}"


def _reset(role: str, setting: Setting) -> str:
    return f"{_place(role, setting)} RESET {quote(setting.name)}"


def drop_role(name: str, heir: str, admin: str, *, splits: bool) -> Sequence[str]:
    """Return the statements that drop a role; what it owns goes to `heir`.

    The administrator has to be a member for it, which a superuser is without saying so.
    """
    role = quote(name)
    become = [f"GRANT {role} TO {quote(admin)}{' WITH INHERIT TRUE, SET TRUE' if splits else ''}"] if admin else []
    return [
        *become,
        f"REASSIGN OWNED BY {role} TO {quote(heir)}",
        f"DROP OWNED BY {role}",
        f"DROP ROLE {role}",
    ]


def join(membership: Membership, *, splits: bool) -> str:
    """Return the statement that makes a role a member."""
    options = ""
    if splits:
        options = f" WITH INHERIT {_word(membership.inherit)}, SET {_word(membership.assume)}"
    return f"GRANT {quote(membership.role)} TO {quote(membership.member)}{options}"


def _word(value: bool) -> str:
    return str(value).upper()


def leave(membership: Membership, *, splits: bool) -> str:
    """Return the statement that ends a membership, and those that the member has passed on."""
    grantor = f" GRANTED BY {quote(membership.grantor)}" if splits and membership.grantor else ""
    return f"REVOKE {quote(membership.role)} FROM {quote(membership.member)}{grantor} CASCADE"


def create_schema(schema: str, owner: str) -> str:
    """Return the statement that makes a schema."""
    return f"CREATE SCHEMA {quote(schema)} AUTHORIZATION {quote(owner)}"


def give(thing: Thing, owner: str) -> str:
    """Return the statement that gives a thing another owner."""
    return f"ALTER {_object(thing)} OWNER TO {quote(owner)}"


def _object(thing: Thing) -> str:
    if thing.kind in (Kind.DATABASE, Kind.SCHEMA):
        return f"{thing.kind.value.upper()} {quote(thing.schema)}"
    return f"TABLE {qualified(thing.schema, thing.name)}"  # which stands for views of any kind too


def _target(thing: Thing) -> str:
    return _object(thing) if thing.kind in (Kind.DATABASE, Kind.SCHEMA) else qualified(thing.schema, thing.name)


def _grantee(name: str) -> str:
    return "PUBLIC" if name == EVERYBODY else quote(name)


def grant(thing: Thing, grantees: Sequence[str], privileges: Collection[Privilege]) -> str:
    """Return the statement that grants the same privileges on a thing to some grantees."""
    words = ", ".join(_words(privileges))
    return f"GRANT {words} ON {_target(thing)} TO {', '.join(_grantee(name) for name in grantees)}"


def revoke(thing: Thing, grantee: str, privileges: Collection[Privilege]) -> str:
    """Return the statement that revokes privileges, and what the grantee has passed on."""
    words = ", ".join(_words(privileges))
    return f"REVOKE {words} ON {_target(thing)} FROM {_grantee(grantee)} CASCADE"


def _words(privileges: Collection[Privilege]) -> Iterator[str]:
    columns: dict[str, list[str]] = defaultdict(list)
    whole = sorted({p.privilege for p in privileges if not p.column})
    for privilege in sorted(privileges, key=lambda p: (p.privilege, p.column)):
        if privilege.column and privilege.privilege not in whole:
            columns[privilege.privilege].append(privilege.column)
    yield from whole
    for word, names in sorted(columns.items()):
        yield f"{word} ({', '.join(quote(name) for name in names)})"


def set_options(view: Thing, on: Collection[str], off: Collection[str]) -> Sequence[str]:
    """Return the statements that turn options of a view on and off."""
    head = f"ALTER VIEW {qualified(view.schema, view.name)}"
    set_on = [f"{head} SET ({', '.join(f'{option} = true' for option in sorted(on))})"] if on else []
    return [*set_on, *([f"{head} RESET ({', '.join(sorted(off))})"] if off else [])]


def default(privileges: Sequence[DefaultPrivilege], *, granted: bool) -> str:
    """Return the statement that grants or revokes default privileges which differ in nothing but their word."""
    one = privileges[0]
    where = f" IN SCHEMA {quote(one.schema)}" if one.schema else ""
    verb, to = ("GRANT", "TO") if granted else ("REVOKE", "FROM")
    words = ", ".join(sorted({p.privilege for p in privileges}))
    return (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(one.owner)}{where} "
        f"{verb} {words} ON {_OBJECTS[one.objects]} {to} {_grantee(one.grantee)}"
    )


def enable(login: str, verifier: str, expires: datetime | None) -> str:
    """Return the statement that lets a role log in with the password that a verifier was made of."""
    until = _until(expires) or " VALID UNTIL 'infinity'"
    return f"ALTER ROLE {quote(login)} LOGIN PASSWORD {literal(verifier)}{until}"


def disable(login: str) -> str:
    """Return the statement that lets a role log in no longer; its sessions go on."""
    return f"ALTER ROLE {quote(login)} NOLOGIN PASSWORD NULL"
