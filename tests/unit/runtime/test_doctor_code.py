"""What the doctor says of code that is fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasurface import (
    BigInt,
    Column,
    Credential,
    CredentialKind,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    GovernanceZone,
    LocalRepository,
    PythonRepository,
    Snapshot,
    SqliteDatabase,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.release.job import PlatformSpec
from datasurface.runtime.doctor.check import Verdict
from datasurface.runtime.doctor.code import code
from datasurface.runtime.doctor.secrets import transformer_secrets
from datasurface.secrets.environment import EnvironmentStore
from datasurface.secrets.keyring import Keyring
from workbench import compiled

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True)])


def spec() -> PlatformSpec:
    fetched = PythonRepository(
        "https://git.acme.example/sums.git",
        release="v1",
        entry="sums:run",
        credential=Credential("code_reader", kind=CredentialKind.TOKEN),
    )
    transformer = DataTransformer("add", code=fetched, output=Datastore("sums", datasets=[ORDERS]))
    team = Team(
        "sales",
        datastores=[Datastore("shop", capture=Snapshot(SqliteDatabase("shop", path="shop.db")), datasets=[ORDERS])],
        workspaces=[
            Workspace("adding", groups=[DatasetGroup("all", sinks=["shop.orders"])], transformer=transformer),
            Workspace("reports", groups=[DatasetGroup("all", sinks=["sums.orders"])]),
        ],
    )
    zones = [GovernanceZone("usa", teams=[team])]
    return compiled(
        Ecosystem("acme", owner=LocalRepository("."), platforms=[YellowPlatform("yellow")], zones=zones)
    ).platforms[0]


def keyring(variables: dict[str, str]) -> Keyring:
    return Keyring([("environment", lambda: EnvironmentStore(variables))])


def test_fetching_code_needs_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [c for c in code(spec(), tmp_path) if "git" in c.detail]
    assert [c.verdict for c in found] == [Verdict.PASS]
    monkeypatch.setenv("PATH", str(tmp_path))
    found = [c for c in code(spec(), tmp_path) if "git" in c.detail]
    assert [(c.verdict, c.remedy) for c in found] == [(Verdict.FAIL, "install git")]


def test_the_credential_of_a_repository_is_looked_for() -> None:
    (there,) = transformer_secrets(spec(), keyring({"DATASURFACE_CODE_READER_TOKEN": "x"}))
    assert there.verdict is Verdict.PASS
    (absent,) = transformer_secrets(spec(), keyring({}))
    assert absent.verdict is Verdict.FAIL
    assert "code_reader" in absent.subject
