"""Monitoring as a user switches it on: metrics of the scheduler and the ledger, JSON logs, traces; no secret in it."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from collectors import collector
from command_line import Project, project
from datasurface.release.platform_file import platform_file
from datasurface.runtime.folder import read_folder

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def shop() -> Iterator[Project]:
    with project() as made:
        yield made


def values(text: str) -> dict[str, float]:
    """Return the samples whose labels have no stream, or the stream crm, by name and state or outcome."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            words = [sample.labels[name] for name in ("outcome", "state", "action") if name in sample.labels]
            found[" ".join([sample.name, *words])] = sample.value
    return found


def scraped(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
    return text


def test_a_scheduler_that_is_watched(shop: Project) -> None:
    shop.model('[store("crm", every="1 second")]')
    with collector() as everything:
        shop.environ |= {
            "DATASURFACE_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": everything.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20canary-header",
            "OPENLINEAGE_URL": everything.url,
            "OPENLINEAGE_API_KEY": "canary-api-key",
            "TRACEPARENT": PARENT,
        }
        with shop.running("run", "--metrics-port", "0") as running:
            running.until(r"metrics at http")
            url = re.search(r"http://127\.0\.0\.1:\d+/metrics", running.said)[0]  # type: ignore[index]
            everything.until(lambda posted: sum(p.path == "/api/v1/lineage" for p in posted) >= 6, 60)
            metrics = scraped(url)
            running.signal(signal.SIGTERM)
            assert running.code() == 0
            lines = [json.loads(line) for line in running.said.splitlines()]
        secrets = {p.read_text().strip() for p in shop.folder.glob(".datasurface/**/password") if p.is_file()}
    found = values(metrics)
    assert found["datasurface_platform_up"] == 1
    assert found["datasurface_batches_total merged"] == 1
    assert found["datasurface_batches_total idle"] >= 1
    assert found["datasurface_batch_rows_total inserted"] == 20
    assert found["datasurface_dispatch_lag_seconds_count"] >= 2
    assert found["datasurface_scheduler_heartbeat_timestamp_seconds"] > 1e9
    assert found["process_resident_memory_bytes"] > 1e6
    batches = [line for line in lines if line["message"] == "batch"]
    assert [line["state"] for line in batches[:2]] == ["merged", "idle"]
    assert {(line["platform"], line["stream"]) for line in batches} == {("yellow", "crm")}
    traces = {line["trace_id"] for line in batches}
    assert len(traces) == len(batches), "a process that goes on has a trace for each batch"
    assert "4bf92f3577b34da6a3ce929d0e0e4736" not in traces
    sent = [ExportTraceServiceRequest.FromString(p.body) for p in everything.posted if p.path == "/v1/traces"]
    spans = [s for t in sent for r in t.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert {s.trace_id.hex() for s in spans} <= traces
    told = metrics + running.said + "".join(p.body.decode(errors="replace") for p in everything.posted)
    for secret in {"canary-header", "canary-api-key", *secrets}:
        assert secret not in told


def test_what_jobs_came_to_is_told_by_the_ledger(shop: Project) -> None:
    shop.run("apply", "--yes")
    path = shop.folder / "yellow.json"
    path.write_text(platform_file(read_folder(shop.folder, None, shop.environ).release.platforms[0]))
    with collector() as otel:
        shop.run(
            *("job", "crm", "--platform-file", "yellow.json", "--log-format", "json"),
            OTEL_EXPORTER_OTLP_ENDPOINT=otel.url,
            OTEL_LOGS_EXPORTER="none",
            TRACEPARENT=PARENT,
        )
    (request,) = [ExportTraceServiceRequest.FromString(p.body) for p in otel.posted]
    spans = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert {s.trace_id.hex() for s in spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    shop.run("job", "--system", "retention", "--platform-file", "yellow.json", code=99)
    printed = shop.run("metrics").stdout
    with shop.running("metrics", "--port", "0", "--platform-file", "yellow.json") as exporter:
        exporter.until(r"metrics at http")
        served = scraped(re.search(r"http://\S+/metrics", exporter.said)[0])  # type: ignore[index]
        exporter.signal(signal.SIGTERM)
        assert exporter.code() == 0
    for found in (values(printed), values(served)):
        assert found["datasurface_batches_total merged"] == 1
        assert found["datasurface_stream_state merged"] == 1
        assert found["datasurface_system_job_ok"] == 1
        assert found["datasurface_stream_last_batch_memory_bytes"] > 1e6


def test_wrong_use_is_said(shop: Project) -> None:
    assert "goes without --once" in shop.run("run", "--once", "--metrics-port", "1", code=2).stderr
    wrong = shop.run("run", "--once", code=2, DATASURFACE_LOG_FORMAT="xml").stderr
    assert "DATASURFACE_LOG_FORMAT is 'xml'; it may be text or json" in wrong
    assert (
        "exporter 'nobody' that does not exist"
        in shop.run("run", "--once", code=2, DATASURFACE_TELEMETRY="nobody").stderr
    )
