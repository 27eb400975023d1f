"""What PostgreSQL's catalog says of roles, memberships, owners and privileges: a few set queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg

from datasurface.databases.security import (
    VIEW_OPTIONS,
    Catalog,
    DefaultPrivilege,
    Kind,
    Membership,
    Privilege,
    Role,
    Scope,
    Setting,
    Thing,
)

__all__ = ["read_catalog"]

_SPLITS_MEMBERSHIP = 160000
_BOOTSTRAP = 10
_POWERS = ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")

_ABOUT = """
SELECT current_user::text, r.rolsuper, d.datname::text, r.rolsuper OR pg_has_role(d.datdba, 'USAGE'),
       r.rolsuper OR pg_has_role(d.datdba, 'USAGE')
       OR has_database_privilege(d.oid, 'CREATE WITH GRANT OPTION')
          AND has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION')
FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()
"""

_ROLES = """
SELECT r.oid, r.rolname::text, coalesce(s.description, ''), r.rolcanlogin, r.rolinherit, r.rolsuper, r.rolcreaterole,
       r.rolcreatedb, r.rolreplication, r.rolbypassrls, r.rolconnlimit,
       CASE WHEN isfinite(r.rolvaliduntil) THEN r.rolvaliduntil END
FROM pg_roles r
LEFT JOIN pg_shdescription s ON s.objoid = r.oid AND s.classoid = 'pg_authid'::regclass
WHERE s.description = %(mark)s OR r.rolname = ANY (%(roles)s)
"""

_SETTINGS = """
SELECT r.rolname::text, coalesce(d.datname::text, ''), c.setting
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c(setting)
WHERE r.oid = ANY (%s)
"""

_SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname = ANY (%s)"

_STRANGERS = "SELECT rolname::text, rolcanlogin FROM pg_roles WHERE rolname = ANY (%s)"

_MEMBERSHIPS = """
SELECT g.rolname::text, m.rolname::text, a.admin_option, b.rolname::text, a.grantor::bigint, {options}
FROM pg_auth_members a
JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member LEFT JOIN pg_roles b ON b.oid = a.grantor
WHERE a.roleid = ANY (%(ours)s) OR a.member = ANY (%(ours)s)
"""

_SCOPE = """
WITH views AS (SELECT * FROM unnest(%(view_schemas)s::text[], %(view_names)s::text[]) v(schema, name)),
things AS (
    SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS kind, n.nspname::text AS schema,
           c.relname::text AS name, c.oid, c.relowner AS owner, c.relacl AS acl, 'r'::"char" AS type
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (
        n.nspname = ANY (%(whole)s)
        OR n.nspname = ANY (%(shared)s) AND (
            c.relowner = (SELECT oid FROM pg_roles WHERE rolname = %(owner)s)
            OR c.relkind = 'v' AND EXISTS (SELECT FROM views v WHERE v.schema = n.nspname AND v.name = c.relname)))
)
"""

_THINGS = f"""{_SCOPE}, everything AS (
    SELECT kind, schema, name, owner, acl, type FROM things
  UNION ALL
    SELECT 'schema', nspname::text, '', nspowner, nspacl, 'n' FROM pg_namespace n
    WHERE nspname = ANY (%(whole)s)
       OR nspname = ANY (%(shared)s) AND EXISTS (SELECT FROM things t WHERE t.schema = n.nspname)
       OR nspname = ANY (%(shared)s) AND nspowner = (SELECT oid FROM pg_roles WHERE rolname = %(owner)s)
  UNION ALL
    SELECT 'database', datname::text, '', datdba, datacl, 'd' FROM pg_database WHERE datname = current_database()
)
SELECT e.kind, e.schema, e.name, pg_get_userbyid(e.owner)::text, x.grantee = e.owner, x.given,
       CASE WHEN x.grantee = 0 THEN '' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type, x.is_grantable
FROM everything e
LEFT JOIN LATERAL (
    SELECT grantee, privilege_type, bool_or(is_grantable) AS is_grantable, true AS given
    FROM aclexplode(coalesce(e.acl, acldefault(e.type, e.owner))) WHERE grantee <> e.owner GROUP BY 1, 2
  UNION ALL
    SELECT * FROM (
        SELECT grantee, privilege_type, false, false FROM aclexplode(acldefault(e.type, e.owner))
        WHERE grantee = e.owner AND e.acl IS NOT NULL
      EXCEPT
        SELECT grantee, privilege_type, false, false FROM aclexplode(e.acl) WHERE grantee = e.owner
    ) given_up
) x ON true
"""

_COLUMN_PRIVILEGES = f"""{_SCOPE}
SELECT t.kind, t.schema, t.name, a.attname::text,
       CASE WHEN x.grantee = 0 THEN '' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type, x.is_grantable
FROM things t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped,
LATERAL aclexplode(a.attacl) x WHERE x.grantee <> t.owner
"""

_COLUMNS = f"""{_SCOPE}
SELECT t.kind, t.schema, t.name, array_agg(a.attname::text ORDER BY a.attnum)
FROM things t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.kind = 'view' GROUP BY 1, 2, 3
"""

_OPTIONS = f"""{_SCOPE}
SELECT t.kind, t.schema, t.name, array_agg(o.option_name) FILTER (WHERE o.option_value::boolean)
FROM things t JOIN pg_class c ON c.oid = t.oid CROSS JOIN LATERAL pg_options_to_table(c.reloptions) o
WHERE c.relkind = 'v' AND o.option_name = ANY (%(options)s) GROUP BY 1, 2, 3
"""

_DEFAULTS = """
SELECT r.rolname::text, coalesce(n.nspname::text, ''), d.type,
       CASE WHEN x.grantee = 0 THEN '' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type, x.is_grantable
FROM pg_roles r
CROSS JOIN LATERAL (
    SELECT defaclnamespace AS namespace, defaclobjtype AS type, defaclacl AS acl
    FROM pg_default_acl WHERE defaclrole = r.oid
  UNION ALL
    SELECT 0, t.type, acldefault(t.type, r.oid) FROM (VALUES ('f'::"char"), ('T'::"char")) t(type)
    WHERE r.rolname = %(owner)s AND NOT EXISTS (
        SELECT FROM pg_default_acl WHERE defaclrole = r.oid AND defaclnamespace = 0 AND defaclobjtype = t.type)
) d
LEFT JOIN pg_namespace n ON n.oid = d.namespace
CROSS JOIN LATERAL aclexplode(d.acl) x
WHERE r.oid = ANY (%(ours)s) AND x.grantee <> r.oid
"""


def read_catalog(raw: psycopg.Connection[Any], scope: Scope) -> Catalog:
    """Return what the catalog says within a scope."""
    about = raw.execute(_ABOUT).fetchone()
    if about is None:
        raise RuntimeError("the catalog does not know the role that asks")
    admin, all_powerful, database, owns_database, gives_database = about
    splits = raw.info.server_version >= _SPLITS_MEMBERSHIP
    ours, roles = _roles(raw, scope)
    asked = _asked(scope)
    owners, privileges, lacking = _things(raw, asked)
    privileges |= frozenset(_column_privileges(raw, asked))
    return Catalog(
        admin=admin,
        all_powerful=all_powerful,
        database=database,
        gives_database=gives_database,
        owns_database=owns_database,
        splits_membership=splits,
        roles=roles,
        strangers=dict(raw.execute(_STRANGERS, [sorted(scope.readers)]).fetchall()),
        schemas=frozenset(name for (name,) in raw.execute(_SCHEMAS, [sorted(scope.whole | scope.shared)])),
        memberships=frozenset(_memberships(raw, ours, admin, splits=splits)),
        owners=owners,
        privileges=privileges,
        lacking=lacking,
        defaults=frozenset(_defaults(raw, ours, scope.owner)),
        columns={_thing(k, s, n): tuple(columns) for k, s, n, columns in raw.execute(_COLUMNS, asked)},
        options={_thing(k, s, n): frozenset(on or ()) for k, s, n, on in raw.execute(_OPTIONS, asked)},
    )


def _asked(scope: Scope) -> dict[str, Any]:
    views = sorted(scope.views)
    return {
        "whole": sorted(scope.whole),
        "shared": sorted(scope.shared),
        "owner": scope.owner,
        "options": list(VIEW_OPTIONS),
        "view_schemas": [schema for schema, _ in views],
        "view_names": [name for _, name in views],
    }


def _roles(raw: psycopg.Connection[Any], scope: Scope) -> tuple[list[int], dict[str, Role]]:
    rows = raw.execute(_ROLES, {"mark": scope.mark, "roles": sorted(scope.roles)}).fetchall()
    settings = _settings(raw, [row[0] for row in rows])
    roles = {}
    for _, name, mark, login, inherits, *powers, connections, expires in rows:
        roles[name] = Role(
            name=name,
            mark=mark,
            login=login,
            inherits=inherits,
            powers=frozenset(power for power, held in zip(_POWERS, powers, strict=True) if held),
            connections=connections,
            expires=_moment(expires),
            settings=frozenset(settings.get(name, ())),
        )
    return [row[0] for row in rows if row[2] == scope.mark], roles


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _settings(raw: psycopg.Connection[Any], roles: list[int]) -> dict[str, list[Setting]]:
    found: dict[str, list[Setting]] = defaultdict(list)
    for role, database, setting in raw.execute(_SETTINGS, [roles]):
        name, _, value = setting.partition("=")
        found[role].append(Setting(name=name, value=value, database=database))
    return found


def _memberships(raw: psycopg.Connection[Any], ours: list[int], admin: str, *, splits: bool) -> Iterator[Membership]:
    """Yield memberships, without the administrator's own and without those a server gives to who makes a role."""
    options = "a.inherit_option, a.set_option" if splits else "true, true"
    for role, member, is_admin, grantor, grantor_id, inherit, assume in raw.execute(
        _MEMBERSHIPS.replace("{options}", options).encode(), {"ours": ours}
    ):
        by_server = is_admin and not inherit and not assume and grantor_id == _BOOTSTRAP
        if member != admin and not by_server:
            yield Membership(role, member, inherit, assume, admin=is_admin, grantor=grantor or "")


def _thing(kind: str, schema: str, name: str) -> Thing:
    return Thing(Kind(kind), schema, name)


def _things(
    raw: psycopg.Connection[Any], asked: dict[str, Any]
) -> tuple[dict[Thing, str], frozenset[Privilege], frozenset[Privilege]]:
    owners: dict[Thing, str] = {}
    held, lacking = set(), set()
    for kind, schema, name, owner, _own, given, grantee, privilege, grantable in raw.execute(_THINGS, asked):
        thing = _thing(kind, schema, name)
        owners[thing] = owner
        if given:
            held.add(Privilege(thing, grantee, privilege, grantable=grantable))
        elif given is False:
            lacking.add(Privilege(thing, owner, privilege))
    return owners, frozenset(held), frozenset(lacking)


def _column_privileges(raw: psycopg.Connection[Any], asked: dict[str, Any]) -> Iterator[Privilege]:
    for kind, schema, name, column, grantee, privilege, grantable in raw.execute(_COLUMN_PRIVILEGES, asked):
        yield Privilege(_thing(kind, schema, name), grantee, privilege, column, grantable)


def _defaults(raw: psycopg.Connection[Any], ours: list[int], owner: str) -> Iterator[DefaultPrivilege]:
    for role, schema, objects, grantee, privilege, grantable in raw.execute(_DEFAULTS, {"ours": ours, "owner": owner}):
        name = objects.decode() if isinstance(objects, bytes) else objects
        yield DefaultPrivilege(role, schema, name, grantee, privilege, grantable)
