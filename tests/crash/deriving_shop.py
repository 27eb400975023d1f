"""The shop of the crash tests with a transformer, whose code can kill the platform that runs it."""

from __future__ import annotations

import dataclasses

import psycopg

from crash.shop import Shop
from datasurface import (
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    DbtProject,
    Ecosystem,
    History,
    Integer,
    PythonModule,
    String,
    Workspace,
)
from datasurface.model.transformer import Code

CODE = """
import os, signal
from pathlib import Path

ASKED = Path(__file__).with_name("asked")


def kill_platform_at(stage):
    if ASKED.exists() and ASKED.read_text() == stage:
        ASKED.unlink()
        warden = Path(f"/proc/{os.getppid()}/stat").read_text()
        os.kill(int(warden.rpartition(")")[2].split()[1]), signal.SIGKILL)
        signal.pause()


def run(context):
    kill_platform_at("start")
    rows = [(code, value * 2) for code, value in context.input("shop.small").rows()]
    context.output("doubled").write(rows[:50])
    kill_platform_at("half")
    context.output("doubled").write(rows[50:])
    kill_platform_at("written")
"""
PROJECT = {
    "dbt_project.yml": "name: doubling\nversion: '1.0'\n",
    "requirements.txt": "dbt-core==1.11.16\ndbt-postgres==1.11.0\n",
    "models/doubled.sql": """{{ config(materialized='table') }}
select code, value * 2 as value from {{ source('in', 'shop_small') }}""",
}
SLOW = " cross join (select pg_sleep(300)) as pause"
DOUBLED = Dataset("doubled", columns=[Column("code", String(20), key=True), Column("value", Integer)])


@dataclasses.dataclass(frozen=True)
class DerivingShop(Shop):
    """The shop, with a transformer of its small table."""

    def ecosystem(self) -> Ecosystem:
        made = super().ecosystem()
        team = made.zones[0].teams[0]
        code = DataTransformer("double", code=self.code(), output=Datastore("sums", datasets=[DOUBLED]))
        doubling = Workspace("doubling", groups=[DatasetGroup("in", sinks=["shop.small"])], transformer=code)
        wants = Workspace("wants", groups=[DatasetGroup("all", sinks=["sums.doubled"], history=History.FULL)])
        team = dataclasses.replace(team, workspaces=[*team.workspaces, doubling, wants])
        zone = dataclasses.replace(made.zones[0], teams=[team])
        return dataclasses.replace(made, zones=[zone])

    def code(self) -> Code:
        return PythonModule("double:run")

    def secrets(self) -> dict[str, str]:
        """Return the environment of every process of this platform, with the place of the logins that it makes."""
        return {**super().secrets(), "DATASURFACE_SECRETS": f"{self.folder}/secrets"}

    def rows_of(self, url: str, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(url) as connection:
            return connection.execute(query.encode()).fetchall()

    def derived(self) -> list[tuple[object, ...]]:
        return self.rows_of(self.target, "SELECT code, value FROM wants_all.sums_doubled ORDER BY 1")

    def expected(self) -> list[tuple[object, ...]]:
        return self.rows_of(self.source, "SELECT code, value * 2 FROM small ORDER BY code")


@dataclasses.dataclass(frozen=True)
class ProjectShop(DerivingShop):
    """The same, by a dbt project in the model folder."""

    def code(self) -> Code:
        return DbtProject("project")
