"""Canary secrets through a whole run, good and bad: nothing that is printed or written holds one of them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import Project, project

PASSWORD = "c4n4ry-pass'word\"%"
TOKEN = "t0k3n-c4n4ry-of-the-api"
MODEL = """
from parts import *

totals = Datastore("totals", datasets=[Dataset("sums", columns=[Column("n", BigInt, key=True)])])
ecosystem = Ecosystem("acme", owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow", secrets=[FileSecrets("kept")])],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("crm", capture=Snapshot(SHOP, credential="shop"),
            datasets=[Dataset("orders", columns=COLUMNS)])],
        workspaces=[
            Workspace("adding", groups=[DatasetGroup("in", sinks=["crm.orders"])],
                transformer=DataTransformer("add_up", code=PythonModule("adding:run"), output=totals, every="1 hour",
                    secrets={"api": Credential("api", kind=CredentialKind.TOKEN)})),
            Workspace("reports", groups=[DatasetGroup("all", sinks=["crm.orders", "totals.sums"])])])])])
"""
CODE = """
import logging


def run(context):
    token = context.secrets["api"].token
    print("asked with", token)
    logging.getLogger("adding").warning("asked with %s", token)
    if {fails}:
        raise RuntimeError(f"the API refuses {{token!r}}")
    context.outputs["sums"].write([(1,)])
"""


@pytest.fixture
def shop() -> Iterator[Project]:
    with project() as made:
        yield made


def keep(folder: Path, **pieces: str) -> None:
    folder.mkdir(parents=True, mode=0o700)
    for name, value in pieces.items():
        (folder / name).write_text(f"{value}\n")
        (folder / name).chmod(0o600)


def found(where: bytes) -> list[str]:
    """Return which canaries some bytes hold, as they are or in base64."""
    encoded = [base64.b64encode(canary.encode()).rstrip(b"=")[:-1] for canary in (PASSWORD, TOKEN)]
    looked = [PASSWORD.encode(), TOKEN.encode(), *encoded, b"c4n4ry"]
    return [repr(one) for one in looked if one in where]


@pytest.mark.slow
def test_no_canary_is_found_in_what_is_printed_and_written(shop: Project) -> None:
    shop.postgres_source()
    shop.query("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40))", "shop")
    quoted = PASSWORD.replace("'", "''")
    shop.query(f"CREATE ROLE crm_reader LOGIN PASSWORD '{quoted}'", "shop")
    shop.query("GRANT SELECT ON orders TO crm_reader", "shop")
    keep(shop.folder / "kept" / "shop", user="crm_reader", password=PASSWORD)
    keep(shop.folder / "kept" / "api", token=TOKEN)
    (shop.folder / "kept").chmod(0o700)
    (shop.folder / "eco.py").write_text(MODEL)
    said: list[str] = []

    def run(*arguments: str, code: int | None = 0) -> None:
        done = shop.run(*arguments, code=code)
        said.append(f"{done.stdout}\n{done.stderr}")

    (shop.folder / "adding.py").write_text(CODE.format(fails=False))
    run("apply", "--yes")
    run("run", "--once")
    (shop.folder / "adding.py").write_text(CODE.format(fails=True))
    run("run", "--once", code=1)
    assert "the API refuses '***'" in said[-1]
    shop.query("ALTER ROLE crm_reader PASSWORD 'something else'", "shop")
    run("run", "--once", "--stream", "crm", code=1)
    for command in (("doctor",), ("plan",), ("status", "--json"), ("explain", "crm"), ("history", "totals", "--json")):
        run(*command, code=None)

    assert "refuses '***'" in said[-1]
    assert [problem for text in said for problem in found(text.encode())] == []
    files = [path for path in shop.folder.rglob("*") if path.is_file() and shop.folder / "kept" not in path.parents]
    assert any("pg_wal" in path.parts for path in files)
    assert {str(path): found(path.read_bytes()) for path in files if found(path.read_bytes())} == {}
