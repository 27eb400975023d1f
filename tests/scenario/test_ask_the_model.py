"""The system's own datastores from end to end: applied, run, changed, run again; all questions of the page answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from typing import Any

import psycopg
import pytest

from asking import ANSWERS, MODEL, Question, questions
from command_line import Project, project

SOURCES = {
    "crm.db": """
        CREATE TABLE customers (customer_id bigint PRIMARY KEY, email varchar(80), country varchar(2));
        CREATE TABLE orders (order_id bigint PRIMARY KEY, customer_id bigint, amount decimal(12, 2));
        CREATE TABLE leads (lead_id bigint PRIMARY KEY);
        INSERT INTO customers VALUES (7, 'ann@example.org', 'de'), (8, 'bob@example.org', 'fr');
        INSERT INTO orders VALUES (1, 7, 12.5), (2, 8, 3.25), (3, 7, 1);
        INSERT INTO leads VALUES (1);
    """,
    "erp.db": """
        CREATE TABLE stock (item_id bigint PRIMARY KEY, amount integer);
        CREATE TABLE items (item_id bigint PRIMARY KEY, title varchar(40));
        INSERT INTO stock VALUES (1, 5);
    """,
}
ASKED = {question.number: question for question in questions()}
WIDER = ("EMAIL = String(80)", "EMAIL = String(120)")
MORE = ("EXTRA = []", 'EXTRA = [Column("phone", String(20), classification=[PII])]')
PHONE = "ALTER TABLE customers ADD COLUMN phone varchar(20)"


def write(made: Project, *changes: tuple[str, str]) -> None:
    text = MODEL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (made.folder / "eco.py").write_text(text)


def source(made: Project, name: str, script: str) -> None:
    with closing(sqlite3.connect(made.folder / name)) as connection:
        connection.executescript(script)


def once(made: Project, code: int = 0) -> None:
    made.run("run", "--once", code=code)


@pytest.fixture(scope="module")
def asked() -> Iterator[Project]:
    """A project that ran under two releases, with a failure, a login that reads, and an audit of one stream."""
    with project() as made:
        made.environ["DATASURFACE_RATES_API_USER"] = made.environ["DATASURFACE_RATES_API_PASSWORD"] = "rates"
        (made.folder / "parts.py").unlink()
        for name, script in SOURCES.items():
            source(made, name, script)
        write(made)
        once(made)
        source(made, "crm.db", PHONE)
        write(made, WIDER, MORE)
        made.run("apply", "--yes")
        source(made, "erp.db", "ALTER TABLE stock RENAME TO gone")
        made.run("audit", "crm.orders")
        made.query("CREATE ROLE auditors; CREATE ROLE eve LOGIN IN ROLE auditors; CREATE ROLE idle LOGIN")
        made.query(
            "GRANT USAGE ON SCHEMA reports_audit TO auditors; "
            "GRANT SELECT ON reports_audit.crm_customers TO auditors; "
            "GRANT SELECT ON reports_audit.crm_customers TO idle"
        )
        once(made, code=1)
        made.run("run", "--once", "--stream", "datasurface_operations")
        yield made


def answer(made: Project, sql: str) -> list[tuple[Any, ...]]:
    """Ask in the database, as somebody who looks into both schemas of the workspace."""
    with psycopg.connect(_uri(made)) as connection:
        connection.execute("SET search_path TO ask_model, ask_operations")
        return connection.execute(sql.encode()).fetchall()


@cache
def _uri(made: Project) -> str:
    return made.uri()


@pytest.mark.parametrize("number", [n for n in ANSWERS if n not in {2, 3}], ids=lambda n: ASKED[n].title)
def test_consumers_get_the_answers_that_the_model_gives(asked: Project, number: int) -> None:
    assert answer(asked, ASKED[number].sql) == ANSWERS[number]


def test_personal_data_is_found_where_it_is(asked: Project) -> None:
    found = answer(asked, ASKED[2].sql)
    assert {row[2] for row in found} == {"email", "phone"}, "the second release has one more"
    assert set(ANSWERS[2]) < set(found)
    assert [row[4:] for row in answer(asked, ASKED[3].sql)] == [("email", "ada"), ("phone", "ada")]


def digests(made: Project) -> list[str]:
    return [row[0] for row in answer(made, "SELECT digest FROM datasurface_model_releases ORDER BY published_at")]


def test_what_changed_between_two_releases(asked: Project) -> None:
    internal = ("PII",)
    assert answer(asked, ASKED[14].sql) == [
        ("crm", "customers", "email", "changed", "String(80)", "String(120)", *internal, *internal),
        ("crm", "customers", "phone", "added", None, "String(20)", None, *internal),
    ]
    old, new = digests(asked)
    (active,) = answer(asked, "SELECT digest FROM datasurface_model_release")
    assert active == (new,)
    assert answer(asked, "SELECT previous FROM datasurface_model_releases ORDER BY published_at") == [(None,), (old,)]


def test_since_when_a_column_is_so(asked: Project) -> None:
    old, new = digests(asked)
    found = answer(asked, ASKED[15].sql)
    assert [(row[0], row[3]) for row in found] == [("String(80)", old), ("String(120)", new)]
    assert found[0][5] == found[1][4]
    assert found[1][5] is None


def test_which_streams_are_late_and_whom_that_hurts(asked: Project) -> None:
    assert answer(asked, ASKED[16].sql) == [], "nothing is late yet"
    later = ASKED[16].sql.replace("now()", "(now() + interval '10 minutes')")
    assert [row[1:2] + row[3:] for row in answer(asked, later)] == [
        ("crm.customers", "reports", "audit", "critical"),
        ("crm.customers", "reports", "live", "critical"),
        ("crm.orders", "reports", "live", "critical"),
        ("crm.leads", "dashboard", "all", "high"),
        ("crm.orders", "dashboard", "all", "high"),
        ("crm.orders", "maker", "input", "medium"),
    ]


def test_who_could_read_a_row(asked: Project) -> None:
    question = ASKED[17].sql
    assert answer(asked, question) == [], "nobody in March, when there was nothing"
    now = question.replace("2026-03-01", "2000-01-01").replace("2026-04-01", "2100-01-01")
    found = answer(asked, now)
    assert ("eve", "auditors", "reports_audit", "crm_customers") in found
    assert ("idle", "idle", "reports_audit", "crm_customers") not in found, "it may not use the schema"
    assert "auditors" not in {row[0] for row in found}, "nobody can log in as it"
    assert any(row[1] == "superuser" for row in found)
    assert answer(asked, now.replace("customer_id = 7", "customer_id = 99")) == []


def test_what_failed_and_has_not_recovered(asked: Project) -> None:
    ((platform, stream, failures, _last, error, owner),) = answer(asked, ASKED[18].sql)
    assert (platform, stream, failures, owner) == ("yellow", "erp", 1, "acme/eu")
    assert "stock" in error


def test_what_was_never_audited(asked: Project) -> None:
    found = answer(asked, ASKED[19].sql)
    assert {row[1] for row in found} == {"crm.customers", "crm.leads", "erp"}
    assert {row[3:] for row in found} == {(None, None)}


def test_how_much_changes(asked: Project) -> None:
    found = {(row[0], row[1]): row[2:] for row in answer(asked, ASKED[20].sql)}
    assert found["crm.orders", "orders"] == (1, 3, 3), "idle batches are not told"
    assert found["margins", "daily"] == (1, 3, 3)


def test_which_data_checks_did_not_pass(asked: Project) -> None:
    (found,) = answer(asked, ASKED[21].sql)
    assert found[:4] == ("crm.orders", "orders", "in_range(amount)", "InRange")
    assert found[5:] == (1, "1 row out of range in amount: order_id=1")


def test_which_release_was_active_when(asked: Project) -> None:
    found = answer(asked, ASKED[22].sql)
    assert [(row[0], row[2]) for row in found] == list(zip(digests(asked), (False, True), strict=True))
    assert found[0][3] > 5
    assert found[1][3] >= 2


def test_who_changed_access(asked: Project) -> None:
    found = answer(asked, ASKED[23].sql)
    assert {row[5] for row in found} <= set(digests(asked))
    assert any("reports_audit" in row[3] + row[4] for row in found)
    assert all("process" in row[1] for row in found)


def test_places_and_findings_come_along(asked: Project) -> None:
    ((file, line),) = answer(asked, "SELECT file, line FROM datasurface_model_datastores WHERE name = 'crm'")
    assert file == "eco.py"
    assert (asked.folder / "eco.py").read_text().splitlines()[line - 1] == "crm = Datastore("
    codes = answer(asked, "SELECT DISTINCT code FROM datasurface_model_findings")
    assert {code for (code,) in codes} >= {"DS-A003", "DS-A004"}


def test_the_same_release_is_not_written_twice(asked: Project) -> None:
    made = "SELECT max(batch_id) FROM ds_yellow.ledger WHERE stream = 'datasurface_model'"
    before = asked.query(made)
    once(asked, code=1)
    assert asked.query(made) == before == [(2,)]


def test_a_scheduler_that_runs_writes_a_new_release_by_itself(asked: Project) -> None:
    write(asked, WIDER, MORE, ("use crm.customers", "use crm.customers by 2027"))
    with asked.running("run") as scheduler:
        scheduler.until("following the schedules")
        asked.run("apply", "--yes")
        scheduler.until("stream=datasurface_model batch=3 state=merged")
    assert len(digests(asked)) == 3
    asked_for = "SELECT deprecated FROM datasurface_model_datasets WHERE name = 'leads'"
    assert answer(asked, asked_for) == [("use crm.customers by 2027",)]


def test_every_question_is_asked_here() -> None:
    here = {*ANSWERS, *range(14, 25)}
    assert sorted(ASKED) == sorted(here)
    assert all(isinstance(question, Question) for question in ASKED.values())
