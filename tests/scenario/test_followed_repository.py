"""A git repository followed directly: a cheap look, a build that knows no secret, nothing built twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from datasurface.release.platform_file import platform_file
from datasurface.runtime.releases.listing import list_releases
from releasing import NAME, PLACED, Shop

SPY = """
import os, pathlib
seen = [*os.environ, *os.environ.values(), pathlib.Path(f"/proc/{{os.getppid()}}/environ").read_text(), "built", ""]
pathlib.Path({log!r}).open("a").write("\\n".join(seen))
"""


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Shop:
    return Shop(tmp_path, *two_databases, store=f"git+file://{tmp_path}/model")


def test_a_pushed_tag_reaches_the_system(shop: Shop, tmp_path: Path):
    log = tmp_path / "environment.log"
    log.touch()
    log.chmod(0o666)
    shop.environ = {**shop.environ, "DATASURFACE_HOME": str(tmp_path / "home")}
    shop.write(more=SPY.format(log=str(log)))
    shop.commit("v1")
    path = tmp_path / "platform.json"
    path.write_text(platform_file(shop.spec))
    log.write_text("")
    command = [sys.executable, "-m", "datasurface", "job", "--system", "apply", "--platform-file", str(path)]
    done = subprocess.run(command, cwd=shop.away, env=dict(shop.environ), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["result"]["state"] == "applied"
    shop.run()
    assert shop.seen() == shop.held()
    said = log.read_text()
    assert said.count("built\n") == 1
    assert shop.environ["DATASURFACE_MERGE_PASSWORD"] not in said
    assert "DATASURFACE_MERGE_PASSWORD" not in said
    assert "DATASURFACE" not in said.partition("HOME")[0]
    shop.write('Column("", BigInt)')
    shop.commit("v2")
    found = shop.follow()
    assert found.state == "pending"
    assert "tag v2 at" in found.reason
    assert "DS-N00" in found.reason
    shop.write(NAME, PLACED)
    commit = shop.commit("v2.1")
    found = shop.follow()
    assert found.state == "applied"
    known = shop.standing.known
    assert known.activation is not None
    assert (known.activation.origin.ref, known.activation.origin.commit) == ("v2.1", commit)
    listed = list_releases(shop.model, shop.environ, store=None, limit=10).releases
    assert [(row.candidate.name, row.matches, row.selected) for row in listed if row.matches] == [
        ("v2.1", True, True),
        ("v2", True, False),
        ("v1", True, False),
    ]


def test_a_branch_is_followed_and_a_repository_that_is_away_may_come_back(
    two_databases: tuple[str, str], tmp_path: Path
):
    shop = Shop(tmp_path, *two_databases, rule="branch:main", store=f"git+file://{tmp_path}/model")
    one = shop.commit()
    assert shop.follow().state == "applied"
    shop.write(NAME, PLACED)
    two = shop.commit()
    assert two != one
    found = shop.follow()
    assert (found.state, two[:12] in found.ref) == ("applied", True)
    (tmp_path / "model" / ".git").rename(tmp_path / "elsewhere")
    assert shop.follow().state == "unreachable"
    (tmp_path / "elsewhere").rename(tmp_path / "model" / ".git")
    assert shop.follow().state == "current"


def test_nothing_is_published_to_a_repository(shop: Shop):
    shop.commit("v1")
    with pytest.raises(Exception, match="is a repository, and nothing is published to it"):
        shop.publish()
