"""Every noun of the public contract, with its fields, defaults and positions; and what all nouns have in common."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import datasurface
from datasurface import (
    PII,
    PUBLIC,
    Access,
    AssignStatus,
    AwsEgress,
    AwsIdentity,
    AwsNetwork,
    BigInt,
    ChangeCapture,
    Cloud,
    Column,
    Consistency,
    Credential,
    CredentialKind,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    DataTransformer,
    Decimal,
    Ecosystem,
    EmbeddedPostgres,
    GitHubRepository,
    GovernanceZone,
    Guard,
    History,
    Integer,
    Latency,
    NodeGroup,
    OutputMode,
    PostgresDatabase,
    Priority,
    PythonModule,
    Snapshot,
    SqlQueries,
    String,
    Struct,
    TaskKind,
    Team,
    Tls,
    Watermark,
    Workspace,
    YellowPlatform,
)
from datasurface.errors import ModelCallError
from datasurface.model.base import NOUNS, Noun
from datasurface.model.capture import Capture
from datasurface.model.infrastructure import Container

REQUIRED = object()
DATABASE: dict[str, Any] = {"credential": None, "connections": 4, "locations": ()}
READ: dict[str, Any] = {"credential": None, "every": "1 hour", "consistency": Consistency.DATASTORE}

# The noun, its leading positional fields, its fields by keyword with their defaults.
TABLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Ecosystem", {"name": REQUIRED}, {"owner": REQUIRED, "zones": (), "vendors": (), "platforms": (),
        "environments": (), "assignments": (), "doc": ""}),
    ("GovernanceZone", {"name": REQUIRED}, {"owner": None, "policies": (), "teams": (), "doc": ""}),
    ("Team", {"name": REQUIRED}, {"owner": None, "datastores": (), "workspaces": (), "doc": ""}),
    ("GitHubRepository", {"name": REQUIRED}, {"branch": "main"}),
    ("GitLabRepository", {"url": REQUIRED, "name": REQUIRED}, {"branch": "main"}),
    ("LocalRepository", {"path": REQUIRED}, {"branch": "main"}),
    ("Vendor", {"name": REQUIRED}, {"cloud": Cloud.PRIVATE, "locations": (), "doc": ""}),
    ("PostgresDatabase", {"name": REQUIRED}, {"host": REQUIRED, "port": 5432, "database": REQUIRED,
        "schema": "public", "tls": Tls.PREFER, **DATABASE}),
    ("AuroraDatabase", {"name": REQUIRED}, {"host": REQUIRED, "port": 5432, "database": REQUIRED,
        "schema": "public", "tls": Tls.REQUIRE, **DATABASE}),
    ("MySQLDatabase", {"name": REQUIRED}, {"host": REQUIRED, "port": 3306, "database": REQUIRED,
        "tls": Tls.PREFER, **DATABASE}),
    ("SqlServerDatabase", {"name": REQUIRED}, {"host": REQUIRED, "port": 1433, "database": REQUIRED,
        "schema": "dbo", "tls": Tls.REQUIRE, **DATABASE}),
    ("OracleDatabase", {"name": REQUIRED}, {"host": REQUIRED, "port": 1521, "service": REQUIRED,
        "schema": REQUIRED, "tls": Tls.PREFER, **DATABASE}),
    ("Db2Database", {"name": REQUIRED}, {"host": REQUIRED, "port": 50000, "database": REQUIRED,
        "schema": REQUIRED, "tls": Tls.PREFER, **DATABASE}),
    ("SnowflakeDatabase", {"name": REQUIRED}, {"account": REQUIRED, "warehouse": REQUIRED, "database": REQUIRED,
        "schema": "PUBLIC", "role": None, **DATABASE}),
    ("SqliteDatabase", {"name": REQUIRED}, {"path": REQUIRED, "connections": 4, "locations": ()}),
    ("DuckLake", {"name": REQUIRED}, {"catalog": REQUIRED, "data": REQUIRED, "credential": None, "locations": ()}),
    ("EmbeddedPostgres", {"name": "local"}, {"database": None, "schema": "public", "connections": 4, "locations": ()}),
    ("FileStore", {"name": REQUIRED}, {"uri": REQUIRED, "credential": None, "locations": ()}),
    ("KafkaCluster", {"name": REQUIRED}, {"servers": REQUIRED, "credential": None, "locations": ()}),
    ("Credential", {"name": REQUIRED}, {"kind": CredentialKind.PASSWORD}),
    ("Datastore", {"name": REQUIRED}, {"capture": None, "datasets": (), "access": Access.OPEN, "approvals": (),
        "guard": Guard(), "production": False, "deprecated": None, "doc": ""}),
    ("Guard", {}, {"max_deleted": 0.5, "above_rows": 1000, "allow_empty": False}),
    ("Snapshot", {"container": REQUIRED}, READ),
    ("Watermark", {"container": REQUIRED}, {"column": REQUIRED, "overlap": None, "reconcile": None, **READ}),
    ("ChangeCapture", {"container": REQUIRED}, {"slot": None, **READ}),
    ("MilestonedSource", {"container": REQUIRED}, {"valid_from": REQUIRED, "valid_to": REQUIRED, **READ}),
    ("Cron", {"expression": REQUIRED}, {"tz": "UTC"}),
    ("External", {}, {}),
    ("Workspace", {"name": REQUIRED}, {"groups": (), "transformer": None, "container": None,
        "priority": Priority.MEDIUM, "production": False, "readers": (), "deprecated": None, "doc": ""}),
    ("DatasetGroup", {"name": REQUIRED}, {"sinks": REQUIRED, "history": History.LIVE, "latency": Latency.HOURS,
        "retention": None, "regulator": None, "platform": None}),
    ("DatasetSink", {"dataset": REQUIRED}, {"columns": None, "accept_deprecated": False}),
    ("DataTransformer", {"name": REQUIRED}, {"code": REQUIRED, "output": REQUIRED, "every": None, "run_as": None,
        "mode": OutputMode.SNAPSHOT, "secrets": {}, "params": {}, "resources": None}),
    ("PythonModule", {"entry": REQUIRED}, {}),
    ("PythonRepository", {"repository": REQUIRED}, {"release": REQUIRED, "entry": REQUIRED, "credential": None}),
    ("PythonPackage", {"requirement": REQUIRED}, {"entry": REQUIRED}),
    ("SqlQueries", {"queries": REQUIRED}, {}),
    ("DbtProject", {"project": REQUIRED}, {"release": None, "credential": None}),
    ("ContainerImage", {"image": REQUIRED, "command": ()}, {}),
    ("SystemCode", {"name": REQUIRED}, {}),
    ("YellowPlatform", {"name": REQUIRED}, {"container": EmbeddedPostgres(), "credential": None, "code_user": None,
        "histories": (History.LIVE, History.FULL), "keep_batches": 0, "secrets": None, "locations": (),
        "replicas": (), "hints": {}, "doc": ""}),
    ("LegacyPlatform", {"name": REQUIRED}, {"container": None, "histories": (History.LIVE, History.FULL),
        "locations": (), "doc": ""}),
    ("Hint", {}, {"cpu": None, "memory": None, "connections": None, "timeout": None}),
    ("Assign", {"platform": REQUIRED}, {"workspace": None, "group": None, "history": None, "zone": None,
        "status": AssignStatus.PROVISIONED}),
    ("PrimaryIngestion", {"platform": REQUIRED}, {"datastores": REQUIRED}),
    ("ConsumerReplica", {"name": REQUIRED}, {"container": REQUIRED, "workspaces": REQUIRED, "every": "1 hour"}),
    ("Environment", {"name": REQUIRED}, {"containers": {}, "platforms": (), "production": False, "releases": None,
        "release_store": None, "release_credential": None, "secrets": None, "deployments": ()}),
    ("Airflow", {}, {"version": "3", "tasks": TaskKind.POD, "groups": {}, "group_learned": True, "timeout": "6 hours",
        "retries": 3, "retry_delay": "30 seconds", "longest_delay": "10 minutes", "look_again": "1 hour",
        "apply": "5 minutes", "security": "1 hour", "retention": "1 day", "audit": "1 day", "history": "90 days",
        "metadata": "datasurface_airflow", "failures": None, "connections": "datasurface_", "command": ("datasurface",),
        "folder": None, "environment": {}, "kubernetes_connection": None, "deferrable": False,
        "keep_failed_pods": False}),
    ("Kubernetes", {}, {"image": REQUIRED, "namespace": "datasurface", "version": None, "parallelism": 16,
        "egress": {}, "secret_store": None, "release_store": None, "release_secret": None, "api_server": None,
        "dns": None, "telemetry": None, "metrics_for": None, "service_monitors": False, "environment": {},
        "pull_secrets": (), "node_selector": {}, "nodes": None, "postgres": None, "airflow_namespace": None,
        "airflow_image": None, "airflow_database": None, "airflow_logs": None, "log_days": 14}),
    ("Egress", {"cidrs": ()}, {"port": None, "namespace": None, "pods": {}}),
    ("CloudNativePostgres", {"cluster": REQUIRED}, {"container": REQUIRED, "instances": 3, "storage": "50Gi",
        "storage_class": None, "image": None, "cpu": 2, "memory": "4Gi", "backups": None,
        "backup_store": None}),
    ("ClusterNodes", {}, {"cpu": REQUIRED, "memory": REQUIRED, "pods": 110, "count": 3}),
    ("Monitoring", {}, {"namespace": "monitoring", "operator": True, "interval": "30s", "labels": {}}),
    ("Aws", {}, {"account": REQUIRED, "region": REQUIRED, "cluster": None, "kubernetes": "1.35",
        "network": AwsNetwork(), "databases": (), "database_groups": (), "nodes": (NodeGroup("jobs"),),
        "identity": AwsIdentity.POD_IDENTITY, "create_roles": (), "admins": (), "api_access": (),
        "shared_storage": False, "alarms_to": (), "keep_logs": 365, "deletion_protection": True, "expires": None,
        "tags": {}}),
    ("AwsNetwork", {}, {"cidr": "10.64.0.0/16", "zones": 3, "egress": AwsEgress.NAT, "nat_gateways": None}),
    ("AwsExistingNetwork", {"vpc": REQUIRED}, {"cidr": REQUIRED, "subnets": REQUIRED, "endpoints": False}),
    ("AuroraCluster", {"container": REQUIRED}, {"version": "17.7", "instance": "db.r7g.large", "instances": None,
        "backup_days": 14, "deletion_protection": True, "rotate_days": 30}),
    ("NodeGroup", {"name": REQUIRED}, {"instance": None, "smallest": 2, "largest": None, "disk": 80, "spot": False}),
    ("AwsRole", {"role": REQUIRED}, {"account": None, "service_account": None}),
    ("EnvironmentSecrets", {}, {}),
    ("FileSecrets", {"path": REQUIRED}, {"read_only": False}),
    ("KubernetesSecrets", {}, {"namespace": None, "context": None, "prefix": "datasurface", "adopt": False,
        "read_only": False}),
    ("AwsSecrets", {}, {"region": None, "kms_key": None, "prefix": "datasurface", "adopt": False, "read_only": False}),
    ("AzureKeyVault", {"vault": REQUIRED}, {"prefix": "datasurface", "adopt": False, "read_only": False}),
    ("Classification", {"name": REQUIRED}, {"level": 0, "scheme": ""}),
    *[(name, {"classifications": REQUIRED}, {"doc": ""}) for name in
        ("AllowedClassifications", "ForbiddenClassifications")],
    *[(name, {"locations": REQUIRED}, {"doc": ""}) for name in ("AllowedLocations", "ForbiddenLocations")],
    ("AllowedVendors", {"vendors": REQUIRED}, {"doc": ""}),
    ("AllowedClouds", {"clouds": REQUIRED}, {"doc": ""}),
    ("AllowedPlatforms", {"platforms": REQUIRED}, {"doc": ""}),
    ("RequiredStorage", {}, {"encryption": True, "doc": ""}),
    ("RequiredRetention", {"retention": REQUIRED}, {"doc": ""}),
]  # fmt: skip

CRM = PostgresDatabase("crm", host="h", database="d")
ORDERS = Dataset("orders", columns=[Column("order_id", BigInt, key=True), Column("customer", String(80))])


@pytest.mark.parametrize(("name", "positional", "keyword"), TABLE, ids=[row[0] for row in TABLE])
def test_a_noun_has_the_fields_defaults_and_positions_of_the_contract(
    name: str, positional: dict[str, Any], keyword: dict[str, Any]
):
    fields = dataclasses.fields(getattr(datasurface, name))
    assert [f.name for f in fields if not f.kw_only] == list(positional)
    assert {f.name for f in fields if f.kw_only} == set(keyword)
    for f in fields:
        expected = {**positional, **keyword}[f.name]
        assert (REQUIRED if f.default is dataclasses.MISSING else f.default) == expected, f.name


def test_dependent_defaults():
    key, plain = Column("a", BigInt, key=True), Column("b", BigInt)
    assert (key.nullable, plain.nullable) == (False, True)
    assert (key.source, plain.source, Column("c", BigInt, source="C c").source) == ("a", "b", "C c")
    assert Column("d", BigInt, key=True, nullable=True).nullable
    assert Dataset("orders", columns=[]).source == "orders"
    assert Dataset("orders", columns=[], source=["sales", "Order Details"]).source == ("sales", "Order Details")  # type: ignore[arg-type]


def test_the_ready_made_classifications():
    names = ["PUBLIC", "INTERNAL", "CONFIDENTIAL", "PII", "PC1", "PC2", "PC3", "CPI", "CSI", "MNPI"]
    assert [getattr(datasurface, name).name for name in names] == names
    assert PUBLIC.level < PII.level


def test_a_star_import_gives_every_public_noun_and_nothing_else():
    scope: dict[str, Any] = {}
    exec("from datasurface import *", scope)
    names = {name for name in scope if name != "__builtins__"}
    assert not [name for name in names if name.startswith("_")]
    assert {row[0] for row in TABLE} <= names
    odd = [n for n in names if not isinstance(scope[n], (type, Noun))]
    assert odd == []


def test_importing_costs_no_third_party_package_nor_a_heavy_standard_one():
    code = "import sys; before = set(sys.modules); from datasurface import *; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - {"datasurface"} <= sys.stdlib_module_names | {"org", "nt", "_winapi"}
    assert not loaded & {"json", "pathlib", "hashlib", "difflib", "logging", "asyncio", "socket", "sqlite3"}


def test_nouns_are_frozen():
    column = Column("a", BigInt)
    with pytest.raises(dataclasses.FrozenInstanceError, match="Column 'a' is frozen"):
        column.name = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        column.other = 1  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del column.name  # pyright: ignore[reportAttributeAccessIssue]
    assert not hasattr(column, "__dict__")


def test_what_is_given_mutable_is_kept_frozen():
    columns, queries = [Column("a", BigInt)], {"a": "select 1"}
    dataset, code = Dataset("d", columns=columns), SqlQueries(queries)
    columns.clear()
    queries.clear()
    assert dataset.columns == (Column("a", BigInt),)
    assert code.queries == {"a": "select 1"}
    with pytest.raises(TypeError):
        code.queries["b"] = "x"  # type: ignore[index]
    assert hash(dataset) != hash(code)


def test_bare_types_and_shorthands_become_instances():
    assert Column("a", BigInt).type == BigInt()
    assert Struct({"a": BigInt}).fields["a"] == BigInt()
    assert DatasetGroup("g", sinks=["s.d"]).sinks == (DatasetSink("s.d"),)
    assert Snapshot(CRM, credential="reader").credential == Credential("reader")
    transformer = DataTransformer("t", code=PythonModule("m:f"), output=Datastore("o"), secrets={"api": "key"})
    assert transformer.secrets == {"api": Credential("key")}


def test_equality_counts_fields_and_class_but_not_position():
    one = Column("a", BigInt)
    two = Column("a", BigInt)
    assert one.declared_at != two.declared_at
    assert one == two
    assert hash(one) == hash(two)
    assert one != Column("a", Integer)
    assert BigInt() != Integer()
    assert one != "a"


def test_one_true_and_one_point_zero_are_three_parameters():
    made = [
        DataTransformer("t", code=PythonModule("m:f"), output=Datastore("o"), params={"n": n}) for n in (1, True, 1.0)
    ]
    assert len({m.digest for m in made}) == 3
    assert made[0] != made[1] != made[2] != made[0]


def test_repr_shows_the_fields():
    assert repr(Credential("a")) == "Credential(name='a', kind=<CredentialKind.PASSWORD: 'password'>)"


def test_copies_replacements_and_pickles():
    assert copy.copy(ORDERS) is ORDERS
    assert copy.deepcopy(ORDERS) is ORDERS
    assert dataclasses.replace(ORDERS, doc="new") == Dataset("orders", columns=ORDERS.columns, doc="new")
    model = Ecosystem(
        "e",
        owner=GitHubRepository("a/b"),
        platforms=[YellowPlatform("y")],
        zones=[
            GovernanceZone(
                "z", teams=[Team("t", datastores=[Datastore("s", capture=Snapshot(CRM), datasets=[ORDERS])])]
            )
        ],
    )
    again = pickle.loads(pickle.dumps(model))
    assert again == model
    assert again.digest == model.digest
    assert dataclasses.is_dataclass(ORDERS)
    assert dataclasses.asdict(ORDERS)["columns"][0]["name"] == "order_id"


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Column("a", BigInt, nulable=True), "Column has no argument .nulable. at .*did you mean .nul"),  # type: ignore[call-arg]
    (lambda: Column("a", BigInt, self=1), "Column has no argument 'self' at .*it has name, type, key"),  # type: ignore[call-arg]
    (lambda: Column("a", BigInt, *[True]), "Column takes True by keyword only at .*it takes name, type"),  # type: ignore[misc]
    (lambda: BigInt(8), "BigInt takes 8 by keyword only at .*it takes none"),  # type: ignore[call-arg]
    (lambda: BigInt(size=8), "BigInt has no argument 'size' at .*it has no arguments"),  # type: ignore[call-arg]
    (lambda: Column("a"), r"Column\(…\) is missing 'type' at .*it takes DataType"),  # type: ignore[call-arg]
    (lambda: Column(*()), r"Column\(…\) is missing 'name' at "),  # type: ignore[call-arg]
    (lambda: PostgresDatabase("p", host="h"), r"PostgresDatabase\(…\) is missing 'database' at "),  # type: ignore[call-arg]
    (lambda: Column(1, BigInt), r"Column\(name=…\) takes str, not int 1 at "),  # type: ignore[arg-type]
    (lambda: Column("a", int), r"Column\(type=…\) takes DataType, not type int at "),  # type: ignore[arg-type]
    (lambda: Column("a", "BigInt"), r"Column\(type=…\) takes DataType, not str 'BigInt' at "),  # type: ignore[arg-type]
    (lambda: Column("a", Decimal), r"Column\(type=…\) takes Decimal\(…\) with its arguments, not type Decimal at "),
    (lambda: Column("a", BigInt, key=1), r"Column\(key=…\) takes bool, not int 1 at "),  # type: ignore[arg-type]
    (lambda: String(length=True), r"String\(length=…\) takes int or None, not bool True at "),
    (lambda: String(80.0), r"String\(length=…\) takes int or None, not float 80.0 at "),  # type: ignore[arg-type]
    (lambda: Dataset("d", columns=Column("a", BigInt)), r"Dataset\(columns=…\) takes a list of Column, not Column "),  # type: ignore[arg-type]
    (lambda: Dataset("d", columns="abc"), r"Dataset\(columns=…\) takes a list of Column, not str 'abc' at "),  # type: ignore[arg-type]
    (lambda: Dataset("d", columns=["abc"]), r"Dataset\(columns=…\) takes Column, not str 'abc' at "),  # type: ignore[list-item]
    (lambda: Dataset("d", columns=None), r"Dataset\(columns=…\) takes a list of Column, not NoneType None at "),  # type: ignore[arg-type]
    (lambda: Dataset("d", columns=[], source=("a", 1)), r"takes str or a pair of str, not tuple \('a', 1\) at "),  # type: ignore[arg-type]
    (lambda: Dataset("d", columns=[], source=("a", "b", "c")), r"takes str or a pair of str, not tuple "),  # type: ignore[arg-type]
    (lambda: DatasetGroup("g", sinks=[], history="full"), r"takes History.LIVE or History.FULL, not str 'full' at "),  # type: ignore[arg-type]
    (lambda: Snapshot("crm"), r"Snapshot\(container=…\) takes Container, not str 'crm' at "),  # type: ignore[arg-type]
    (lambda: Snapshot(CRM, every=5), r"Snapshot\(every=…\) takes str or Cron or External, not int 5 at "),  # type: ignore[arg-type]
    (lambda: SqlQueries({1: "x"}), r"SqlQueries\(queries=…\) takes a dict of str or str, not dict \{1: 'x'\} at "),  # type: ignore[dict-item]
    (lambda: Guard(above_rows=10**5000), "takes int of a sensible size, not int that cannot be shown at "),
    (lambda: Guard(max_deleted=10**400), "takes float of a sensible size, not int "),
    (lambda: Container(*()), "Container is only the base of other classes at .*make one of those"),
    (lambda: Noun(*()), "Noun is only the base of other classes at "),
    (lambda: Capture(container=CRM), "Capture is only the base of other classes at "),  # type: ignore[call-arg]
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_a_wrong_call_raises_at_once_and_says_what_and_where(call: Callable[[], object], message: str):
    with pytest.raises(ModelCallError, match=f"(?s){message}") as caught:
        call()
    line = call.__code__.co_firstlineno
    assert f"{__file__}:{line}" in str(caught.value)


def test_an_argument_given_twice_names_the_class():
    with pytest.raises(TypeError, match=r"Column.__init__\(\) got multiple values for argument 'name'"):
        Column("a", BigInt, name="b")  # type: ignore[misc]


def test_a_stranger_who_cannot_be_shown_is_still_refused():
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(ModelCallError, match="takes str, not Rude that cannot be shown"):
        Column(Rude(), BigInt)  # type: ignore[arg-type]


def test_a_modelling_mistake_never_raises():
    Column("", BigInt)
    Column("\0\ud800", Decimal(-1, 10**30), source="")
    Dataset("d", columns=[])
    Dataset("d", columns=[Column("a", BigInt), Column("a", Integer)])
    DatasetGroup("g", sinks=["not a reference", "", "a.b.c.d"], retention="a while")
    Guard(max_deleted=float("nan"), above_rows=-1)
    Watermark(CRM, column="", every="never", overlap=-3)
    ChangeCapture(CRM, every="", slot="")
    Workspace("w", groups=[DatasetGroup("g", sinks=[])] * 2, readers=[""])
    Ecosystem("", owner=GitHubRepository(""), platforms=[YellowPlatform("y", keep_batches=-9)] * 2)


def test_numbers_and_texts_of_other_classes_are_kept_as_plain_ones():
    assert type(Column(History.LIVE, BigInt).name) is str
    assert type(Guard(max_deleted=1).max_deleted) is float
    assert repr(Guard(max_deleted=-0.0).max_deleted) == "0.0"


def test_nan_is_equal_to_itself():
    one, two = (Guard(max_deleted=float(text)) for text in ("nan", "-nan"))
    assert one == two
    assert hash(one) == hash(two)


def test_every_noun_is_documented_and_every_public_class_is_in_the_register():
    public = [v for n in datasurface.__all__ if isinstance(v := getattr(datasurface, n), type) and issubclass(v, Noun)]
    assert all(NOUNS[cls.__name__] is cls for cls in public)
    assert all(cls.__doc__ for cls in public)
