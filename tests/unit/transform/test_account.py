"""Code under another system user: what it can reach, and what it cannot. As root, with other user ids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datasurface.errors import ConfigurationError
from datasurface.transform.account import Account, account_for, require_reachable, subordinate_ids
from datasurface.transform.process import Ended, Limits, private_folder, run_process

SECRET = "canary-7f3a"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run code as another user")
ANNA = Account(name="anna", uid=61_001, gid=61_001)
BERT = Account(name="bert", uid=61_002, gid=61_001)


@pytest.fixture
def interpreter() -> str:
    """Return a Python that every user can run."""
    for path in (sys.executable, "/usr/bin/python3"):
        try:
            require_reachable(ANNA, [Path(path)])
        except ConfigurationError:
            continue
        return path
    pytest.skip("every Python here is closed to other users")


def run(interpreter: str, code: str, *, account: Account = ANNA, folder: Path | None = None) -> Ended:
    with private_folder() as made:
        return run_process(
            [interpreter, "-c", code],
            folder=folder or made,
            environment={},
            instruction="",
            limits=Limits(seconds=30, account=account),
            hide=str,
            keep=lambda _: None,
            label="test",
        )


@contextmanager
def holding_a_secret() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process of root's that has a secret in its environment."""
    process = subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], "CANARY": SECRET})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user can enter; those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(prefix="datasurface-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def refused(ended: Ended) -> bool:
    return ended.code == 1 and "PermissionError" in ended.tail[-1]


@ROOT
def test_it_is_that_user_and_none_of_the_groups_of_root(interpreter: str):
    code = "import json, os; print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(), os.environ['USER']]))"
    assert json.loads(run(interpreter, code).tail[-1]) == [[ANNA.uid] * 3, [ANNA.gid] * 3, [], "anna"]
    assert refused(run(interpreter, "import os; os.setuid(0)"))


@ROOT
def test_it_works_in_its_own_folder(interpreter: str):
    ended = run(interpreter, "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x'); print(f.name)")
    assert ended.code == 0, ended


@ROOT
@pytest.mark.parametrize("name", ["environ", "mem", "fd", "cwd", "maps"])
def test_it_sees_nothing_of_the_platform(interpreter: str, name: str):
    with holding_a_secret() as platform:
        path = f"/proc/{platform.pid}/{name}"
        look = {"fd": f"os.listdir({path!r})", "cwd": f"os.readlink({path!r})"}.get(
            name, f"open({path!r}, 'rb').read()"
        )
        assert refused(run(interpreter, f"import os; print({look})"))


@ROOT
def test_it_reads_no_secret_file(interpreter: str, folder: Path):
    secret = folder / "password"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    assert run(interpreter, f"print(open({str(secret)!r}).read())").tail[-1] == SECRET
    secret.chmod(0o600)
    assert refused(run(interpreter, f"print(open({str(secret)!r}).read())"))


@ROOT
def test_it_ends_no_process_of_the_platform(interpreter: str):
    with holding_a_secret() as platform:
        assert refused(run(interpreter, f"import os; os.kill({platform.pid}, 9)"))
        assert platform.poll() is None


@ROOT
def test_runs_of_two_users_do_not_see_each_other(interpreter: str):
    """Each subordinate id is a user of its own."""
    with private_folder() as hers:
        begun = threading.Event()
        code = "import time; open('mine', 'w').write('x'); print('begun', flush=True); time.sleep(99)"
        ended: list[Ended] = []

        def other() -> None:
            ended.append(
                run_process(
                    [interpreter, "-c", code],
                    folder=hers,
                    environment={"CANARY": SECRET},
                    instruction="",
                    limits=Limits(seconds=3, account=ANNA),
                    hide=str,
                    keep=lambda _: begun.set(),
                    label="other",
                )
            )

        thread = threading.Thread(target=other)
        thread.start()
        assert begun.wait(20)
        assert refused(run(interpreter, f"print(open({str(hers / 'mine')!r}).read())", account=BERT))
        assert refused(run(interpreter, f"import os; print(os.listdir({str(hers.parent)!r}))", account=BERT))
        look = """
import os
seen = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        seen.append(open(f"/proc/{pid}/environ", "rb").read())
    except OSError:
        pass
assert seen, "it sees its own"
print(any(b"canary" in text for text in seen))
"""
        assert run(interpreter, look, account=BERT).tail[-1] == "False"
        thread.join()
        assert ended[0].timed_out


@ROOT
def test_a_closed_folder_is_named(folder: Path):
    closed = folder / "closed"
    model = closed / "model"
    model.mkdir(parents=True)
    require_reachable(ANNA, [Path("/"), model])
    closed.chmod(0o700)
    with pytest.raises(ConfigurationError) as caught:
        require_reachable(ANNA, [Path("/"), model])
    assert f"'anna', who cannot read {model}: {closed} is closed to it" in caught.value.message
    assert "have it where every user can read it" in caught.value.hint


@ROOT
def test_a_user_who_does_not_exist_or_may_do_everything_is_refused():
    with pytest.raises(ConfigurationError, match="'nobody-such', who does not exist") as caught:
        account_for("nobody-such")
    assert "useradd --system" in caught.value.hint
    assert account_for("root") is None, "that is the platform's own user here"
    found = account_for("nobody")
    assert found is not None
    assert found.uid != 0


def test_only_root_may_run_code_as_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    with pytest.raises(ConfigurationError, match="only root can do"):
        account_for("nobody")


def test_subordinate_ids_are_read(tmp_path: Path):
    file = tmp_path / "subuid"
    file.write_text("anna:100000:65536\nbert:165536:65536\nbroken\ncarl:x:y\n")
    assert subordinate_ids("bert", file) == range(165_536, 231_072)
    assert not subordinate_ids("carl", file)
    assert not subordinate_ids("dora", file)
    assert not subordinate_ids("anna", tmp_path / "none")
