"""`run --once` and what follows a bad day: exit codes, parked batches, streams that are out of reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from command_line import Project, project

NOWHERE = 'PostgresDatabase("gone", host="127.0.0.1", port=1, database="nothing")'


@pytest.fixture
def shop() -> Iterator[Project]:
    with project() as made:
        yield made


def test_an_embedded_platform_applies_itself_the_first_time(shop: Project) -> None:
    done = shop.run("run", "--once")
    assert "applied release" in done.stderr
    assert "stream=crm batch=1 state=merged read=20 inserted=20" in done.stderr
    assert done.stdout == "1 stream: 1 merged; 20 rows changed\n"
    again = shop.run("run", "--once")
    assert "applied" not in again.stderr
    assert again.stdout == "1 stream: 1 idle; 0 rows changed\n"
    assert shop.run("run", "--once", "--due").stdout == "no stream is due\n"
    shop.model('[store("crm", every="2 hours")]')
    assert shop.run("run", "--once").stderr.count("the model folder has moved on") == 1
    assert shop.json("status")["platforms"][0]["up_to_date"] is False


def test_wrong_use_is_told(shop: Project) -> None:
    shop.model('[store("crm"), store("erp", every=External())]')
    unknown = shop.run("run", "--once", "--stream", "nope", code=2)
    assert "the streams are crm, erp" in unknown.stderr
    assert "--once" in shop.run("run", "--stream", "erp", code=2).stderr
    assert "the platforms are yellow" in shop.run("status", "--platform", "blue", code=2).stderr
    shop.run("run", "--due", code=2)
    for verb in ("history", "explain", "reset", "resnapshot", "accept"):
        assert "the streams are crm, erp" in shop.run(verb, "nope", code=2).stderr
    assert shop.run("run", "--once", "--due").stdout == "1 stream: 1 merged; 20 rows changed\n"
    assert "on demand only" in shop.run("explain", "erp").stdout
    assert "stream=erp batch=1 state=merged" in shop.run("run", "--once", "--stream", "erp").stderr


def test_a_merge_database_out_of_reach_ends_with_2(shop: Project) -> None:
    shop.model('[store("crm")]', platform=NOWHERE)
    for command in (["plan"], ["apply", "--yes"], ["run", "--once"], ["run"], ["status"], ["history", "crm"]):
        done = shop.run(*command, code=2)
        assert "DS-303" in done.stderr
        assert "127.0.0.1" in done.stderr
    failing = shop.json("doctor", code=1)
    assert failing["ok"] is False
    assert any(c["verdict"] == "fail" and "does not answer" in c["detail"] for c in failing["checks"])


def test_nothing_active_on_a_platform_that_others_may_use(shop: Project) -> None:
    shop.run("local", "start")
    host = shop.uri().partition("@")[2].partition("/")[0].partition(":")
    user, _, password = shop.uri().partition("//")[2].partition("@")[0].partition(":")
    shop.environ |= {"DATASURFACE_HUB_USER": user, "DATASURFACE_HUB_PASSWORD": password}
    hub = f'PostgresDatabase("hub", host="{host[0]}", port={host[2]}, database="acme", credential="hub")'
    shop.model('[store("crm")]', platform=hub)
    for command in (["run"], ["run", "--once"], ["history", "crm"], ["connect", "reports"]):
        assert "datasurface apply" in shop.run(*command, code=2).stderr
    shop.run("apply", "--yes")
    shop.run("run", "--once")
    uri = shop.run("connect", "reports")
    assert uri.stdout == f"postgresql://{host[0]}:{host[2]}/acme\n"
    assert "SELECT on reports_all" in uri.stderr
    assert password not in shop.run("connect").stdout
    del shop.environ["DATASURFACE_HUB_PASSWORD"]
    assert "DATASURFACE_HUB_PASSWORD" in shop.run("status", code=2).stderr


def test_a_source_out_of_reach_fails_its_streams_only(shop: Project) -> None:
    shop.model(f'[store("crm"), store("lost", source={NOWHERE})]')
    done = shop.run("run", "--once", code=1)
    assert done.stdout == "2 streams: 1 failed, 1 merged; 20 rows changed\n"
    states = {s["stream"]: s["state"] for s in shop.json("status")["platforms"][0]["streams"]}
    assert states == {"crm": "merged", "lost": "failed"}
    now = shop.json("explain", "lost")["explanations"][0]["now"]
    assert any("failed" in sentence and "cannot connect" in sentence for sentence in now)


def test_a_parked_batch_is_looked_at_accepted_and_given_up(shop: Project) -> None:
    shop.run("run", "--once")
    shop.run("accept", "crm", code=2)
    shop.rows(0)
    assert "state=parked" in shop.run("run", "--once", code=1).stderr
    assert "the source is empty" in shop.run("status").stdout
    assert "datasurface accept crm" in shop.run("explain", "crm").stdout
    assert shop.query("SELECT count(*) FROM reports_all.crm_orders") == [(20,)]
    assert "batch 2 of stream crm, which was parked, is given up" in shop.run("reset", "crm").stdout
    assert "nothing to give up" in shop.run("reset", "crm").stdout
    shop.run("accept", "crm", code=2)
    assert "state=parked" in shop.run("resnapshot", "crm", code=1).stdout
    assert "state=merged" in shop.run("accept", "crm").stdout
    assert shop.query("SELECT count(*) FROM reports_all.crm_orders") == [(0,)]
    batches = shop.json("history", "crm")["batches"]
    assert [(b["batch"], b["state"], b["deleted"]) for b in batches] == [
        (3, "merged", 20),
        (2, "abandoned", 0),
        (1, "merged", 0),
    ]
    assert batches[0]["datasets"] == [{"dataset": "orders", "rows_read": 0, "inserted": 0, "updated": 0, "deleted": 20}]
    assert len(shop.json("history", "crm", "--limit", "1")["batches"]) == 1
    assert "orders" in shop.run("history", "crm", "--datasets").stdout
