"""Access without superuser, as managed clouds give it: CREATEROLE, and CREATE on the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from datasurface.errors import StoreError
from datasurface.names import output_schema
from datasurface.release.bind import replaced
from datasurface.release.job import ReaderSpec
from datasurface.security.rotate import rotate
from security_bench import LIMIT, SecurityBench, login_of, security_bench, spec_of


@contextmanager
def managed(url: str, folder: Path, *, grants: bool) -> Iterator[SecurityBench]:
    """Yield a platform whose administrator is no superuser; `grants` says whether it may grant on the database."""
    spec = spec_of(workspaces=["reports", "derived"], transformers=["derived"])
    admin = f"admin_{spec.ecosystem}"
    with security_bench(url, folder, spec, own=False) as bench:
        database = url.rsplit("/", 1)[1]
        option = " WITH GRANT OPTION" if grants else ""
        bench.sql(
            f"CREATE ROLE \"{admin}\" LOGIN CREATEROLE PASSWORD 'secret'",
            f'GRANT CREATE, CONNECT ON DATABASE "{database}" TO "{admin}"{option}',
        )
        bench.made.append(admin)
        bench.admin = login_of(url, admin, "secret")
        yield bench


def as_admin(bench: SecurityBench) -> str:
    parts = urlsplit(bench.url)
    place = f"{bench.admin.user}:secret@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=place))


@pytest.mark.parametrize("grants", [True, False])
def test_everything_works_without_superuser(postgres_url: str, tmp_path: Path, *, grants: bool) -> None:
    with managed(postgres_url, tmp_path / "secrets", grants=grants) as bench:
        bench.build(as_url=as_admin(bench))
        synced = bench.sync()
        assert synced.complete, [*synced.waiting, *synced.unsafe]
        assert bench.drift() == []
        with bench.as_login("transformer.derived") as code:
            assert code.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)
            code.execute(f'INSERT INTO "{output_schema("yellow", "derived", LIMIT)}".out VALUES (1)'.encode())
        with bench.as_login("run") as run:
            run.execute(f'SET ROLE "{bench.names.owner}"'.encode())
            run.execute(f'CREATE TABLE "{bench.schema}".made (id bigint)'.encode())
        _tamper(bench)
        assert bench.drift()
        assert bench.sync().complete
        assert bench.drift() == []


def _tamper(bench: SecurityBench) -> None:
    """Change what such an administrator can set right."""
    names = bench.names
    bench.sql(
        f'GRANT SELECT ON "{bench.schema}"."crm.people" TO PUBLIC',
        f'REVOKE SELECT ON reports_all.crm_people FROM "{names.reader("reports", "all")}"',
        f'REVOKE "{names.monitor}" FROM "{names.monitor}.a"',
        f'ALTER ROLE "{names.transformer("derived")}.a" NOLOGIN CREATEROLE',
        f'ALTER DEFAULT PRIVILEGES FOR ROLE "{names.owner}" GRANT SELECT ON TABLES TO PUBLIC',
        f'ALTER VIEW derived_all.crm_people OWNER TO "{bench.admin.user}"',
    )


def test_sync_rotation_and_removal(postgres_url: str, tmp_path: Path) -> None:
    with managed(postgres_url, tmp_path / "secrets", grants=True) as bench:
        anna = f"anna_{bench.spec.ecosystem}"
        bench.sql(f"CREATE ROLE \"{anna}\" LOGIN PASSWORD 'secret'")
        bench.made.append(anna)
        assert bench.sync().complete, "before anything was applied"
        bench.build(as_url=as_admin(bench))
        bench.spec = replaced(bench.spec, readers=[ReaderSpec(anna, workspace="reports")])
        assert bench.sync().complete
        with bench.connect(anna, "secret") as reader:
            assert reader.execute("SELECT count(*) FROM reports_all.crm_people").fetchone() == (2,)
        credential = bench.names.credential("transformer", "derived")
        with bench.as_login("transformer.derived") as job, bench.access() as access:
            (done,) = rotate(access, credentials=[credential], now=True)
            assert done.ended == 1
            with pytest.raises(psycopg.OperationalError):
                job.execute("SELECT 1")
        assert bench.drift() == []
        schema = output_schema("yellow", "derived", LIMIT)
        with bench.as_login("transformer.derived") as code:
            code.execute(f'INSERT INTO "{schema}".out VALUES (1)'.encode())
        bench.spec = replaced(bench.spec, jobs=(), readers=())
        synced = bench.sync()
        assert synced.complete, synced.waiting
        assert bench.drift() == []
        assert bench.sql(f"SELECT rolname FROM pg_roles WHERE rolname LIKE '%{bench.spec.ecosystem}.yellow.t.%'") == []
        assert bench.sql(f'SELECT count(*) FROM "{schema}".out') == [(1,)]
        assert bench.sql(f"SELECT has_table_privilege('{anna}', 'reports_all.crm_people', 'SELECT')") == [(False,)]


def test_what_only_the_owner_of_the_database_can_do_is_advice_and_never_recorded(
    postgres_url: str, tmp_path: Path
) -> None:
    with managed(postgres_url, tmp_path / "secrets", grants=True) as bench:
        bench.build(as_url=as_admin(bench))
        synced = bench.sync(unsafe=True)
        assert synced.complete, synced.waiting
        database = postgres_url.rsplit("/", 1)[1]
        (owner,) = bench.sql(f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{database}'")[0]
        assert [(change.target, change.advice, reason) for change, reason in synced.waiting] == [
            (f"database {database}", True, f"only the database's owner, {owner}, can do it")
        ]
        assert bench.sql(f"SELECT has_database_privilege('public', '{database}', 'CONNECT')") == [(True,)]
        bench.sql(f'GRANT TEMPORARY ON DATABASE "{database}" TO "{bench.names.owner}"')
        synced = bench.sync(unsafe=True)
        assert not synced.complete
        reasons = [reason for change, reason in synced.waiting if not change.advice]
        assert reasons == ["the server left it as it was: only the role that has granted it can take it back"]
        trail = (
            f"SELECT count(*) FROM \"{bench.schema}\".access_changes WHERE action = 'revoke' AND target LIKE 'data%'"
        )
        assert bench.sql(trail) == [(0,)]


def test_what_is_only_partly_revoked_is_recorded_so(postgres_url: str, tmp_path: Path) -> None:
    with managed(postgres_url, tmp_path / "secrets", grants=True) as bench:
        bench.build(as_url=as_admin(bench))
        assert bench.sync().complete
        database, role = postgres_url.rsplit("/", 1)[1], bench.names.transformer("derived")
        bench.sql(f'GRANT TEMPORARY ON DATABASE "{database}" TO "{role}"')
        with bench.connect(bench.admin.user or "", "secret") as admin:
            admin.execute(f'GRANT CREATE ON DATABASE "{database}" TO "{role}"'.encode())
        assert not bench.sync().complete
        trail = f"SELECT detail FROM \"{bench.schema}\".access_changes WHERE action = 'revoke' AND target LIKE 'data%'"
        assert bench.sql(trail) == [(f"CREATE, TEMPORARY from {role} (but not TEMPORARY from {role})",)]
        assert bench.sql(f"SELECT has_database_privilege('{role}', '{database}', 'CREATE')") == [(False,)]


def test_what_an_administrator_may_not_do_is_said_and_the_rest_is_done(postgres_url: str, tmp_path: Path) -> None:
    with managed(postgres_url, tmp_path / "secrets", grants=True) as bench:
        bench.build(as_url=as_admin(bench))
        bench.sql("ALTER VIEW reports_all.crm_people OWNER TO CURRENT_USER")
        synced = bench.sync()
        assert not synced.complete
        waiting = [(change.action, change.target, reason) for change, reason in synced.waiting if not change.advice]
        assert {target for _, target, _ in waiting} == {"view reports_all.crm_people"}
        assert [reason for action, _, reason in waiting if action == "own"] == ["must be owner of view crm_people"]
        with bench.as_login("transformer.derived") as code:
            assert code.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)
        bench.sql(f'ALTER VIEW reports_all.crm_people OWNER TO "{bench.names.owner}"')
        assert bench.sync().complete
        assert bench.drift() == []


def test_an_administrator_who_may_not_touch_the_platform_is_told_what_to_do(postgres_url: str, tmp_path: Path) -> None:
    with managed(postgres_url, tmp_path / "secrets", grants=True) as bench:
        bench.build()
        with pytest.raises(StoreError, match="permission denied for schema ds_yellow") as caught:
            bench.sync()
        assert "GRANT" in caught.value.hint
