"""What a model means where it says nothing: owners, credentials, durations, references, walks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from datasurface import (
    ConsumerReplica,
    Credential,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    DataTransformer,
    Ecosystem,
    EmbeddedPostgres,
    GitHubRepository,
    GovernanceZone,
    LegacyPlatform,
    LocalRepository,
    PostgresDatabase,
    PythonModule,
    Snapshot,
    SqliteDatabase,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.model import effective

ROOT, ZONE, TEAM = GitHubRepository("root/r"), GitHubRepository("zone/z"), LocalRepository("/team")
CRM = PostgresDatabase("crm", host="h", database="d", credential="of_container")
FILES = SqliteDatabase("files", path="f")
REPLICA = PostgresDatabase("replica", host="r", database="d")
OUTPUT = Datastore("derived", datasets=[Dataset("sums", columns=[])])
MODEL = Ecosystem("e", owner=ROOT,
    platforms=[YellowPlatform("y", replicas=[ConsumerReplica("c", container=REPLICA, workspaces=["w"])]),
               LegacyPlatform("old")],
    zones=[
        GovernanceZone("first", teams=[
            Team("a", datastores=[Datastore("s1", capture=Snapshot(CRM)), Datastore("s2")],
                 workspaces=[Workspace("w", container=REPLICA, transformer=DataTransformer(
                     "t", code=PythonModule("m:f"), output=OUTPUT))]),
            Team("b", owner=TEAM, datastores=[Datastore("s3", capture=Snapshot(FILES))])]),
        GovernanceZone("second", owner=ZONE, teams=[Team("c", workspaces=[Workspace("v")])]),
    ])  # fmt: skip


def test_owners_are_inherited():
    first, second = MODEL.zones
    assert [effective.owner_of_zone(MODEL, zone) for zone in MODEL.zones] == [ROOT, ZONE]
    assert [effective.owner_of_team(MODEL, first, team) for team in first.teams] == [ROOT, TEAM]
    assert effective.owner_of_team(MODEL, second, second.teams[0]) == ZONE
    assert first.owner is None


def test_walks_follow_the_declaration():
    placed = list(effective.all_datastores(MODEL))
    assert [p.datastore.name for p in placed] == ["s1", "s2", "derived", "s3"]
    assert [p.workspace.name if p.workspace else None for p in placed] == [None, None, "w", None]
    assert [(p.zone.name, p.team.name) for p in placed][-1] == ("first", "b")
    assert [(p.zone.name, p.workspace.name) for p in effective.all_workspaces(MODEL)] == [
        ("first", "w"),
        ("second", "v"),
    ]
    names = [container.name for container in effective.all_containers(MODEL)]
    assert names == ["local", "replica", "crm", "files", "replica"]


def test_a_capture_has_its_own_credential_or_its_containers():
    own = Datastore("s", capture=Snapshot(CRM, credential="own"))
    assert effective.capture_credential(own) == Credential("own")
    assert effective.capture_credential(Datastore("s", capture=Snapshot(CRM))) == Credential("of_container")
    assert effective.capture_credential(Datastore("s", capture=Snapshot(FILES))) is None
    assert effective.capture_credential(Datastore("s", capture=Snapshot(REPLICA))) is None
    assert effective.capture_credential(Datastore("s")) is None


def test_a_platform_has_its_own_credential_or_its_containers():
    assert effective.platform_credential(YellowPlatform("y", credential="own", container=CRM)) == Credential("own")
    assert effective.platform_credential(YellowPlatform("y", container=CRM)) == Credential("of_container")
    assert effective.platform_credential(YellowPlatform("y")) is None


def test_the_embedded_database_is_named_after_the_ecosystem():
    assert effective.embedded_database(EmbeddedPostgres(), "acme") == "acme"
    assert effective.embedded_database(EmbeddedPostgres(database="own"), "acme") == "own"


def test_sinks_are_instances_however_they_were_written():
    group = DatasetGroup("g", sinks=["a.b", DatasetSink("c.d", columns=["x"])])
    assert effective.sinks_of(group) == (DatasetSink("a.b"), DatasetSink("c.d", columns=["x"]))


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a.b", ("a", "b")), ("a", None), ("", None), (".", None), ("a.", None), (".b", None), ("a.b.c", None)],
)
def test_references(text: str, parts: tuple[str, str] | None):
    assert effective.split_reference(text) == parts


def test_the_physical_name_of_a_dataset():
    assert effective.source_of(Dataset("d", columns=[]), "public") == ("public", "d")
    assert effective.source_of(Dataset("d", columns=[], source="Order Details"), None) == (None, "Order Details")
    assert effective.source_of(Dataset("d", columns=[], source=("sales", "x")), "public") == ("sales", "x")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1 second", timedelta(seconds=1)),
        ("5 minutes", timedelta(minutes=5)),
        ("5minutes", timedelta(minutes=5)),
        ("  2   hours ", timedelta(hours=2)),
        ("1 day", timedelta(days=1)),
        ("3 weeks", timedelta(weeks=3)),
        ("2 months", timedelta(days=62)),
        ("7 years", timedelta(days=7 * 366)),
        *[(bad, None) for bad in (
            "", "5", "minutes", "0 days", "-1 day", "1.5 hours", "5 Minutes", "1 fortnight", "1 day 2 hours", "1 dayss",
            "999999999999999999 years", "9" * 5000 + " days", "5 minutes\0", "five minutes",
        )],
    ],
)  # fmt: skip
def test_durations(text: str, length: timedelta | None):
    assert effective.duration(text) == length
