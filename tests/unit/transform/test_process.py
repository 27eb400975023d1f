"""The process of a transformer's code: really started, really ended, as the platform's user and as another one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from datasurface.errors import SourceError
from datasurface.transform.process import Ended, Limits, private_folder, run_process

MEGABYTE = 1024 * 1024


def run(code: str, *, limits: Limits | None = None, keep: Callable[[str], None] | None = None, **more: str) -> Ended:
    """Run Python code as a transformer's would be."""
    with private_folder() as folder:
        return run_process(
            [sys.executable, "-c", code],
            folder=folder,
            environment=more,
            instruction="the instruction",
            limits=limits or Limits(),
            hide=lambda text: text.replace("hunter2", "***"),
            keep=keep or (lambda _: None),
            label="test",
        )


def said(code: str, *, limits: Limits | None = None) -> object:
    """Return what the code prints as JSON."""
    ended = run(f"import json\ndef say(v): print(json.dumps(v))\n{code}", limits=limits)
    assert ended.code == 0, ended
    return json.loads(ended.tail[-1])


def gone(pid: int) -> bool:
    """Tell whether a process has ended within a few seconds; a zombie has."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_it_gets_a_clean_environment_and_nothing_that_is_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DATASURFACE_CRM_PASSWORD", "hunter2")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - it takes no keywords
        found = said(
            "import os\nsay([sorted(os.environ), sorted(int(d) for d in os.listdir('/proc/self/fd')), "
            "os.umask(0), os.getcwd() == os.environ['HOME']])"
        )
    assert isinstance(found, list)
    names, descriptors, umask, at_home = found
    assert "DATASURFACE_CRM_PASSWORD" not in names
    assert set(names) <= {
        *("DATASURFACE_RESULT", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH"),
        *("PYTHONUNBUFFERED", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ"),
    }
    assert len(descriptors) == 5, "input, output twice, the result, and the listing itself"
    assert umask == 0o077
    assert at_home


def test_it_is_told_what_to_do_on_its_input_and_dumps_no_core():
    code = "import sys, resource\nsay([sys.stdin.read(), resource.getrlimit(resource.RLIMIT_CORE)])"
    assert said(code) == ["the instruction", [0, 0]]


def test_how_it_ended_is_told():
    assert run("raise SystemExit(7)").code == 7
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").code == -signal.SIGSEGV
    ended = run("import os; os.write(int(os.environ['DATASURFACE_RESULT']), b'{\"ok\": true}')")
    assert ended.result == {"ok": True}


def test_an_answer_that_is_none_is_none():
    flood = "import os\nfor _ in range(200): os.write(int(os.environ['DATASURFACE_RESULT']), b'x' * 1_000_000)"
    assert run(flood).result is None
    assert run("import os; os.write(int(os.environ['DATASURFACE_RESULT']), b'[1]')").result is None


@pytest.mark.parametrize("far", ["", "os.setsid(); ", "os.setsid(); os.fork() and os._exit(0); "])
def test_what_it_started_ends_with_it_whatever_session_that_is_in(far: str):
    child = f"import os, signal, time; {far}signal.signal(15, signal.SIG_IGN); print(os.getpid()); time.sleep(99)"
    ended = run(
        "import subprocess, sys\n"
        f"started = subprocess.Popen([sys.executable, '-uc', {child!r}], stdout=subprocess.PIPE)\n"
        "print(started.stdout.readline().decode())"
    )
    assert gone(int(ended.tail[0]))


def test_its_time_is_limited():
    began = time.monotonic()
    ended = run("import time; print('waiting'); time.sleep(99)", limits=Limits(seconds=1.0))
    assert ended.timed_out
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    "take",
    [
        f"b = bytearray({400 * MEGABYTE})",
        f"import mmap, time; b = mmap.mmap(-1, {400 * MEGABYTE})\nwhile b.write(b'x' * {MEGABYTE}): time.sleep(0.001)",
        f"b = [bytes({MEGABYTE}) for _ in range(400)]",
    ],
)
def test_memory_is_limited_however_it_is_taken(take: str):
    ended = run(f"print('begun')\n{take}", limits=Limits(memory=200 * MEGABYTE, seconds=30))
    assert ended.tail[0] == "begun"
    assert ended.out_of_memory or any("MemoryError" in line for line in ended.tail), ended


def test_memory_is_limited_for_all_its_processes_together():
    taking = f"import time; b = b'x' * {90 * MEGABYTE}; time.sleep(60)"
    four = f"[subprocess.Popen([sys.executable, '-c', {taking!r}]) for _ in range(4)]"
    code = f"import subprocess, sys\nfor process in {four}: process.wait()"
    ended = run(code, limits=Limits(memory=200 * MEGABYTE, seconds=30))
    assert ended.out_of_memory
    assert not ended.timed_out


def test_enough_memory_is_enough():
    assert run(f"b = bytearray({100 * MEGABYTE})", limits=Limits(memory=200 * MEGABYTE)).code == 0


def test_numpy_and_arrow_are_limited_too():
    pytest.importorskip("numpy")
    code = f"import numpy\nprint('begun')\nb = numpy.ones({400 * MEGABYTE}, dtype='int8')"
    ended = run(code, limits=Limits(memory=300 * MEGABYTE))
    assert ended.out_of_memory or "MemoryError" in ended.tail[-1], ended
    pytest.importorskip("pyarrow")
    code = f"import pyarrow\nprint('begun')\nb = pyarrow.allocate_buffer({600 * MEGABYTE})"
    ended = run(code, limits=Limits(memory=500 * MEGABYTE))
    assert ended.out_of_memory or "MemoryError" in ended.tail[-1], ended


def test_a_flood_of_output_is_counted_and_not_kept():
    kept: list[str] = []
    code = "line = 'x' * 99\nfor n in range(250): print('\\n'.join([line] * 2000))\nprint('the end')"
    ended = run(code, keep=kept.append)
    assert ended.code == 0
    assert len(kept) < 6000
    assert sum(len(line) for line in kept) < 2_000_000
    assert ended.tail[-1] == "the end"
    (told,) = [line for line in kept if "left out" in line]
    left_out = int(told.split()[1])
    assert left_out + len(kept) - 1 == 500_001
    assert "it printed 50.0 MB in all" in told


@pytest.mark.parametrize("end", ["\\n", ""])
def test_the_last_lines_of_a_flood_are_kept_whatever_the_last_is(end: str):
    kept: list[str] = []
    code = f"for n in range(9_000): print('line', n)\nprint('x' * 5_000_000, end='{end}')"
    run(code, keep=kept.append)
    assert kept[-20:-1] == [f"line {n}" for n in range(8_981, 9_000)]
    assert kept[-1].startswith("xxxx")
    assert len(kept[-1]) < 4200
    (told,) = [line for line in kept if "left out" in line]
    assert int(told.split()[1]) + len(kept) - 1 == 9_001


def test_a_line_without_end_is_cut_and_no_part_of_a_secret_is_left():
    kept: list[str] = []
    run("print('a' * 4092 + 'hunter2' + 'b' * 5_000_000, end=''); print(); print('hunter2 ' * 3)", keep=kept.append)
    assert kept[0].startswith("aaaa")
    assert len(kept[0]) < 4200
    assert "hun" not in "".join(kept)


def test_what_cannot_be_started_is_told():
    with private_folder() as folder, pytest.raises(SourceError, match=r"cannot start the code of test: .*/no/such"):
        run_process(
            ["/no/such"],
            folder=folder,
            environment={},
            instruction="",
            limits=Limits(),
            hide=str,
            keep=lambda _: None,
            label="test",
        )


CODE = """
import os, subprocess, sys, time
started = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(99)"])
print(os.getpid(), started.pid, os.getcwd(), flush=True)
time.sleep(99)
"""
PLATFORM = f"""
import sys
from datasurface.transform.process import Limits, private_folder, run_process

with private_folder() as folder:
    run_process(
        [sys.executable, "-c", {CODE!r}],
        folder=folder,
        environment={{}},
        instruction="",
        limits=Limits(),
        hide=str,
        keep=lambda line: print(line, flush=True),
        label="test",
    )
"""


def test_everything_ends_when_the_platform_is_killed():
    platform = subprocess.Popen([sys.executable, "-c", PLATFORM], stdout=subprocess.PIPE, text=True)
    assert platform.stdout is not None
    with platform.stdout:
        own, started, folder = platform.stdout.readline().split()
        platform.kill()
        platform.wait()
    assert gone(int(own))
    assert gone(int(started))
    deadline = time.monotonic() + 10
    while Path(folder).parent.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(folder).parent.exists(), "what it left in its private folder is gone too"


def test_code_dies_with_its_warden():
    ended = run("import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(99)")
    assert ended.code == -signal.SIGKILL
    assert ended.result is None
