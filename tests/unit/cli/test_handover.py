"""A command that runs code has no secret in the environment that the system shows of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from datasurface.cli.handover import secret_variables

CANARY = "canary-51d2"
PROBE = """
import ctypes, json, os, sys, time
from datasurface.cli.handover import hide_secrets
hide_secrets(sys.argv[1:])
shown = open("/proc/self/environ", "rb").read()
print(json.dumps({
    "pid": os.getpid(), "arguments": sys.argv[1:], "typed": sys.stdin.readline(), "shown": "canary" in repr(shown),
    "password": os.environ.get("DATASURFACE_CRM_PASSWORD"), "url": os.environ.get("DATABASE_URL"),
    "left": [n for n in os.environ if "HANDED" in n], "marked": "HANDED" in repr(shown),
    "dumpable": ctypes.CDLL(None).prctl(3), "open": len(os.listdir("/proc/self/fd")), "optimized": sys.flags.optimize,
}), flush=True)
if "wait" in sys.argv:
    time.sleep(60)
sys.exit(7)
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of processes")


def started(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-O", "-c", PROBE, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen[str]) -> dict[str, object]:
    out, _ = process.communicate("hello\n", timeout=60)
    found: dict[str, object] = json.loads(out)
    return found


@linux
def test_it_starts_again_as_the_same_process_without_secrets_and_has_them_all_the_same():
    url = f"postgresql://me:{CANARY}@host/db"
    process = started("-m", "x", "run", DATASURFACE_CRM_PASSWORD=f"{CANARY}ü\n", DATABASE_URL=url)
    found = answer(process)
    assert process.returncode == 7
    assert found["pid"] == process.pid
    assert found["arguments"] == ["-m", "x", "run"]
    assert found["typed"] == "hello\n"
    assert found["optimized"] == 1
    assert found["password"] == f"{CANARY}ü\n"
    assert found["url"] == url
    assert found["shown"] is False
    assert found["marked"] is True
    assert found["left"] == []
    assert found["dumpable"] == 0, "other processes of the same user cannot look into it"
    assert found["open"] == 4, "input, output, errors and the listing itself"


@linux
def test_without_secrets_or_with_another_verb_it_goes_on_as_it_is():
    assert answer(started("run", EDITOR="vi"))["marked"] is False
    found = answer(started("check", DATASURFACE_CRM_PASSWORD=CANARY))
    assert found["marked"] is False
    assert found["shown"] is True


@linux
def test_a_stale_variable_is_no_handover():
    found = answer(started("run", DATASURFACE_HANDED_OVER="0", DATASURFACE_CRM_PASSWORD=CANARY))
    assert found["password"] == CANARY
    assert found["shown"] is False
    assert found["typed"] == "hello\n"


@linux
def test_signals_reach_it():
    process = started("run", "wait", DATASURFACE_CRM_PASSWORD=CANARY)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        process.terminate()
        assert process.wait(20) == -15


def test_what_is_no_secret_stays():
    environ = {
        "PATH": "/bin", "DATASURFACE_CRM_USER": "u", "SSL_CERT_FILE": "f", "PWD": "/x", "EMPTY_PASSWORD": "",
        "PGPASSWORD": "p", "AWS_SECRET_ACCESS_KEY": "k", "GITHUB_TOKEN": "t", "PYTHONTOKEN": "x",
        "HTTPS_PROXY": "http://me:pw@proxy", "HOME_PAGE": "http://host:80/a@b",
    }  # fmt: skip
    assert sorted(secret_variables(environ)) == ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HTTPS_PROXY", "PGPASSWORD"]
