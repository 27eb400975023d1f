"""What the doctor makes of what it sees."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datasurface import PostgresDatabase, SqliteDatabase
from datasurface.runtime.doctor import Verdict, examine
from datasurface.runtime.doctor.containers import network, version
from datasurface.runtime.doctor.examine import streams
from datasurface.runtime.doctor.machine import extras, memory
from datasurface.runtime.facts import PlatformFacts, StreamFacts


@pytest.mark.parametrize(
    ("number", "verdict"), [(13, Verdict.FAIL), (14, Verdict.PASS), (18, Verdict.PASS), (19, Verdict.WARN)]
)
def test_versions(number: int, verdict: Verdict) -> None:
    assert version("db", (number, 2), "postgresql").verdict is verdict


def test_a_port_that_answers_and_one_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        answers = network(PostgresDatabase("db", host="127.0.0.1", port=port, database="d"))
        assert answers is not None
        assert answers.verdict is Verdict.PASS
    silent = network(PostgresDatabase("db", host="127.0.0.1", port=port, database="d"))
    assert silent is not None
    assert silent.verdict is Verdict.FAIL
    assert silent.remedy
    assert network(SqliteDatabase("file", path="x.db")) is None


def test_memory(tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 9000000 kB\nMemAvailable:     100000 kB\n")
    assert memory(told).verdict is Verdict.WARN
    told.write_text("MemAvailable:     4000000 kB\n")
    assert memory(told).verdict is Verdict.PASS
    assert memory(tmp_path / "absent").verdict is Verdict.PASS


def test_only_an_extra_that_is_needed_can_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    found = {check.subject: check for check in extras({"cron"})}
    assert found["extra cron"].verdict is Verdict.FAIL
    assert found["extra cron"].remedy == 'pip install "datasurface[cron]"'
    assert found["extra local"].verdict is Verdict.PASS


def test_releases_and_silent_owners() -> None:
    silent = StreamFacts(stream="crm", owner="process 1 on box", silent=120)
    facts = PlatformFacts(now=datetime(2024, 1, 1, tzinfo=UTC), active="a" * 64, streams={"crm": silent})
    release, stream = streams("yellow", facts, "b" * 64)
    assert release.verdict is Verdict.WARN
    assert "moved on" in release.detail
    assert stream.verdict is Verdict.WARN
    assert "process 1 on box" in stream.detail


def test_a_folder_without_a_model_still_gets_the_machine_examined(tmp_path: Path) -> None:
    found = list(examine(tmp_path, None, {}))
    assert found[0].subject == "model"
    assert found[0].verdict is Verdict.FAIL
    assert "Python" in {check.subject for check in found}


MODEL = """
from datasurface import *

here = PostgresDatabase("here", host="127.0.0.1", port=1, database="d", credential="own")
out = Datastore("sums", datasets=[Dataset("total", columns=[Column("n", BigInt, key=True)])])
ecosystem = Ecosystem("acme", owner=LocalRepository("."),
    platforms=[YellowPlatform("yellow", container=here, secrets=["environment", FileSecrets("kept")])],
    zones=[GovernanceZone("z", teams=[Team("t",
        datastores=[Datastore("crm", capture=Snapshot(here, credential="reader"),
            datasets=[Dataset("orders", columns=[Column("id", BigInt, key=True)])])],
        workspaces=[
            Workspace("add", groups=[DatasetGroup("in", sinks=["crm.orders"])],
                transformer=DataTransformer("add_up", code=SqlQueries({"total": "select 1 as n"}), output=out,
                    secrets={"api": "api_key"})),
            Workspace("reports", groups=[DatasetGroup("live", sinks=["sums.total"])])])])])
"""


def test_each_secret_is_found_in_a_store_that_is_named_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "eco.py").write_text(MODEL)
    (tmp_path / "kept" / "api_key").mkdir(parents=True, mode=0o700)
    (tmp_path / "kept").chmod(0o700)
    for piece in ("user", "password"):
        (tmp_path / "kept" / "api_key" / piece).write_text("hunter2-never-shown")
        (tmp_path / "kept" / "api_key" / piece).chmod(0o600)
    environ = {"DATASURFACE_OWN_USER": "u", "DATASURFACE_OWN_PASSWORD": "hunter2-never-shown"}
    checks = list(examine(tmp_path, None, environ))
    found = {check.subject: check for check in checks if check.subject.startswith("secret ")}
    assert found["secret own"].detail == "found in environment (password)"
    assert found["secret api_key"].detail == "found in files(path=kept) (password)"
    assert found["secret reader"].verdict is Verdict.FAIL
    assert "DATASURFACE_READER_USER" in found["secret reader"].detail
    login = found["secret yellow.transformer.add"]
    assert (login.verdict, login.remedy) == (Verdict.WARN, "run `datasurface security sync`")
    assert "hunter2" not in "".join(str(check.to_json()) + repr(check) for check in checks)


def test_an_extra_that_a_chosen_store_needs_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    found = {check.subject: check for check in extras({"aws"})}
    assert found["extra aws"].remedy == 'pip install "datasurface[aws]"'
    assert found["extra azure"].verdict is Verdict.PASS
