from __future__ import annotations

import io
import logging
import re
import shlex
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface.runtime.report import BatchReport, console_handler, exit_code, log_line, log_report


def report(state: str = "merged", error: str = "") -> BatchReport:
    return BatchReport(
        stream="crm",
        batch_id=12,
        state=state,
        rows_read=1000,
        inserted=3,
        updated=2,
        deleted=1,
        seconds=0.4249,
        error=error,
    )


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("datasurface")
    handler, level = console_handler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_batch_is_one_line_of_pairs():
    assert log_line(report()) == (
        "batch stream=crm batch=12 state=merged read=1000 inserted=3 updated=2 deleted=1 seconds=0.42"
    )


def test_a_run_without_a_batch_has_no_number():
    line = log_line(BatchReport(stream="crm.orders", batch_id=None, state="busy"))
    assert line.startswith("batch stream=crm.orders state=busy read=0")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("boom", "error=boom"),
        ("two words", 'error="two words"'),
        ('say "no"', r'error="say \"no\""'),
        ("a=b", 'error="a=b"'),
        ("line\nbreak\r\n", r'error="line\nbreak\r\n"'),
        ("back\\slash", r'error="back\\slash"'),
        ("\x1b[31mred\x7f\x9b", r'error="\u001b[31mred\u007f\u009b"'),
        ("Müller fehlt", 'error="Müller fehlt"'),
        ("next\u2028line \ud800", r'error="next\u2028line \ud800"'),
    ],
)
def test_values_are_quoted_and_escaped(error: str, told: str):
    assert log_line(report("failed", error)).endswith(" " + told)


@given(st.text(st.characters(codec=None)))
def test_a_line_is_one_line_and_can_be_written_anywhere(error: str):
    line = log_line(report("failed", error))
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    line.encode()


@pytest.mark.parametrize(
    "error",
    [
        "cannot connect to postgresql://crm:s3cr3t@db.example/crm",
        "cannot connect to postgresql://crm:s3cr3t@home@db.example/crm",
        "conninfo host=db password=s3cr3t user=crm",
        "conninfo host=db password = 's3cr3t x' user=crm",
        '{"user": "crm", "password": "s3cr3t"}',
        "https://api.example/?token=s3cr3t&x=1",
    ],
)
def test_secrets_in_an_error_are_masked(error: str):
    line = log_line(report("failed", error))
    assert "s3cr3t" not in line
    assert "***" in line


@pytest.mark.parametrize(
    "error", ["password authentication failed for user crm", "secret: not found", "source at http://db:5432/x", "a@b.c"]
)
def test_what_is_no_secret_is_left_alone(error: str):
    assert shlex.split(log_line(report("failed", error)))[-1] == f"error={error}"


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], 0),
        (["merged", "idle"], 0),
        (["merged", "failed"], 1),
        (["parked"], 1),
        (["busy"], 1),
        (["abandoned"], 1),
    ],
)
def test_exit_code(states: list[str], code: int):
    assert exit_code([report(state) for state in states]) == code


@pytest.mark.parametrize(
    ("state", "level"), [("merged", "INFO"), ("idle", "INFO"), ("parked", "WARNING"), ("failed", "ERROR")]
)
def test_a_report_is_logged_to_the_present_standard_error(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, state: str, level: str
):
    assert logger.handlers
    monkeypatch.setattr(sys, "stderr", stderr := io.StringIO())
    log_report(report(state, "100%s"))
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ {level} batch stream=crm .*\n", stderr.getvalue())
