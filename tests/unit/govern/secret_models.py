"""A model of one source table and one consumer, with the parts that a test is about."""

from __future__ import annotations

from collections.abc import Sequence

from datasurface import (
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    Ecosystem,
    Environment,
    GitHubRepository,
    GovernanceZone,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.model.capture import Capture
from datasurface.model.secret_stores import StoreChoice


def consumed_model(
    capture: Capture, *, secrets: Sequence[StoreChoice] | None = None, environments: Sequence[Environment] = ()
) -> Ecosystem:
    store = Datastore("crm", capture=capture, datasets=[Dataset("orders", columns=[Column("id", BigInt, key=True)])])
    workspace = Workspace("reports", groups=[DatasetGroup("live", sinks=["crm.orders"])])
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[YellowPlatform("yellow", secrets=secrets)],
        environments=environments,
        zones=[GovernanceZone("usa", teams=[Team("sales", datastores=[store], workspaces=[workspace])])],
    )
