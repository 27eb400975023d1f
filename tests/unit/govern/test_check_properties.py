"""Whatever construction accepts, `check` answers: it never raises, and the order of declaration makes no difference."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from datasurface import (
    Access,
    AllowedVendors,
    Array,
    Assign,
    AssignStatus,
    BigInt,
    Binary,
    Column,
    ConsumerReplica,
    Credential,
    CredentialKind,
    Cron,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    DataTransformer,
    Decimal,
    Ecosystem,
    EmbeddedPostgres,
    Environment,
    External,
    Geography,
    GitHubRepository,
    GovernanceZone,
    Guard,
    Hint,
    History,
    Json,
    Latency,
    LegacyPlatform,
    Map,
    MySQLDatabase,
    PostgresDatabase,
    PrimaryIngestion,
    PythonModule,
    Snapshot,
    SqliteDatabase,
    String,
    Struct,
    Team,
    Timestamp,
    Vector,
    Vendor,
    Watermark,
    Workspace,
    YellowPlatform,
)
from datasurface.databases.base import capability_map
from datasurface.govern.check import check
from datasurface.govern.codes import CODES
from datasurface.model.types import DataType

_T = TypeVar("_T")

CAPABILITIES = capability_map()
SOUND = ["a", "b", "c", "a_b", "b_c", "orders", "orders_history", "A"]
STRANGE = ["ds_x", "pg", "", " ", "\0", "\ud800", "x" * 70, "a b", "a.b", "a/b", "é", "a:b", "\n", "'"]
TIMES = ["1 hour", "1 second", "5 mins", "", "0 days", "9" * 5000 + " days", "999999999999 years", "٣ days", "1 day"]
CRONS = [
    "0 6 * * 1-5",
    "* * 31 2 *",
    "*/0 * * * *",
    "",
    "1 2 3 4",
    "* * * jan sun-7",
    "0-99 * * * *",
    "/ - , * *",
    "9" * 5000,
]
ZONES = ["UTC", "", "../x", "Europe/Berlin", "\0", "Nowhere", "/etc", "\ud800", "x" * 5000]


class Nonsense:
    """Makes models of parts that construction accepts one by one; `strange` is the share of absurd texts."""

    def __init__(self, seed: int, strange: float) -> None:
        self.chance = random.Random(seed)
        self.strange = strange

    def some(self, make: Callable[[], _T], most: int = 3) -> list[_T]:
        return [make() for _ in range(self.chance.randint(0, most))]

    def maybe(self, make: Callable[[], _T]) -> _T | None:
        return make() if self.chance.random() < 0.3 else None

    def one(self, values: Sequence[_T]) -> _T:
        return self.chance.choice(values)

    def yes(self) -> bool:
        return self.chance.random() < 0.5

    def name(self) -> str:
        return self.one(STRANGE if self.chance.random() < self.strange else SOUND)

    def number(self) -> int:
        return self.one([-(10**30), -2, -1, 0, 1, 2, 5, 10**30])

    def reference(self) -> str:
        return self.one([f"{self.name()}.{self.name()}"] * 9 + [self.name()])

    def every(self) -> str | Cron | External:
        return self.one([self.one(TIMES), Cron(self.one(CRONS), tz=self.one(ZONES)), External()])

    def type(self, depth: int = 0) -> DataType:
        if depth < 2 and self.chance.random() < 0.3:
            inner = self.type(depth + 1)
            return self.one([Array(inner), Map(inner, String()), Struct({self.name(): inner}), Struct({})])
        n = self.number()
        return self.one([BigInt(), Json(), Geography(), Timestamp(), Decimal(n, 2), String(n), Binary(n), Vector(n)])

    def credential(self) -> Credential:
        return Credential(self.name(), kind=self.one(list(CredentialKind)))

    def container(self) -> PostgresDatabase | EmbeddedPostgres | SqliteDatabase | MySQLDatabase:
        name, places = self.name(), self.some(lambda: self.one(["v:usa", "v:", "usa", ":", "w:x"]))
        return self.one([
            PostgresDatabase(
                name, host="h", database="d", schema=self.name(), port=self.number(), locations=places,
                credential=self.maybe(self.credential), connections=self.number(),
            ),
            EmbeddedPostgres(name, database=self.maybe(self.name)),
            SqliteDatabase(name, path="p"),
            MySQLDatabase(name, host="h", database="d"),
        ])  # fmt: skip

    def capture(self) -> Snapshot | Watermark:
        container, every = self.container(), self.every()
        mark = Watermark(container, column=self.name(), every=every, overlap=self.one([None, 3, self.one(TIMES)]))
        return self.one([Snapshot(container, credential=self.maybe(self.credential), every=every), mark])

    def column(self) -> Column:
        return Column(self.name(), self.type(), key=self.yes(), nullable=self.yes(), source=self.name())

    def dataset(self) -> Dataset:
        source = self.one([self.name(), (self.name(), self.name())])
        return Dataset(self.name(), columns=self.some(self.column), source=source, deprecated=self.maybe(self.name))

    def datastore(self) -> Datastore:
        return Datastore(
            self.name(),
            capture=self.one([self.capture(), self.capture(), None]),
            datasets=self.some(self.dataset),
            access=self.one(list(Access)),
            approvals=self.some(lambda: self.one([self.reference(), f"{self.reference()}:{self.name()}"])),
            guard=Guard(max_deleted=self.one([0.5, -1.0, float("nan"), float("inf")]), above_rows=self.number()),
            deprecated=self.maybe(self.name),
        )

    def sink(self) -> DatasetSink:
        columns = self.maybe(lambda: self.some(self.name))
        return DatasetSink(self.reference(), columns=columns, accept_deprecated=self.yes())

    def group(self) -> DatasetGroup:
        return DatasetGroup(
            self.name(),
            sinks=self.some(self.sink),
            history=self.one(list(History)),
            latency=self.one(list(Latency)),
            retention=self.maybe(lambda: self.one(TIMES)),
            platform=self.maybe(self.name),
        )

    def transformer(self) -> DataTransformer:
        secrets: dict[str, Credential | str] = {self.name(): self.credential()}
        code = PythonModule("m:f")
        return DataTransformer(self.name(), code=code, output=self.datastore(), every=self.every(), secrets=secrets)

    def workspace(self) -> Workspace:
        return Workspace(
            self.name(),
            groups=self.some(self.group),
            transformer=self.maybe(self.transformer),
            container=self.maybe(self.container),
            production=self.yes(),
            readers=self.some(self.name, 1),
            deprecated=self.maybe(self.name),
        )

    def team(self) -> Team:
        return Team(self.name(), datastores=self.some(self.datastore), workspaces=self.some(self.workspace))

    def zone(self) -> GovernanceZone:
        policies = self.some(lambda: AllowedVendors([self.name()]))
        return GovernanceZone(self.name(), policies=policies, teams=self.some(self.team))

    def platform(self) -> YellowPlatform | LegacyPlatform:
        hint = Hint(memory=self.maybe(self.name), connections=self.maybe(self.number))
        yellow = YellowPlatform(
            self.name(),
            container=self.container(),
            credential=self.maybe(self.credential),
            histories=self.some(lambda: self.one(list(History))),
            keep_batches=self.number(),
            secrets=self.maybe(lambda: self.some(self.name)),
            replicas=self.some(self.replica, 1),
            hints={self.reference(): hint, self.name(): hint},
        )
        return self.one([yellow, yellow, LegacyPlatform(self.name(), container=self.maybe(self.container))])

    def replica(self) -> ConsumerReplica:
        return ConsumerReplica(
            self.name(), container=self.container(), workspaces=self.some(self.name), every=self.every()
        )

    def rule(self) -> Assign | PrimaryIngestion:
        rule = Assign(
            self.name(),
            workspace=self.maybe(self.name),
            group=self.maybe(self.name),
            zone=self.maybe(self.name),
            history=self.maybe(lambda: self.one(list(History))),
            status=self.one(list(AssignStatus)),
        )
        return self.one([rule, rule, PrimaryIngestion(self.name(), datastores=self.some(self.name))])

    def environment(self) -> Environment:
        platforms = self.some(self.platform, 1)
        return Environment(self.name(), containers={self.name(): self.container()}, platforms=platforms)

    def ecosystem(self) -> Ecosystem:
        return Ecosystem(
            self.name(),
            owner=GitHubRepository("a/b"),
            zones=self.some(self.zone),
            vendors=self.some(lambda: Vendor(self.one(["v", self.name()]), locations=self.some(self.name))),
            platforms=self.some(self.platform),
            environments=self.some(self.environment),
            assignments=self.some(self.rule),
        )


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), strange=st.sampled_from([0.0, 0.1, 0.5]))
def test_check_never_raises_and_what_it_says_can_be_printed(seed: int, strange: float):
    nonsense = Nonsense(seed, strange)
    report = check(nonsense.ecosystem(), CAPABILITIES, environment=nonsense.maybe(nonsense.name))
    assert {found.code for found in report.findings} <= set(CODES)
    assert all(found.position is not None for found in report.findings)
    report.to_text().encode()
    assert report.to_json()["ok"] == (not report.errors)


def reordered(ecosystem: Ecosystem, chance: random.Random) -> Ecosystem:
    def shuffled(values: Sequence[_T]) -> list[_T]:
        return chance.sample(list(values), len(values))

    def team(t: Team) -> Team:
        return Team(t.name, datastores=shuffled(t.datastores), workspaces=shuffled(t.workspaces))

    def zone(z: GovernanceZone) -> GovernanceZone:
        return GovernanceZone(z.name, policies=shuffled(z.policies), teams=[team(t) for t in shuffled(z.teams)])

    return Ecosystem(
        ecosystem.name,
        owner=ecosystem.owner,
        zones=[zone(z) for z in shuffled(ecosystem.zones)],
        vendors=shuffled(ecosystem.vendors),
        platforms=shuffled(ecosystem.platforms),
        environments=shuffled(ecosystem.environments),
        assignments=shuffled(ecosystem.assignments),
    )


def told(ecosystem: Ecosystem) -> set[tuple[str, str, str]]:
    return {(f.code, f.path, f.message) for f in check(ecosystem, CAPABILITIES).findings}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(seed=st.integers(0, 2**32))
def test_the_order_of_declaration_makes_no_difference(seed: int):
    ecosystem = Nonsense(seed, 0.05).ecosystem()
    found = told(ecosystem)
    assume(not {code for code, _path, _message in found} & {"DS-D001"})
    assert told(reordered(ecosystem, random.Random(seed))) == found
