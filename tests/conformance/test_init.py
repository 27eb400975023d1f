from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from decimal import Decimal as Number
from pathlib import Path

import psycopg
import pytest

from datasurface import History, Snapshot
from datasurface.databases.base import Login, RowFeed, adapter_for
from datasurface.model.effective import all_datastores
from datasurface.model.load import load
from datasurface.release.job import JobColumn, JobDataset
from datasurface.runtime import local

FILES = [".github/workflows/check.yml", ".gitignore", ".gitlab-ci.yml", "README.md", "eco.py", "shop.db"]


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DATASURFACE_")}
    return subprocess.run(
        [sys.executable, "-m", "datasurface", *arguments],
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def files_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_new_folder_passes_and_is_told_how_to_go_on(tmp_path: Path):
    made = run("init", "my model/here", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "my model" / "here"
    assert files_of(folder) == FILES
    assert made.stdout.splitlines()[1].strip() == "cd 'my model/here'"
    checked = run("check", "--strict", cwd=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 errors, 0 warnings" in checked.stdout
    assert files_of(folder) == FILES


def test_the_current_folder_and_that_of_the_option_are_taken(tmp_path: Path):
    (tmp_path / "notes.txt").touch()
    made = run("init", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert files_of(tmp_path) == sorted([*FILES, "notes.txt"])
    assert "cd " not in made.stdout
    assert run("-m", "other", "init", cwd=tmp_path).returncode == 0
    assert files_of(tmp_path / "other") == FILES


def test_same_bytes_each_time(tmp_path: Path):
    for name in ("a", "b"):
        assert run("init", name, cwd=tmp_path).returncode == 0
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_nothing_is_overwritten_and_nothing_written_beside_it(tmp_path: Path):
    (tmp_path / "eco.py").write_text("mine")
    (tmp_path / "shop.db").symlink_to("nowhere")
    refused = run("init", cwd=tmp_path)
    assert refused.returncode == 2
    assert "eco.py, shop.db already; nothing was written" in refused.stderr
    assert (tmp_path / "eco.py").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["eco.py", "shop.db"]
    on_file = run("init", "eco.py", cwd=tmp_path)
    assert (on_file.returncode, on_file.stdout) == (2, "")
    assert "eco.py is no folder" in on_file.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path):
    tmp_path.chmod(0o500)
    refused = run("init", "new", cwd=tmp_path)
    tmp_path.chmod(0o700)
    assert refused.returncode == 2
    assert "cannot write" in refused.stderr


def test_the_sample_source_is_read_as_the_model_says(tmp_path: Path):
    assert run("init", cwd=tmp_path).returncode == 0
    ecosystem = load(tmp_path)
    store = next(iter(all_datastores(ecosystem))).datastore
    assert isinstance(store.capture, Snapshot)
    source = adapter_for(store.capture.container).source(Login(container=store.capture.container, folder=tmp_path))
    jobs = {}
    for dataset in store.datasets:
        columns = [JobColumn(c.name, c.data_type, source=c.source, key=c.key) for c in dataset.columns]
        jobs[dataset.name] = JobDataset(dataset.name, source_table=str(dataset.source), columns=columns)
        source.verify(jobs[dataset.name])
    with source.reading(list(jobs.values()), connections=1) as reading, reading.feed(jobs["orders"]) as feed:
        assert isinstance(feed, RowFeed)
        rows = [row for batch in feed.batches for row in batch]
    assert [row[0] for row in rows] == [1001, 1002, 1003, 1004]
    assert [row[3] for row in rows] == [Number("18.51"), Number("1947.09"), Number(42), None]
    assert {g.history for z in ecosystem.zones for t in z.teams for w in t.workspaces for g in w.groups} == set(History)


def test_the_change_in_its_readme_changes_the_source(tmp_path: Path):
    assert run("init", cwd=tmp_path).returncode == 0
    before = (tmp_path / "shop.db").read_bytes()
    found = re.search(r"^python (-c .*)$", (tmp_path / "README.md").read_text(), re.MULTILINE)
    assert found is not None
    subprocess.run(f"'{sys.executable}' {found[1]}", shell=True, check=True, cwd=tmp_path)
    assert (tmp_path / "shop.db").read_bytes() != before
    assert b"shipped" in (tmp_path / "shop.db").read_bytes()


def test_its_ci_files_check_strictly(tmp_path: Path):
    assert run("init", cwd=tmp_path).returncode == 0
    for name in (".github/workflows/check.yml", ".gitlab-ci.yml"):
        text = (tmp_path / name).read_text()
        steps = [line.strip().removeprefix("- ").removeprefix("run: ") for line in text.splitlines()]
        assert [s for s in steps if s.startswith(("pip", "datasurface"))][:2] == [
            "pip install datasurface",
            "datasurface check --strict",
        ]


def test_its_ci_files_publish_a_tag_for_each_environment(tmp_path: Path):
    assert run("init", cwd=tmp_path).returncode == 0
    store = tmp_path / "store"
    place = 'containers={{"local": EmbeddedPostgres(database="{name}")}}, releases="v*", release_store="{store}"'
    named = ", ".join(f'Environment("{n}", {place.format(name=n, store=store)})' for n in ("test", "prod"))
    eco = (tmp_path / "eco.py").read_text()
    (tmp_path / "eco.py").write_text(re.sub(r"(\n    zones=)", rf"\n    environments=[{named}],\1", eco, count=1))
    person = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for step in (["init", "-q"], ["add", "."], [*person, "commit", "-qm", "one"], ["tag", "v1.0"]):
        subprocess.run(["git", *step], cwd=tmp_path, check=True)
    for name in (".github/workflows/check.yml", ".gitlab-ci.yml"):
        text = (tmp_path / name).read_text()
        found = re.search(r"(for environment in .*?done)", text, re.DOTALL)
        assert found is not None
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        variables = {**os.environ, "PATH": path, "DATASURFACE_ENVIRONMENTS": "test prod"}
        subprocess.run(["bash", "-e", "-c", found[1]], cwd=tmp_path, env=variables, check=True)
    assert sorted(f.relative_to(store).as_posix() for f in store.rglob("*.json")) == [
        "shop/prod/tags/v1.0.json",
        "shop/test/tags/v1.0.json",
    ]


def test_it_runs_at_once_and_follows_a_change(tmp_path: Path):
    home = Path(tempfile.mkdtemp(prefix="ds-init-"))
    home.chmod(0o755)  # the server does not run as root
    try:
        assert run("init", cwd=tmp_path).returncode == 0
        first = run("run", "--once", cwd=tmp_path, DATASURFACE_HOME=str(home))
        assert first.returncode == 0, first.stderr
        with closing(sqlite3.connect(tmp_path / "shop.db")) as source:
            source.execute("UPDATE order_headers SET status = 'shipped' WHERE order_id = 1003")
            source.commit()
        assert run("run", "--once", cwd=tmp_path, DATASURFACE_HOME=str(home)).returncode == 0
        server = next(found for place in home.rglob("*") if place.is_dir() and (found := local.status(place)))
        with psycopg.connect(server.uri("shop")) as connection:
            orders = connection.execute("SELECT order_id, status, total FROM reports_live.shop_orders ORDER BY 1")
            assert orders.fetchall() == [
                (1001, "shipped", Number("18.51")),
                (1002, "shipped", Number("1947.09")),
                (1003, "shipped", Number("42.00")),
                (1004, "open", None),
            ]
            versions = connection.execute(
                "SELECT status, ds_batch_in, ds_batch_out FROM reports_audit.shop_orders_history"
                " WHERE order_id = 1003 ORDER BY ds_batch_in"
            )
            assert versions.fetchall() == [("open", 1, 2), ("shipped", 2, None)]
    finally:
        for place in [home, *home.rglob("*")]:
            if (place / "data").is_dir() and local.status(place):
                local.stop(place)
        shutil.rmtree(home, ignore_errors=True)
