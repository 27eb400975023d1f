from __future__ import annotations

import dataclasses
import enum
import subprocess
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import datasurface
from datasurface import (
    INTERNAL,
    PII,
    BigInt,
    Column,
    Credential,
    CredentialKind,
    Dataset,
    Datastore,
    Decimal,
    DuckLake,
    Ecosystem,
    PostgresDatabase,
    Snapshot,
    SqliteDatabase,
    String,
    Timestamp,
    Vendor,
    Workspace,
    YellowPlatform,
)
from datasurface.model.base import NOUNS, Noun, _names_for
from datasurface.model.source_code import datastore_code, model_code


def run(code: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(compile(code, "eco.py", "exec"), scope)
    return scope


CRM = Datastore(
    "crm",
    capture=Snapshot(
        PostgresDatabase("crm", host="db.acme.example", database="crm"), credential="crm_reader", every="5 minutes"
    ),
    datasets=[
        Dataset(
            "orders",
            source=("sales", "Order Details"),
            classification=[INTERNAL],
            columns=[
                Column("order_id", BigInt, key=True),
                Column("customer", String(80), classification=[PII], doc='says "hi"'),
                Column("placed_at", Timestamp(tz=False), nullable=False, source="placed at"),
                Column("total", Decimal(10, 2)),
            ],
        )
    ],
)
CRM_CODE = """\
# from crm
# two lines

from datasurface import (
    INTERNAL,
    PII,
    BigInt,
    Column,
    Dataset,
    Datastore,
    Decimal,
    PostgresDatabase,
    Snapshot,
    String,
    Timestamp,
)

crm_db = PostgresDatabase("crm", host="db.acme.example", database="crm")

crm = Datastore(
    "crm",
    capture=Snapshot(crm_db, credential="crm_reader", every="5 minutes"),
    datasets=[
        Dataset(
            "orders",
            columns=[
                Column("order_id", BigInt, key=True),
                Column("customer", String(80), classification=[PII], doc='says "hi"'),
                Column("placed_at", Timestamp(tz=False), nullable=False, source="placed at"),
                Column("total", Decimal(10, 2)),
            ],
            source=("sales", "Order Details"),
            classification=[INTERNAL],
        ),
    ],
)
"""


def test_reads_as_a_person_would_write_it():
    code = datastore_code(CRM, comments=["from crm", "two\nlines"])
    assert code == CRM_CODE
    assert run(code)["crm"] == CRM


def test_is_as_the_formatter_leaves_it():
    code = datastore_code(CRM)
    arguments = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "-"]
    assert subprocess.run(arguments, input=code, capture_output=True, text=True, check=True).stdout == code


def test_the_variable_never_meets_another_name():
    for name in ("Snapshot", "class", "print", "PII", "9lives", "ünï", ""):
        store = Datastore(name, capture=Snapshot(SqliteDatabase(name, path="a")))
        found = run(datastore_code(store, variable=name))
        assert store in [v for v in found.values() if isinstance(v, Datastore)], name


def test_equal_containers_share_a_variable_and_different_ones_of_a_name_do_not():
    one, two = SqliteDatabase("a", path="1"), SqliteDatabase("a", path="2")
    stores = [Datastore(f"s{n}", capture=Snapshot(c)) for n, c in enumerate([one, two, SqliteDatabase("a", path="1")])]
    eco = Ecosystem(
        "e",
        owner=datasurface.LocalRepository("."),
        zones=[datasurface.GovernanceZone("z", teams=[datasurface.Team("t", datastores=stores)])],
    )
    code = model_code(eco)
    assert code.count("SqliteDatabase(") == 2
    assert run(code)["ecosystem"] == eco


def test_a_credential_of_another_kind_keeps_it():
    lake = DuckLake("d", catalog="c", data="s3://x", credential=Credential("k", kind=CredentialKind.KEY_PAIR))
    store = Datastore("s", capture=Snapshot(lake, credential="plain"))
    code = datastore_code(store)
    assert 'credential=Credential("k", kind=CredentialKind.KEY_PAIR)' in code
    assert 'credential="plain"' in code
    assert run(code)["s"] == store


def test_same_model_same_text():
    eco = Ecosystem("e", owner=datasurface.LocalRepository("."), vendors=[Vendor("v", locations=["a"])])
    again = Ecosystem.from_json(eco.to_json())
    assert model_code(eco) == model_code(again)
    with pytest.raises(AssertionError):
        assert model_code(eco) == model_code(Ecosystem("f", owner=eco.owner))


DSL = {name: cls for name, cls in NOUNS.items() if hasattr(datasurface, name)}


@cache
def made(cls: type[Noun]) -> st.SearchStrategy[Any]:
    """Any object of a class, with every field from its annotation; of an abstract class any of its kinds."""
    if cls.__name__ not in DSL:
        kinds = [made(kind) for kind in DSL.values() if issubclass(kind, cls)]
        return st.deferred(lambda: st.one_of(kinds)) if kinds else st.nothing()
    names = _names_for(cls)
    fields = dataclasses.fields(cast("Any", cls))
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in fields:
        values = later(eval(str(field.type), names))
        (required if field.default is dataclasses.MISSING else optional)[field.name] = values
    return st.fixed_dictionaries(required, optional=optional).map(lambda arguments: cls(**arguments))


def later(hint: Any) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: of(hint))


def of(hint: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one line a kind of annotation
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of(a) for a in arguments if typing.get_origin(a) is not type])
    if origin is Sequence:
        return st.lists(of(arguments[0]), max_size=2)
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=3), of(arguments[1]), max_size=2)
    if origin is tuple:
        return st.tuples(*[of(a) for a in arguments])
    if isinstance(hint, type) and issubclass(hint, Noun):
        return made(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    return SIMPLE[hint]


SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=6) | st.sampled_from(["crm", "Order Details", 'a"b', "it's", "\\", "a\nb", "\ud800"]),
    bool: st.booleans(),
    int: st.integers(-5, 10**12),
    float: st.floats(allow_nan=False),
    type(None): st.none(),
}

RELAXED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@RELAXED
@given(made(Datastore))
def test_any_datastore_comes_back_equal(store: Datastore):
    found = run(datastore_code(store, variable="wanted"))["wanted"]
    assert found == store
    assert repr(found) == repr(store)


@RELAXED
@given(made(Workspace) | made(YellowPlatform))
def test_any_part_of_a_model_comes_back_equal(part: Workspace | YellowPlatform):
    owner = datasurface.LocalRepository(".")
    if isinstance(part, Workspace):
        zones = [datasurface.GovernanceZone("z", teams=[datasurface.Team("t", workspaces=[part])])]
        eco = Ecosystem("e", owner=owner, zones=zones)
    else:
        eco = Ecosystem("e", owner=owner, platforms=[part])
    assert run(model_code(eco))["ecosystem"] == eco


@settings(RELAXED, max_examples=60)
@given(made(Ecosystem))
def test_any_model_comes_back_equal(eco: Ecosystem):
    assert run(model_code(eco))["ecosystem"] == eco
