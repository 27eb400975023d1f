"""Code that connects by itself, on a real server: dbt projects, and containers as a local process plays them."""

from __future__ import annotations

import dataclasses
import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.engine_shop import Shop, shop_on
from conformance.test_transformers import adding, deriving, totals
from datasurface import ContainerImage, DbtProject, History
from datasurface.engine.batch import Outcome
from datasurface.runtime import job as runtime_job
from datasurface.transform.container import RUN_FOLDER, ContainerRun
from datasurface.transform.process import Ended
from unit.transform.repositories import git, repository_of

PROJECT = {
    "dbt_project.yml": "name: sums\nversion: '1.0'\nprofile: somebody_elses\nmodel-paths: [models]\n",
    "requirements.txt": "dbt-core==1.11.16\ndbt-postgres==1.11.0\n",
    "models/big.sql": "select * from {{ source('orders', 'shop_orders') }} where amount >= {{ var('least') }}",
    "models/totals.sql": """{{ config(materialized='table') }}
select customer, sum(amount)::bigint as amount from {{ ref('big') }} group by customer""",
    "models/unrelated.sql": "select * from nowhere_at_all",
    "models/models.yml": """version: 2
models:
  - name: totals
    columns:
      - name: customer
        data_tests: [not_null, unique]
""",
    "tests/small.sql": "select * from {{ ref('totals') }} where amount > 1000",
}
SCRATCH = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ds_yellow.adding.%'"


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Shop]:
    """A shop whose environments last longer than the test: dbt's takes 20 seconds to make."""
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20), amount bigint)",
            "INSERT INTO orders VALUES (1, 'ann', 10), (2, 'bob', 5), (3, 'ann', 7), (4, 'cat', 1)",
        )
        cache = tmp_path / ".datasurface" / "cache"
        cache.mkdir(parents=True)
        assert pytestconfig.cache is not None
        (cache / "environments").symlink_to(pytestconfig.cache.mkdir("environments"))
        yield opened


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dbt_project_derives_a_stream_and_its_tests_guard_it(shop: Shop) -> None:
    repository = repository_of(shop.folder / "code", PROJECT, tag="v1")
    code = DbtProject("code", release="v1")
    shop.open(deriving(shop, adding(code, params={"least": 5})))
    shop.merged()
    shop.admin('CREATE SCHEMA "ds_yellow.adding.work" AUTHORIZATION "ds.acme.yellow.owner"')
    shop.admin('CREATE TABLE "ds_yellow.adding.work".totals (left_by_a_crash int)')
    assert shop.merged("sums") == (2, 0, 0)
    assert totals(shop) == [("ann", 17), ("bob", 5)]
    assert shop.rows(SCRATCH) == []
    shop.do("UPDATE orders SET amount = 2000 WHERE id = 1")
    shop.merged()
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "dbt build: test small: Got 1 result, configured to fail if != 0" in result.error
    assert totals(shop) == [("ann", 17), ("bob", 5)]
    assert shop.rows(SCRATCH) == []
    (repository / "models" / "totals.sql").write_text("select customer, 1 as amount from {{ ref('bigger') }}")
    git(repository, "commit", "--quiet", "--all", "-m", "second")
    git(repository, "tag", "v2")
    shop.bench.apply(deriving(shop, adding(dataclasses.replace(code, release="v2"), params={"least": 5})))
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "bigger" in result.error
    assert "which was not found" in result.error


SUMMING = """
import json, os, pathlib, sys
import psycopg

run = pathlib.Path(os.environ["DATASURFACE_RUN"])
told = json.loads((run / "run.json").read_text())
(given,), (output,) = told["inputs"], told["outputs"]
with psycopg.connect("") as connection:
    connection.execute(
        f'INSERT INTO "{output["schema"]}"."{output["table"]}" (customer, amount) '
        f'SELECT customer, sum(amount) FROM "{given["schema"]}"."{given["table"]}" GROUP BY customer'
    )
    connection.execute(f'CREATE TABLE "{told["work_schema"]}".mine AS SELECT 1 AS one')
    forbidden = ['SELECT * FROM ds_yellow.streams', f'DELETE FROM "{given["schema"]}"."{given["table"]}"']
    for refused in forbidden:
        try:
            with connection.transaction():
                connection.execute(refused)
        except psycopg.errors.InsufficientPrivilege:
            print("refused")
print("secret", (run / "secrets" / "key" / "password").read_text() == "canary", told["params"]["note"])
sys.exit(told["params"]["code"])
"""


def locally(folder: Path, seen: list[ContainerRun], before: Callable[[], object]) -> Callable[[ContainerRun], Ended]:
    """Return what plays a container: a process with exactly its variables and files, at another path."""

    def play(run: ContainerRun) -> Ended:
        seen.append(run)
        before()
        place = folder / f"run{len(seen)}"
        for name, content in run.files.items():
            path = place / name
            path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(content)
        variables = {k: v.replace(RUN_FOLDER, str(place)) for k, v in run.environment.items()}
        done = subprocess.run(run.command, env=variables, capture_output=True, text=True, check=False)
        return Ended(code=done.returncode, result=None, tail=tuple((done.stdout + done.stderr).splitlines()))

    return play


def test_a_container_gets_its_inputs_as_they_were_and_its_exit_code_counts(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "summing.py"
    script.write_text(SUMMING)
    code = ContainerImage("sums:1", command=[sys.executable, str(script)])
    monkeypatch.setenv("DATASURFACE_KEY_USER", "u")
    monkeypatch.setenv("DATASURFACE_KEY_PASSWORD", "canary")

    def model(exit_code: int) -> Any:
        params = {"code": exit_code, "note": "hello"}
        return deriving(shop, adding(code, params=params, secrets={"key": "key"}), history=History.FULL)

    shop.open(model(0))
    shop.merged()
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "nothing runs the image sums:1 yet" in result.error
    seen: list[ContainerRun] = []
    tails: list[Ended] = []

    def meanwhile() -> None:
        shop.do("DELETE FROM orders WHERE customer = 'ann'")
        shop.merged()

    play = locally(tmp_path, seen, meanwhile)

    def remember(run: ContainerRun) -> Ended:
        tails.append(play(run))
        return tails[-1]

    host_of = runtime_job.host_of
    monkeypatch.setattr(
        runtime_job, "host_of", lambda *given: dataclasses.replace(host_of(*given), containers=remember)
    )
    assert shop.merged("sums") == (3, 0, 0), tails
    assert totals(shop) == [("ann", 17), ("bob", 5), ("cat", 1)], "what was merged meanwhile is not seen"
    assert tails[-1].tail == ("refused", "refused", "secret True hello")
    assert shop.rows(SCRATCH) == []
    run = seen[0]
    assert run.image == "sums:1"
    assert sorted(run.environment) == [
        "DATASURFACE_RUN", "PGDATABASE", "PGHOST", "PGPASSFILE", "PGPORT", "PGSSLMODE", "PGUSER",
    ]  # fmt: skip
    secrets = [run.files["login/password"], run.files["secrets/key/password"]]
    assert all(s not in value for s in secrets for value in (*run.environment.values(), *run.command))
    told = json.loads(run.files["run.json"])
    assert told["inputs"][0]["columns"][0] == {"name": "id", "type": "BigInt", "key": True, "nullable": False}
    assert told["inputs"][0]["history"] == "shop_orders_history"
    assert all(s not in run.files["run.json"] for s in secrets)
    assert stat.S_IMODE((tmp_path / "run1" / "login" / "pgpass").stat().st_mode) == 0o600
    shop.bench.apply(model(3))
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "ended with exit code 3" in result.error
    assert totals(shop) == [("ann", 17), ("bob", 5), ("cat", 1)]
