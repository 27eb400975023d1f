from __future__ import annotations

import io
import subprocess
import sys

import pytest

from datasurface.runtime.progress import NullProgress, progress_on_terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_shown_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", stderr := io.StringIO())
    with progress_on_terminal() as progress:
        assert isinstance(progress, NullProgress)
        progress.start("crm", 10)
        progress.advance("crm", 5)
        progress.finish("crm")
    assert stderr.getvalue() == ""


def test_a_bar_a_stream_is_shown_on_a_terminal_and_lines_appear_above(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress_on_terminal() as progress:
        progress.start("crm[red]", 2000)
        progress.start("erp", None)
        progress.advance("crm[red]", 500)
        progress.advance("unknown", 500)
        sys.stderr.write("a line\n")
        progress.finish("unknown")
    shown = terminal.getvalue()
    assert "crm[red]" in shown
    assert "500/2000" in shown
    assert "erp" in shown
    assert "a line\n" in shown
    assert sys.stderr is terminal


def test_a_stream_that_has_finished_is_shown_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress_on_terminal() as progress:
        progress.start("crm", 10)
        progress.finish("crm")
        terminal.truncate(0)
        progress.start("erp", 10)
    assert "erp" in terminal.getvalue()
    assert "crm" not in terminal.getvalue()


def test_rich_is_imported_only_where_bars_are_shown():
    code = "import sys, datasurface.runtime.report; print(sorted(m for m in sys.modules if m.split('.')[0] == 'rich'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
