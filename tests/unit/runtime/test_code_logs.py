"""The files with what code printed: where they are, who can read them, and how many are kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from datasurface.runtime.code_logs import KEPT, forget_older, last_log, log_of, logs_of, recording


def test_where_they_are(tmp_path: Path):
    assert logs_of(tmp_path, {}, "yellow") == tmp_path / ".datasurface/logs/yellow"
    assert logs_of(tmp_path, {"DATASURFACE_HOME": str(tmp_path / "home")}, "y/x") == tmp_path / "home/logs/y%2Fx"
    assert log_of(tmp_path, "a.b/c", 7) == tmp_path / "a.b%2Fc/00000007.log"


def test_they_are_private_and_another_attempt_adds_to_its_batch(tmp_path: Path):
    logs = logs_of(tmp_path, {}, "yellow")
    assert last_log(logs, "sums") is None
    for line in ("one", "two"):
        with recording(logs, "sums", 3, "transformer a.b") as keep:
            keep(line)
    path = log_of(logs, "sums", 3)
    kinds = [line if line in ("one", "two") else line[:18] for line in path.read_text().splitlines()]
    assert kinds == ["# transformer a.b,", "one", "# transformer a.b,", "two"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".datasurface/logs").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".datasurface/logs/.gitignore").read_text() == "*\n"


def test_only_the_newest_are_kept(tmp_path: Path):
    for batch in range(1, KEPT + 11):
        with recording(tmp_path / "logs/yellow", "sums", batch, "x"):
            pass
    kept = sorted(path.name for path in (tmp_path / "logs/yellow/sums").iterdir())
    assert len(kept) == KEPT
    assert kept[0] == "00000011.log"
    assert last_log(tmp_path / "logs/yellow", "sums") == tmp_path / "logs/yellow/sums/00000060.log"


def test_old_ones_go_also_of_streams_that_no_longer_run(tmp_path: Path):
    logs = tmp_path / "logs/yellow"
    for stream, days in (("gone", 401), ("sums", 399)):
        with recording(logs, stream, 1, "x"):
            pass
        past = (datetime.now(UTC) - timedelta(days=days)).timestamp()
        os.utime(log_of(logs, stream, 1), (past, past))
    assert forget_older(logs, datetime.now(UTC)) == 1
    assert (last_log(logs, "gone"), last_log(logs, "sums")) == (None, log_of(logs, "sums", 1))
    assert forget_older(tmp_path / "nowhere", datetime.now(UTC)) == 0
