"""Access in a real database follows the model: made from nothing, kept, taken away, on PostgreSQL 18 and 15."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from datasurface.errors import SecretError
from datasurface.names import output_schema
from datasurface.release.bind import replaced
from datasurface.release.job import ReaderSpec
from security_bench import LIMIT, SecurityBench, security_bench, spec_of

NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def bench(postgres_url: str, tmp_path: Path) -> Iterator[SecurityBench]:
    spec = spec_of(workspaces=["reports", "derived"], transformers=["derived"])
    with security_bench(postgres_url, tmp_path / "secrets", spec) as made:
        made.build()
        yield made


def refused(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def stranger(bench: SecurityBench, name: str, options: str = "LOGIN PASSWORD 'secret'") -> str:
    """Make a role of the database that DataSurface does not manage."""
    role = f"{name}_{bench.spec.ecosystem}"
    bench.sql(f'CREATE ROLE "{role}" {options}')
    bench.made.append(role)
    return role


def test_from_nothing_to_no_drift(bench: SecurityBench) -> None:
    assert bench.drift()
    synced = bench.sync()
    assert synced.complete, [*synced.waiting, *synced.unsafe]
    assert bench.drift() == []
    assert bench.sync().done == ()
    owners = bench.sql(
        f"SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = '{bench.schema}'::regnamespace "
        "AND relkind IN ('r', 'v')"
    )
    assert owners == [(bench.names.owner,)]


def test_sync_comes_before_apply_too(postgres_url: str, tmp_path: Path) -> None:
    with security_bench(postgres_url, tmp_path / "secrets", spec_of(transformers=["reports"])) as bench:
        synced = bench.sync()
        assert synced.complete, [*synced.waiting, *synced.unsafe]
        with bench.as_login("run") as run:
            run.execute(f'SET ROLE "{bench.names.owner}"'.encode())
            run.execute(b"CREATE VIEW reports_all.crm_people AS SELECT 1::bigint AS id, 'x' AS name, '' AS salary")
            schema = output_schema("yellow", "reports", LIMIT)
            run.execute(f'CREATE TABLE "{schema}".out (id bigint)'.encode())
        assert bench.drift() == [], "what the owner makes is granted as it is made"
        with bench.as_login("transformer.reports") as code:
            assert code.execute("SELECT name FROM reports_all.crm_people").fetchone() == ("x",)
            code.execute(f'INSERT INTO "{schema}".out VALUES (1)'.encode())


def test_the_trail_says_who_did_what_and_why_and_no_secret(bench: SecurityBench) -> None:
    bench.sync()
    rows = bench.sql(f'SELECT who, action, target, model_digest, statements FROM "{bench.schema}".access_changes')
    assert {(who, digest) for who, _, _, digest, _ in rows} == {("tester", "d" * 64)}
    assert ("create", f"role {bench.names.owner}") in {(action, target) for _, action, target, _, _ in rows}
    assert ("enable", f"login {bench.names.run}.a") in {(action, target) for _, action, target, _, _ in rows}
    text = "".join(str(row) for row in rows)
    assert "SCRAM" not in text
    for credential in ("run", "monitor", "transformer.derived"):
        secret = bench.vault.current(bench.names.credential(*credential.split(".")))
        assert secret is not None
        assert str(secret.password) not in text


def test_a_transformer_reads_its_workspace_and_writes_its_outputs_and_nothing_else(bench: SecurityBench) -> None:
    bench.sync()
    schema = output_schema("yellow", "derived", LIMIT)
    with bench.as_login("transformer.derived") as code:
        assert code.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)
        code.execute(f'INSERT INTO "{schema}".out SELECT id, name FROM derived_all.crm_people'.encode())
        code.execute(f'TRUNCATE "{schema}".out'.encode())
        for statement in (
            "SELECT * FROM reports_all.crm_people",
            f'SELECT * FROM "{bench.schema}"."crm.people"',
            f'SELECT * FROM "{bench.schema}".batches',
            f'SELECT * FROM "{bench.schema}".logins',
            "SELECT rolpassword FROM pg_authid",
            "INSERT INTO derived_all.crm_people VALUES (3, 'x', 'y')",
            f'CREATE TABLE "{schema}".another (id int)',
            "CREATE TABLE public.another (id int)",
            "CREATE SCHEMA another",
            "CREATE TEMPORARY TABLE another (id int)",
            f'ALTER TABLE "{schema}".out ADD COLUMN x int',
            f'DROP TABLE "{schema}".out',
            f'SET ROLE "{bench.names.owner}"',
            f'ALTER ROLE "{bench.names.run}.a" PASSWORD NULL',
            "CREATE ROLE another",
            "SELECT pg_read_file('/etc/passwd')",
            "COPY derived_all.crm_people TO PROGRAM 'cat'",
        ):
            refused(code, statement)


def test_the_monitor_reads_the_public_views_and_nothing_else(bench: SecurityBench) -> None:
    bench.sync()
    with bench.as_login("monitor") as monitor:
        assert monitor.execute(f'SELECT count(*) FROM "{bench.schema}".batches'.encode()).fetchone() == (0,)
        monitor.execute(f'SELECT * FROM "{bench.schema}".batch_datasets'.encode())
        refused(monitor, f'SELECT * FROM "{bench.schema}".ledger')
        refused(monitor, "SELECT * FROM reports_all.crm_people")
        with pytest.raises(errors.ReadOnlySqlTransaction):
            monitor.execute("CREATE TEMPORARY TABLE x (id int)")


def test_the_run_login_works_as_the_owner_and_is_no_more(bench: SecurityBench) -> None:
    bench.sync()
    with bench.as_login("run") as run:
        refused(run, f'SELECT * FROM "{bench.schema}".ledger')
        run.execute(f'SET ROLE "{bench.names.owner}"'.encode())
        run.execute(f'SELECT * FROM "{bench.schema}".ledger'.encode())
        run.execute(b"CREATE SCHEMA another")
        run.execute(b"DROP SCHEMA another")
        refused(run, "CREATE ROLE another")
        refused(run, "SELECT rolpassword FROM pg_authid")


# -- readers


def with_readers(bench: SecurityBench, *readers: ReaderSpec) -> SecurityBench:
    bench.spec = replaced(bench.spec, readers=readers)
    return bench


def test_a_reader_sees_the_views_of_the_workspace_and_nothing_behind_them(bench: SecurityBench) -> None:
    anna = stranger(bench, "anna")
    with_readers(bench, ReaderSpec(anna, workspace="reports")).sync()
    with bench.connect(anna, "secret") as reader:
        assert reader.execute("SELECT count(*) FROM reports_all.crm_people").fetchone() == (2,)
        assert reader.execute("SELECT count(*) FROM reports_all.crm_people_history").fetchone() == (1,)
        for statement in (
            "SELECT * FROM derived_all.crm_people",
            f'SELECT * FROM "{bench.schema}"."crm.people"',
            f'SELECT * FROM "{bench.schema}".batches',
            "SELECT rolpassword FROM pg_authid",
            "UPDATE reports_all.crm_people SET name = 'x'",
            "DELETE FROM reports_all.crm_people",
            "CREATE OR REPLACE VIEW reports_all.crm_people AS SELECT 1 AS id",
            f'GRANT "{bench.names.reader("reports", "all")}" TO CURRENT_USER',
        ):
            refused(reader, statement)
        reader.execute("GRANT SELECT ON reports_all.crm_people TO PUBLIC")  # a warning that nothing was granted
        granted = "SELECT has_table_privilege('public', 'reports_all.crm_people', 'SELECT')"
        assert bench.sql(granted) == [(False,)]


def test_a_cheap_function_does_not_see_rows_that_a_view_leaves_out(bench: SecurityBench) -> None:
    anna = stranger(bench, "anna")
    with_readers(bench, ReaderSpec(anna, workspace="reports")).sync()
    bench.sql("CREATE SCHEMA own", f'GRANT ALL ON SCHEMA own TO "{anna}"')
    peek = (
        "CREATE FUNCTION own.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 "
        "AS $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$"
    )
    with bench.connect(anna, "secret") as reader:
        seen: list[str] = []
        reader.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
        reader.execute(peek.encode())
        rows = reader.execute("SELECT name FROM reports_all.crm_people_history WHERE own.peek(name)").fetchall()
        assert rows == [("Ann",)]
        assert seen == ["seen Ann"], "Bob is left out, and the function has not seen him"


def test_with_whose_rights_a_view_reads_is_part_of_the_drift(bench: SecurityBench) -> None:
    bench.sync()
    bench.sql(
        "ALTER VIEW reports_all.crm_people SET (security_invoker = on, security_barrier)",
        "ALTER VIEW reports_all.crm_people_history RESET (security_barrier)",
        f'ALTER VIEW "{bench.schema}".batches SET (security_invoker = true)',
    )
    assert bench.drift() == [
        f"alter view {bench.schema}.batches: security_invoker off",
        "alter view reports_all.crm_people: security_barrier off, security_invoker off",
        "alter view reports_all.crm_people_history: security_barrier on",
    ]
    assert bench.sync().complete
    assert bench.drift() == []
    with bench.as_login("transformer.derived") as code:
        assert code.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)


def test_a_clearance_shows_only_the_columns_that_it_covers(bench: SecurityBench) -> None:
    anna, bob = stranger(bench, "anna"), stranger(bench, "bob")
    cleared = ReaderSpec(anna, workspace="reports", cleared="INTERNAL", hidden=["crm.people.salary"])
    with_readers(bench, cleared, ReaderSpec(bob, workspace="reports")).sync()
    assert bench.drift() == []
    with bench.connect(anna, "secret") as reader:
        assert reader.execute("SELECT id, name FROM reports_all.crm_people ORDER BY 1").fetchall()[0] == (1, "Ann")
        refused(reader, "SELECT salary FROM reports_all.crm_people")
        refused(reader, "SELECT * FROM reports_all.crm_people")
        refused(reader, "SELECT id FROM reports_all.crm_people WHERE salary = 'high'")
        refused(reader, "SELECT p FROM reports_all.crm_people p")
        refused(reader, "SELECT salary FROM reports_all.crm_people_history")
    with bench.connect(bob, "secret") as reader:
        assert reader.execute("SELECT salary FROM reports_all.crm_people ORDER BY id").fetchall()[0] == ("high",)


def test_time_boxed_access_ends_with_the_first_sync_after_it(bench: SecurityBench) -> None:
    anna = stranger(bench, "anna")
    ends = NOW + timedelta(days=30)
    bench.now = NOW
    with_readers(
        bench,
        ReaderSpec(anna, workspace="reports", until=ends.isoformat()),
        ReaderSpec("carl", workspace="reports", login=True, until=ends.isoformat()),
    ).sync()
    with bench.connect(anna, "secret") as reader, bench.as_login("person.carl") as carl:
        reader.execute("SELECT * FROM reports_all.crm_people")
        assert carl.execute("SELECT count(*) FROM reports_all.crm_people").fetchone() == (2,)
        valid = bench.sql(f"SELECT rolvaliduntil FROM pg_roles WHERE rolname = '{bench.names.person('carl')}.a'")
        assert valid == [(ends,)], "the server refuses the password by itself from then on"
        bench.now = ends - timedelta(seconds=1)
        assert bench.drift() == []
        bench.now = ends
        assert bench.drift()
        assert bench.sync().complete
        refused(reader, "SELECT * FROM reports_all.crm_people")
    assert bench.drift() == []
    assert bench.vault.current(bench.names.credential("person", "carl")) is None
    assert bench.sql(f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{bench.names.person('carl')}%'") == []
    assert bench.sql(f"SELECT rolname FROM pg_roles WHERE rolname = '{anna}'") == [(anna,)], (
        "a role of somebody else stays"
    )


def test_a_reader_that_nobody_has_made_is_named(bench: SecurityBench) -> None:
    able = stranger(bench, "able")
    with_readers(
        bench, ReaderSpec("nobody_there", workspace="reports"), ReaderSpec(able, workspace="reports", group=True)
    )
    synced = bench.sync()
    assert not synced.complete
    reasons = sorted(reason for _, reason in synced.waiting)
    assert "can log in, so it is no group" in reasons[0]
    assert "reader nobody_there of workspace reports: the role does not exist" in reasons[1]
    assert """create it, or declare Reader('nobody_there', login=True)""" in reasons[1]
    odd = with_readers(bench, ReaderSpec("odd 'na;me\"", workspace="reports")).plan()
    assert [c.blocked.endswith("the role does not exist; create it") for c in odd.changes if c.blocked] == [True]
    stranger_made = stranger(bench, "grouped", "NOLOGIN")
    with_readers(bench, ReaderSpec(stranger_made, workspace="reports", group=True))
    assert bench.sync().complete


# -- what is not ours


def test_what_is_not_managed_is_left_alone(bench: SecurityBench) -> None:
    bench.sync()
    bob = stranger(bench, "bob")
    bench.sql(
        "CREATE SCHEMA own",
        "CREATE TABLE own.t (a int)",
        f'GRANT ALL ON own.t TO "{bob}", PUBLIC',
        f'GRANT CONNECT ON DATABASE "{bench.url.rsplit("/", 1)[1]}" TO "{bob}"',
        f'GRANT USAGE ON SCHEMA reports_all TO "{bob}"',
        f'GRANT SELECT ON reports_all.crm_people TO "{bob}"',
        "CREATE VIEW reports_all.somebodys AS SELECT 1 AS a",
        f'GRANT SELECT ON reports_all.somebodys TO "{bob}"',
    )
    before = bench.sql(
        "SELECT relname, relowner, relacl::text FROM pg_class WHERE relname IN ('t', 'somebodys') ORDER BY 1"
    )
    synced = bench.sync()
    assert synced.done == ()
    assert sorted(change.target for change in synced.unsafe) == ["schema reports_all", "view reports_all.crm_people"]
    assert bench.sql(f"SELECT has_table_privilege('{bob}', 'reports_all.crm_people', 'SELECT')") == [(True,)]
    assert bench.sync(unsafe=True).complete
    assert bench.sql(f"SELECT has_table_privilege('{bob}', 'reports_all.crm_people', 'SELECT')") == [(False,)]
    after = bench.sql(
        "SELECT relname, relowner, relacl::text FROM pg_class WHERE relname IN ('t', 'somebodys') ORDER BY 1"
    )
    assert after == before
    assert bench.drift() == []


def test_a_shared_database_keeps_what_everybody_may(postgres_url: str, tmp_path: Path) -> None:
    with security_bench(postgres_url, tmp_path / "secrets", spec_of(), own=False) as bench:
        bench.build()
        synced = bench.sync()
        assert synced.complete
        assert [change.advice for change in synced.unsafe] == [True]
        assert bench.drift() == []
        database = postgres_url.rsplit("/", 1)[1]
        assert bench.sql(f"SELECT has_database_privilege('public', '{database}', 'CONNECT')") == [(True,)]
        assert bench.sync(unsafe=True).complete
        assert bench.sql(f"SELECT has_database_privilege('public', '{database}', 'CONNECT')") == [(False,)]
        with bench.as_login("run"), bench.as_login("monitor"):
            assert bench.plan().changes == ()


def test_a_role_of_our_name_that_we_did_not_make_waits_for_consent(bench: SecurityBench) -> None:
    bench.sql(f'CREATE ROLE "{bench.names.transformer("derived")}" SUPERUSER LOGIN')
    synced = bench.sync()
    assert not synced.complete
    assert [change.target for change in synced.unsafe] == [f"role {bench.names.transformer('derived')}"]
    assert bench.sync(unsafe=True).complete
    assert bench.drift() == []
    assert bench.sql(
        f"SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = '{bench.names.transformer('derived')}'"
    ) == [(False, False)]


# -- what the model has no longer


def test_what_left_the_model_is_removed_and_its_data_stay(bench: SecurityBench) -> None:
    bench.sync()
    login = f"{bench.names.transformer('derived')}.a"
    schema = output_schema("yellow", "derived", LIMIT)
    bench.sql(
        "CREATE SCHEMA own",
        f'GRANT ALL ON SCHEMA own TO "{login}"',
        "CREATE TABLE own.kept AS SELECT 42 AS answer",
        f'ALTER TABLE own.kept OWNER TO "{login}"',
    )
    bench.spec = replaced(bench.spec, jobs=(), views=[v for v in bench.spec.views if v.workspace == "reports"])
    synced = bench.sync()
    assert synced.complete, synced.waiting
    assert bench.sql(f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{bench.names.transformer('derived')}%'") == []
    assert bench.sql("SELECT answer FROM own.kept") == [(42,)]
    assert bench.sql(f'SELECT count(*) FROM "{schema}".out') == [(0,)]
    assert bench.vault.current(bench.names.credential("transformer", "derived")) is None
    assert bench.drift() == []


def test_a_role_that_another_database_holds_is_shut_and_named(
    bench: SecurityBench, two_databases: tuple[str, str]
) -> None:
    bench.sync()
    login = f"{bench.names.transformer('derived')}.a"
    with psycopg.connect(two_databases[0], autocommit=True) as other:
        other.execute(f'CREATE SCHEMA theirs AUTHORIZATION "{login}"'.encode())
        bench.spec = replaced(bench.spec, jobs=())
        synced = bench.sync()
        assert [change.target for change, _ in synced.waiting] == [f"role {login}"]
        assert bench.sql(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{login}'") == [(False,)]
        other.execute(b"DROP SCHEMA theirs")
    assert bench.sync().complete
    assert bench.drift() == []


# -- secrets


def test_a_lost_store_gets_new_passwords_and_the_old_ones_end(bench: SecurityBench) -> None:
    bench.sync()
    old = bench.vault.current(bench.names.credential("run"))
    assert old is not None
    bench.folder = bench.folder.with_name("another")
    assert bench.drift()
    assert bench.sync().complete
    assert bench.drift() == []
    with bench.as_login("run"):
        pass
    with pytest.raises(psycopg.OperationalError):
        bench.connect(old.user or "", old.password or "")


def test_a_store_that_cannot_be_written_to_leaves_no_login(bench: SecurityBench) -> None:
    bench.folder.chmod(0o777)
    with pytest.raises(SecretError):
        bench.sync()
    assert (
        bench.sql(f"SELECT rolname FROM pg_roles WHERE rolname LIKE 'ds.{bench.spec.ecosystem}.%' AND rolcanlogin")
        == []
    )
    bench.folder.chmod(0o700)
    assert bench.sync().complete
    assert bench.drift() == []


def test_two_syncs_at_once(bench: SecurityBench) -> None:
    found: list[object] = []

    def work() -> None:
        try:
            found.append(bench.sync().complete)
        except Exception as error:  # noqa: BLE001 - shown below
            found.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True, True, True]
    assert bench.drift() == []
