"""Batches of a real platform as monitoring and lineage hear of them, over HTTP, decoded with the official libraries."""

from __future__ import annotations

import logging
import os
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import attr
import psycopg
import pytest
from openlineage.client import generated
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from collectors import collector
from datasurface import PII, BigInt, Column, Dataset, NotNull, OnFailure, RowCount, Snapshot, String
from datasurface.engine.batch import Step
from datasurface.runtime.job import JobRunner, report_of
from datasurface.runtime.report import log_report
from datasurface.runtime.retention import keep_tidy
from datasurface.runtime.telemetry.configure import open_telemetry
from datasurface.runtime.telemetry.events import BatchFinished, BatchStarted, Event
from datasurface.runtime.telemetry.metrics import METRICS, Kind, Source
from datasurface.runtime.telemetry.prometheus import PlatformSource, PrometheusExporter
from datasurface.runtime.telemetry.pulse import Pulse
from datasurface.runtime.telemetry.state import PlatformReader
from datasurface.runtime.telemetry.telemetry import Telemetry
from datasurface.secrets.masking import forget_all, remember
from datasurface.store.system_runs import record_system_run
from workbench import Workbench, container, environ, model, workbench

ORDERS = Dataset(
    "orders",
    columns=[Column("id", BigInt, key=True), Column("name", String(40), classification=[PII])],
    checks=[NotNull("name"), RowCount(at_most=3, on_failure=OnFailure.WARN)],
)
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass
class Kept:
    """An exporter that keeps what it is told."""

    events: list[Event] = field(default_factory=list)

    def export(self, events: Sequence[Event]) -> None:
        self.events += events

    def close(self) -> None:
        return


@dataclass
class Shop:
    source: str
    bench: Workbench

    def do(self, *statements: str) -> None:
        with psycopg.connect(self.source, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def run(self, telemetry: Telemetry) -> Any:
        job, digest = self.bench.running.job("shop")
        runner = JobRunner(self.bench.running, telemetry=telemetry, retries=())
        try:
            return runner.run(job, digest)
        finally:
            runner.close()


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    source, target = two_databases
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id bigint NOT NULL, name varchar(40))")
        connection.execute("INSERT INTO orders VALUES (1, 'a'), (2, 'b')")
    place = container("shop_db", source)
    ecosystem = model(place, container("lake", target), [ORDERS], capture=Snapshot(place, every="1 minute"))
    with workbench(ecosystem, target, tmp_path, environ(shop_db=source, lake=target)) as bench:
        yield Shop(source, bench)


def test_a_run_tells_its_beginning_its_steps_and_its_end(shop: Shop) -> None:
    kept = Kept()
    telemetry = Telemetry({"kept": kept})
    result = shop.run(telemetry)
    shop.run(telemetry)
    shop.do("UPDATE orders SET name = NULL WHERE id = 1")
    shop.run(telemetry)
    shop.do("UPDATE orders SET name = 'a'", "INSERT INTO orders VALUES (1, 'again')")
    shop.run(telemetry)
    telemetry.close()
    started = [event for event in kept.events if isinstance(event, BatchStarted)]
    ended = [event for event in kept.events if isinstance(event, BatchFinished)]
    assert [event.subject.batch_id for event in started] == [1, 2, 3, 4]
    told = [(event.subject.batch_id, event.outcome) for event in ended]
    assert told == [(1, "merged"), (2, "idle"), (3, "parked"), (3, "abandoned"), (4, "failed")]
    first = ended[0]
    assert [step.name for step in first.steps] == ["claim", Step.OPEN, Step.STAGE, Step.MERGE]
    assert sum(step.seconds for step in first.steps) <= first.seconds + 0.05
    assert (first.counts.rows_read, first.datasets["orders"].inserted) == (2, 2)
    assert first.lag is not None
    assert 0 <= first.lag < 30
    assert first.subject.trace.trace_id == result.trace_id
    assert first.subject.job.labels is not None
    assert (first.subject.job.labels.team, first.subject.job.labels.classifications) == ("sales", ("PII",))
    assert ended[2].lag is None
    assert "NULL" in ended[2].error
    assert "duplicate keys" in ended[4].error


def test_who_is_busy_is_told_without_a_batch(shop: Shop) -> None:
    kept = Kept()
    telemetry = Telemetry({"kept": kept})
    at_stage, goes_on = threading.Event(), threading.Event()

    def wait(step: Step) -> None:
        if step is Step.STAGE:
            at_stage.set()
            goes_on.wait(20)

    job, digest = shop.bench.running.job("shop")
    holder = JobRunner(shop.bench.running, observe=wait)
    thread = threading.Thread(target=holder.run, args=(job, digest))
    thread.start()
    at_stage.wait(20)
    assert shop.run(telemetry).outcome == "busy"
    goes_on.set()
    thread.join()
    holder.close()
    telemetry.close()
    (event,) = kept.events
    assert isinstance(event, BatchFinished)
    assert (event.outcome, event.subject.batch_id) == ("busy", None)


def test_a_collector_that_is_down_or_slow_harms_no_batch(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with collector() as slow:
        slow.delay = 60
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", slow.url)
        monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
        began = time.monotonic()
        with ExitStack() as stack:
            telemetry = stack.enter_context(open_telemetry(os.environ, short_lived=True))
            for _ in range(3):
                assert shop.run(telemetry).ok
            ran = time.monotonic() - began
            telemetry.close(patience=0.5)
        slow.delay = 0
    assert ran < 5
    assert {r.getMessage().split(":")[0] for r in caplog.records if r.name == "datasurface.telemetry"} == {
        "telemetry to otel",
        "telemetry to openlineage",
    }


def test_lineage_events(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run = "0190a8f2-6f5e-7cc0-9d5c-2f4b1f0a7f11"
    with collector() as marquez:
        monkeypatch.setenv("OPENLINEAGE_URL", marquez.url)
        monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"airflow://prod/daily.crm/{run}")
        remember(["b-secret-value"])
        try:
            with open_telemetry(os.environ, short_lived=True) as telemetry:
                shop.run(telemetry)
                shop.do('ALTER TABLE orders RENAME TO "b-secret-value"')
                shop.run(telemetry)
        finally:
            forget_all()
    events = [posted.json for posted in marquez.posted]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE", "START", "FAIL"]
    for event in events:
        assert_follows_the_spec(event)
        assert event["job"]["namespace"] == "datasurface.acme"
        assert event["job"]["name"] == "yellow.shop"
        parent = event["run"]["facets"]["parent"]
        assert (parent["job"]["namespace"], parent["job"]["name"]) == ("airflow://prod", "daily.crm")
        assert parent["run"]["runId"] == run
    assert events[0]["run"]["runId"] == events[1]["run"]["runId"] != events[2]["run"]["runId"]
    (read,), (written,) = events[1]["inputs"], events[1]["outputs"]
    source = shop.bench.release.platforms[0].jobs[0].source
    server = f"postgres://{source.host}:{source.port}"  # type: ignore[attr-defined]
    assert (read["namespace"], read["name"]) == (server, f"{source.database}.public.orders")  # type: ignore[attr-defined]
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 2
    assert [(a["assertion"], a["success"]) for a in read["inputFacets"]["dataQualityAssertions"]["assertions"]] == [
        ("NotNull", True),
        ("RowCount", True),
    ]
    assert written["namespace"] == server
    assert written["name"].endswith(".ds_yellow.shop.orders")
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 2
    facets = written["facets"]
    assert [(f["name"], f["type"]) for f in facets["schema"]["fields"]] == [("id", "BigInt"), ("name", "String(40)")]
    assert facets["columnLineage"]["fields"]["name"]["inputFields"][0]["field"] == "name"
    assert facets["symlinks"]["identifiers"][0]["name"].endswith(".reports_all.shop_orders")
    tags = {(t["key"], t["value"], t.get("field")) for t in facets["tags"]["tags"]}
    assert {("classification", "PII", "name"), ("team", "sales", None), ("zone", "usa", None)} <= tags
    assert facets["ownership"]["owners"][0]["name"] == "github:acme/model@main"
    message = events[3]["run"]["facets"]["errorMessage"]["message"]
    assert "orders" in message
    assert "b-secret-value" not in marquez.everything


def assert_follows_the_spec(event: dict[str, Any]) -> None:
    """Read an event back with the classes that the client's makers generate from the spec's JSON schemas."""
    assert event["schemaURL"].startswith("https://openlineage.io/spec/2-")
    groups = [event["run"]["facets"], event["job"]["facets"]]
    for dataset in (*event["inputs"], *event["outputs"]):
        groups += [dataset.get(name, {}) for name in ("facets", "inputFacets", "outputFacets")]
    names = {facet["_schemaURL"].rpartition("/")[2] for group in groups for facet in group.values()}
    known = _generated()
    assert names <= known.keys()
    for group in groups:
        for facet in group.values():
            assert facet["_producer"].startswith("https://")
            made = known[facet["_schemaURL"].rpartition("/")[2]]
            assert facet["_schemaURL"] == made._get_schema()
            fields = {a.name: a for a in made.__attrs_attrs__}
            given = {key for key in facet if not key.startswith("_")}
            assert given <= fields.keys()
            required = {n for n, a in fields.items() if a.default is attr.NOTHING and not n.startswith("_")}
            assert required <= given


def _generated() -> dict[str, Any]:
    modules = [import_module(f"{generated.__name__}.{path.stem}") for path in Path(generated.__path__[0]).glob("*.py")]
    made = [value for module in modules for value in vars(module).values()]
    return {each.__name__: each for each in made if attr.has(each) and hasattr(each, "_get_schema")}


def test_traces_and_logs_go_on_with_the_trace_of_who_asked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "datasurface")
    with collector() as otel:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otel.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary-token")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod")
        monkeypatch.setenv("TRACEPARENT", PARENT)
        with open_telemetry(os.environ, short_lived=True) as telemetry:
            log_report(report_of(shop.run(telemetry)))
            shop.do("INSERT INTO orders VALUES (1, 'again')")
            log_report(report_of(shop.run(telemetry)))
    traces = [ExportTraceServiceRequest.FromString(p.body) for p in otel.posted if p.path == "/v1/traces"]
    resource = _values(traces[0].resource_spans[0].resource.attributes)
    assert resource["service.name"] == "datasurface"
    assert resource["deployment.environment.name"] == "prod"
    assert all(p.headers["authorization"] == "Bearer canary-token" for p in otel.posted)
    spans = [s for t in traces for r in t.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert {s.trace_id.hex() for s in spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    batches = [s for s in spans if s.name == "batch shop"]
    assert [s.parent_span_id.hex() for s in batches] == ["00f067aa0ba902b7"] * 2
    steps = [s.name for s in spans if s.parent_span_id == batches[0].span_id]
    assert steps == ["claim shop", "open shop", "stage shop", "merge shop"]
    said = _values(batches[0].attributes)
    assert said["db.system.name"] == "postgresql"
    assert said["datasurface.stream"] == "shop"
    assert said["datasurface.rows.inserted"] == 2
    assert said["datasurface.classifications"] == ["PII"]
    assert (batches[0].status.code, batches[1].status.code) == (1, 2)
    assert "duplicate keys" in batches[1].status.message
    assert all(s.end_time_unix_nano >= s.start_time_unix_nano for s in spans)
    logs = [ExportLogsServiceRequest.FromString(p.body) for p in otel.posted if p.path == "/v1/logs"]
    lines = [line for x in logs for r in x.resource_logs for scope in r.scope_logs for line in scope.log_records]
    reports = [line for line in lines if line.body.string_value == "batch"]
    assert [line.severity_text for line in reports] == ["INFO", "ERROR"]
    assert {line.trace_id.hex() for line in reports} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert _values(reports[1].attributes)["datasurface.state"] == "failed"
    assert "canary-token" not in "".join(p.body.decode(errors="replace") for p in otel.posted)
    with collector() as otel:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otel.url)
        monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
        monkeypatch.setenv("TRACEPARENT", PARENT[:-2] + "00")
        with open_telemetry(os.environ, short_lived=True) as telemetry:
            shop.run(telemetry)
    assert otel.posted == [], "what is not sampled is not sent"


def test_metrics_are_scraped_over_http(shop: Shop) -> None:
    pulse = Pulse("yellow")
    exporter = PrometheusExporter(process=True)
    telemetry = Telemetry({"prometheus": exporter})
    try:
        port = exporter.serve("127.0.0.1", 0)
        exporter.add(PlatformSource(reader=PlatformReader(shop.bench.running), pulse=pulse))
        shop.run(telemetry)
        shop.run(telemetry)
        shop.do("INSERT INTO orders VALUES (1, 'again')")
        shop.run(telemetry)
        pulse.looked(_now(), due=2, running=1)
        found = scrape(port)
        where = {"environment": "", "platform": "yellow"}
        stream = {**where, "stream": "shop"}
        assert found["datasurface_platform_up", _key(where)] == 1
        assert found["datasurface_batches_total", _key({**stream, "outcome": "merged"})] == 1
        assert found["datasurface_batches_total", _key({**stream, "outcome": "idle"})] == 1
        assert found["datasurface_batches_total", _key({**stream, "outcome": "failed"})] == 1
        assert found["datasurface_batch_rows_total", _key({**stream, "action": "read"})] >= 4
        assert found["datasurface_stream_rows", _key(stream)] == 2
        assert found["datasurface_stream_state", _key({**stream, "state": "failed"})] == 1
        assert 0 <= found["datasurface_stream_lag_seconds", _key(stream)] < 60
        assert found["datasurface_stream_lag_limit_seconds", _key(stream)] == 86400
        assert found["datasurface_streams_due", _key(where)] == 2
        assert found["datasurface_database_connections", _key(where)] >= 1
        assert found["datasurface_database_size_bytes", _key(where)] > 1_000_000
        assert found["datasurface_batch_duration_seconds_count", _key({**where, "outcome": "merged"})] == 1
        info = next(dict(labels) for name, labels in found if name == "datasurface_stream_info")
        assert (info["zone"], info["team"], info["classifications"]) == ("usa", "sales", "PII")
        assert (info["production"], info["deprecated"], info["every"]) == ("false", "false", "1 minute")
        assert any(name == "process_resident_memory_bytes" for name, _ in found)
        declared = {series for metric in METRICS for series in metric.series}
        exported = {name for name, _ in found if name.startswith("datasurface_") and not name.endswith("_created")}
        assert exported <= declared
    finally:
        telemetry.close()


def test_every_metric_of_the_platforms_is_exported(shop: Shop) -> None:
    running = shop.bench.running
    shop.run(Telemetry({}))
    with running.store.engine.begin() as connection:
        record_system_run(connection, running.schema, "audit", error="crm orders: 1 keys wrong")
    exporter = PrometheusExporter(process=False)
    exporter.add(PlatformSource(reader=PlatformReader(running)))
    families = {family.name: family for family in text_string_to_metric_families(exporter.text())}
    expected = {m.name.removesuffix("_total") for m in METRICS if m.source is Source.PLATFORM}
    assert expected - families.keys() <= {"datasurface_stream_last_batch_memory_bytes"}
    for metric in METRICS:
        family = families.get(metric.name.removesuffix("_total"))
        if family is not None:
            assert family.type == ("counter" if metric.kind is Kind.COUNTER else "gauge")
            assert family.documentation == metric.help
            assert all(set(sample.labels) == set(metric.labels) for sample in family.samples)
    where = {"environment": "", "platform": "yellow", "task": "audit"}
    assert families["datasurface_system_job_ok"].samples[0][1:3] == (where, 0.0)
    shop.run(Telemetry({}))
    shop.run(Telemetry({}))
    before = _counters(running)
    assert keep_tidy(running, _now() + timedelta(days=500)).batches == 2
    assert _counters(running) == before, "counters do not fall when the ledger forgets"
    assert _without_database(shop)["datasurface_platform_up"].samples[0].value == 0


def _counters(running: Any) -> dict[Any, float]:
    exporter = PrometheusExporter(process=False)
    exporter.add(PlatformSource(reader=PlatformReader(running)))
    return {
        (sample.name, _key(sample.labels)): sample.value
        for family in text_string_to_metric_families(exporter.text())
        if family.type == "counter"
        for sample in family.samples
    }


def _without_database(shop: Shop) -> dict[str, Any]:
    """Return the metrics while the merge database takes no connections."""
    exporter = PrometheusExporter(process=False)
    exporter.add(PlatformSource(reader=PlatformReader(shop.bench.running)))
    target = shop.bench.target
    name = target.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(target.replace(f"/{name}", "/postgres", 1), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        families = {f.name: f for f in text_string_to_metric_families(exporter.text())}
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    assert "datasurface_stream_state" not in families
    return families


def scrape(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Scrape /metrics as Prometheus does, and read it with the official parser."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, _key(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)


def _now() -> datetime:
    return datetime.now(UTC)
