"""Folders that are made once: whole or not there, whoever dies, and never too many."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasurface.transform import fetched as module
from datasurface.transform.fetched import fetched

CHILD = """
import sys, time
from pathlib import Path
from datasurface.transform.fetched import fetched

def make(folder):
    (folder / "half").write_text("x")
    with (folder.parent / "made").open("a") as log:
        log.write("made ")
    time.sleep(float(sys.argv[2]))
    (folder / "whole").write_text("x")

found = fetched(Path(sys.argv[1]), "things", "one", make)
print((found / "whole").read_text(), flush=True)
"""


def start(cache: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD, cache, str(seconds)], stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_make_it_once(tmp_path: Path) -> None:
    both = [start(tmp_path, 0.5) for _ in range(2)]
    assert [child.communicate(timeout=30)[0].strip() for child in both] == ["x", "x"]
    assert (tmp_path / "things" / "made").read_text() == "made "


def test_what_a_killed_process_left_is_made_anew(tmp_path: Path) -> None:
    child = start(tmp_path, 60)
    made = tmp_path / "things" / "made"
    while not (made.exists() and made.read_text()):
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    after = start(tmp_path, 0)
    assert after.communicate(timeout=30)[0].strip() == "x"
    assert made.read_text() == "made made "


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError("no more disk")

    with pytest.raises(OSError, match="no more disk"):
        fetched(tmp_path, "things", "one", fail)
    assert not (tmp_path / "things" / "one").exists()


def test_those_used_longest_ago_go_but_none_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate(["new", "old", "older", "oldest"]):
        folder = fetched(tmp_path, "things", name, lambda _: None)
        used = time.time() - age * 2 * 86_400
        os.utime(folder / ".complete", (used, used))
    monkeypatch.setattr(module, "KEPT", 2)
    assert _names(tmp_path) == ["new", "old", "older", "oldest"]
    fetched(tmp_path, "things", "newest", lambda _: None)
    assert _names(tmp_path) == ["new", "newest"]
    for number in range(3):
        fetched(tmp_path, "things", f"today{number}", lambda _: None)
    assert len(_names(tmp_path)) == 5, "what was used today may be in use"


def _names(cache: Path) -> list[str]:
    return sorted(p.name for p in (cache / "things").iterdir() if p.is_dir())
