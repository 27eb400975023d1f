"""A transformer under another system user, from the model to the merged batch; as root."""

from __future__ import annotations

import dataclasses
import os
import pwd
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import __file__ as sqlalchemy

import datasurface
from conformance.engine_shop import Shop, shop_on
from datasurface import (
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    PythonModule,
    String,
    Workspace,
    YellowPlatform,
)
from datasurface.engine.batch import Outcome
from datasurface.errors import ConfigurationError
from datasurface.release.job import PlatformSpec
from datasurface.runtime.doctor.check import Verdict
from datasurface.runtime.doctor.code import code
from datasurface.transform.account import account_for, require_reachable
from workbench import container

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run code as another user")

USER = "nobody"
ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True)])
SEEN = Dataset("seen", columns=[Column("what", String(40), key=True), Column("found", String(200))])
CODE = """
import os
from pathlib import Path

HERE = Path(__file__).parent

def look(path):
    try:
        return f"read {len(Path(path).read_bytes())} bytes"
    except OSError as error:
        return type(error).__name__

def run(context):
    platform = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]
    context.output("seen").write({
        "user": str(os.getuid()),
        "rows": str(context.input("shop.orders").count()),
        "own folder": "written" if Path("x").write_text("x") else "",
        "environment of the platform": look(f"/proc/{platform}/environ"),
        "memory of the platform": look(f"/proc/{platform}/mem"),
        "environment of the warden": look(f"/proc/{os.getppid()}/environ"),
        "secret files": look(HERE / "secrets"),
        "logs": look(HERE / ".datasurface/logs"),
        "a secret file": look(HERE / "closed"),
    }.items())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user can enter; those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(prefix="datasurface-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def shop(two_databases: tuple[str, str], folder: Path) -> Iterator[Shop]:
    with shop_on(two_databases, folder) as opened:
        opened.do("CREATE TABLE orders (id bigint PRIMARY KEY)", "INSERT INTO orders VALUES (1), (2)")
        (folder / "looking.py").write_text(CODE)
        (folder / "closed").write_text("canary")
        (folder / "closed").chmod(0o600)
        made = opened.model(ORDERS, groups=[DatasetGroup("all", sinks=["shop.orders", "sights.seen"])])
        looking = Workspace(
            "looking",
            groups=[DatasetGroup("orders", sinks=["shop.orders"])],
            transformer=DataTransformer(
                "look", code=PythonModule("looking:run"), output=Datastore("sights", datasets=[SEEN])
            ),
        )
        team = dataclasses.replace(made.zones[0].teams[0], workspaces=[*made.zones[0].teams[0].workspaces, looking])
        opened.open(
            dataclasses.replace(
                made,
                zones=[dataclasses.replace(made.zones[0], teams=[team])],
                platforms=[YellowPlatform("yellow", container=container("dst", opened.target_url), code_user=USER)],
            )
        )
        opened.merged()
        yield opened


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have code run in a Python that every user can run, with the packages of this one."""
    account = account_for(USER)
    assert account is not None
    packages = [Path(p) for p in (datasurface.__file__, psycopg.__file__, sqlalchemy)]
    version = f"python3.{sys.version_info.minor}"
    for python in (Path(sys.executable), Path("/usr/bin") / version, Path("/usr/local/bin") / version):
        try:
            require_reachable(account, [python, *packages])
        except ConfigurationError:
            continue
        monkeypatch.setattr(sys, "executable", str(python))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(dict.fromkeys(str(p.parents[1]) for p in packages)))
        return
    pytest.skip("every Python with these packages is closed to other users")


@pytest.mark.usefixtures("reachable")
def test_it_does_its_work_and_sees_nothing_else(shop: Shop):
    (shop.folder / "secrets").chmod(0o700)
    assert shop.merged("sights") == (9, 0, 0)
    found = dict(shop.rows("SELECT what, found FROM reports_all.sights_seen"))
    assert found == {
        "user": str(pwd.getpwnam(USER).pw_uid),
        "rows": "2",
        "own folder": "written",
        "environment of the platform": "PermissionError",
        "memory of the platform": "PermissionError",
        "environment of the warden": "PermissionError",
        "secret files": "PermissionError",
        "logs": "PermissionError",
        "a secret file": "PermissionError",
    }


def test_what_is_closed_to_it_fails_the_batch_and_is_named(shop: Shop):
    shop.folder.chmod(0o700)
    result = shop.run("sights")
    assert result.outcome is Outcome.FAILED
    assert f"code runs as the system user '{USER}', who cannot read " in result.error
    assert "is closed to it" in result.error


def test_doctor_says_whom_code_runs_as(shop: Shop):
    spec = shop.bench.release.platforms[0]
    (closed,) = code(spec, Path("/root"))
    assert closed.verdict is Verdict.FAIL
    assert "is closed to it" in closed.detail
    (trusted,) = code(as_user(spec, None), shop.folder)
    assert trusted.verdict is Verdict.WARN
    assert "it is trusted" in trusted.detail
    (unknown,) = code(as_user(spec, "nobody-such"), shop.folder)
    assert unknown.verdict is Verdict.FAIL
    assert "useradd" in unknown.remedy


@pytest.mark.usefixtures("reachable")
def test_doctor_finds_what_code_needs(shop: Shop):
    (found,) = code(shop.bench.release.platforms[0], shop.folder)
    assert found.verdict is not Verdict.FAIL
    assert f"runs as '{USER}'" in found.detail


def as_user(spec: PlatformSpec, user: str | None) -> PlatformSpec:
    jobs = [
        dataclasses.replace(job, transformer=dataclasses.replace(job.transformer, user=user))
        for job in spec.jobs
        if job.transformer is not None
    ]
    return dataclasses.replace(spec, jobs=jobs)
