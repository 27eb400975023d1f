"""Passwords change without an interruption: the two logins of a role take turns, and a compromised one ends at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from datasurface.errors import ConfigurationError, DataSurfaceError
from datasurface.security.logins import GRACE
from datasurface.security.rotate import Rotated, rotate
from security_bench import SecurityBench, security_bench, spec_of

NOW = datetime(2027, 1, 1, tzinfo=UTC)
CODE = "yellow.transformer.derived"


@pytest.fixture
def bench(postgres_url: str, tmp_path: Path) -> Iterator[SecurityBench]:
    spec = spec_of(workspaces=["derived"], transformers=["derived"])
    with security_bench(postgres_url, tmp_path / "secrets", spec) as made:
        made.build()
        made.now = NOW
        made.sync()
        yield made


def turned(bench: SecurityBench, *credentials: str, age: timedelta = timedelta(0), now: bool = False) -> list[Rotated]:
    with bench.access() as access:
        return rotate(access, credentials=credentials, older_than=age, now=now)


def secret(bench: SecurityBench) -> tuple[str, str]:
    found = bench.vault.current(CODE)
    assert found is not None
    return found.user or "", found.password or ""


def test_a_running_job_goes_on_and_logs_in_again_with_what_it_knows(bench: SecurityBench) -> None:
    former = secret(bench)
    with bench.connect(*former) as job:
        bench.now = NOW + timedelta(days=31)
        (done,) = turned(bench, CODE)
        role = bench.names.transformer("derived")
        assert (done.login, done.former, done.ended) == (f"{role}.b", f"{role}.a", 0)
        assert secret(bench)[0] == f"{role}.b"
        assert job.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)
        with bench.connect(*former) as again, bench.connect(*secret(bench)) as new:
            for connection in (again, new):
                assert connection.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)
        assert bench.drift() == [], "the former login may be used for a while"
        bench.now += GRACE
        assert bench.drift() == [f"disable login {role}.a"]
        assert bench.sync().complete
        assert job.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)
        with pytest.raises(psycopg.OperationalError, match=r"failed|not permitted"):
            bench.connect(*former)
    assert bench.drift() == []
    (done,) = turned(bench, CODE)
    assert done.login == f"{role}.a"
    assert bench.drift() == []


def test_only_what_is_old_enough_is_rotated_and_not_twice_within_an_hour(bench: SecurityBench) -> None:
    bench.now = NOW + timedelta(days=29)
    assert {one.reason for one in turned(bench, age=timedelta(days=30))} == {"its password is 29 days old"}
    assert [one.credential for one in turned(bench, "yellow.run") if not one.reason] == ["yellow.run"]
    bench.now = NOW + timedelta(days=30)
    done = turned(bench, age=timedelta(days=30))
    assert sorted(one.credential for one in done if not one.reason) == ["yellow.monitor", CODE]
    bench.now += timedelta(minutes=10)
    (again,) = turned(bench, CODE)
    assert again.reason == "its former login may be in use for another 50 minutes"


def test_a_stolen_password_ends_at_once_with_its_sessions(bench: SecurityBench) -> None:
    stolen = secret(bench)
    with bench.connect(*stolen) as thief, bench.connect(*stolen):
        (done,) = turned(bench, CODE, now=True)
        assert done.ended == 2
        with pytest.raises(psycopg.OperationalError):
            thief.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        bench.connect(*stolen)
    with bench.connect(*secret(bench)) as job:
        assert job.execute("SELECT count(*) FROM derived_all.crm_people").fetchone() == (2,)
    assert bench.drift() == []
    assert [one.reason for one in turned(bench, CODE, now=True)] == [""], "at once may be said at any time"
    assert bench.drift() == []


def test_a_session_that_is_older_than_an_earlier_rotation_ends_too(bench: SecurityBench) -> None:
    turned(bench, CODE)
    with bench.connect(*secret(bench)) as thief:
        bench.now = NOW + 2 * GRACE
        turned(bench, CODE)
        with bench.connect(*secret(bench)) as second:
            (done,) = turned(bench, CODE, now=True)
            assert done.ended == 2
            for session in (thief, second):
                with pytest.raises(psycopg.OperationalError):
                    session.execute("SELECT 1")
    with bench.connect(*secret(bench)):
        assert bench.drift() == []


def test_an_unknown_login_is_named_with_those_that_are_known(bench: SecurityBench) -> None:
    with pytest.raises(ConfigurationError, match=r"no login 'yellow\.transformer\.nobody'") as caught:
        turned(bench, "yellow.transformer.nobody")
    assert CODE in caught.value.hint


def test_a_new_password_that_does_not_get_in_is_not_taken(bench: SecurityBench) -> None:
    former = secret(bench)
    bench.sql(f'ALTER ROLE "{former[0][:-2]}.b" CONNECTION LIMIT 0')
    with pytest.raises(DataSurfaceError, match="too many connections"):
        turned(bench, CODE)
    assert secret(bench) == former
    with bench.connect(*former):
        pass
    assert bench.sync().complete, "the staged password takes over as soon as it can"
    assert secret(bench)[0].endswith(".b")
    with bench.connect(*secret(bench)):
        pass
    assert bench.drift() == []


def test_somebody_elses_secret_under_our_name_is_left_alone(bench: SecurityBench) -> None:
    folder = bench.folder / "yellow.monitor"
    bench.vault.remove("yellow.monitor")
    folder.mkdir(mode=0o700)
    for piece, value in (("user", "grafana"), ("password", "theirs")):
        (folder / piece).write_text(value)
        (folder / piece).chmod(0o600)
    assert bench.sync().complete
    assert bench.drift() == []
    assert [one.reason for one in turned(bench, "yellow.monitor")] == ["its secret is not one of DataSurface's"]
    shut = bench.sql(f"SELECT bool_or(rolcanlogin) FROM pg_roles WHERE rolname LIKE '{bench.names.monitor}.%'")
    assert shut == [(False,)]
