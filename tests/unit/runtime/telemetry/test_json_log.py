"""Log lines as JSON: one object a line, with the batch that the thread works on, and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from datasurface.runtime.json_log import JsonFormatter
from datasurface.runtime.report import BatchReport, log_fields
from datasurface.runtime.telemetry.trace import CURRENT, Scope, Trace
from datasurface.secrets.masking import forget_all, remember

TRACE = Trace(trace_id="a" * 32, span_id="b" * 16)


def line(message: str, *, exc_info: Any = None, fields: dict[str, object] | None = None) -> dict[str, Any]:
    record = logging.LogRecord("datasurface.engine", logging.WARNING, __file__, 1, message, (), exc_info)
    if fields is not None:
        record.datasurface = fields
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_says_when_how_loud_who_and_what() -> None:
    found = line("two\nlines")
    assert found.pop("time").endswith("Z")
    assert found == {"level": "warning", "logger": "datasurface.engine", "message": "two\nlines"}


def test_a_line_of_a_batch_says_which() -> None:
    token = CURRENT.set(Scope(platform="yellow", stream="crm", trace=TRACE, batch=3))
    try:
        found = line("trying again")
    finally:
        CURRENT.reset(token)
    assert (found["platform"], found["stream"], found["batch"]) == ("yellow", "crm", 3)
    assert (found["trace_id"], found["span_id"]) == ("a" * 32, "b" * 16)
    assert "stream" not in line("after it")


def test_a_report_is_fields() -> None:
    report = BatchReport(
        stream="crm", batch_id=3, state="failed", rows_read=7, seconds=1.23456, error="no", platform="yellow"
    )
    found = line("batch stream=crm …", fields=log_fields(report))
    assert found["message"] == "batch"
    assert (found["state"], found["rows_read"], found["seconds"], found["error"]) == ("failed", 7, 1.235, "no")
    assert found["inserted"] == 0
    assert "trace_id" not in found


def test_nothing_secret_is_in_it() -> None:
    remember(["canary-7d1"])
    try:
        report = BatchReport(stream="crm", batch_id=3, state="failed", warnings=("a canary-7d1",))
        found: dict[str, Any] = {}
        try:
            int("canary-7d1 postgresql://me:other-secret@db/x")
        except ValueError:
            found = line("canary-7d1 password=unknown", exc_info=sys.exc_info(), fields=log_fields(report))
    finally:
        forget_all()
    text = json.dumps(found)
    assert "canary" not in text
    assert "unknown" not in text
    assert "other-secret" not in text
    assert "ValueError" in found["exception"]
    assert "*** postgresql://me:***@db/x" in found["exception"]
