"""The JSON form: both ways for every noun, stable, complete, and never a crash on junk."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import random
import subprocess
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from enum import EnumMeta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datasurface
from datasurface import (
    BigInt,
    Column,
    Dataset,
    Ecosystem,
    GitHubRepository,
    Guard,
    Hint,
    Integer,
    Json,
    LocalRepository,
    SqlQueries,
    String,
    Struct,
)
from datasurface.errors import ModelCallError
from datasurface.model.base import NOUNS, Noun, _names_for
from datasurface.model.serial import _SURROGATE, encode

CANONICAL: dict[str, Any] = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
PUBLIC_NOUNS = [cls for name, cls in sorted(NOUNS.items()) if getattr(datasurface, name, None) is cls]
TEXTS = ["", "a", "is", "map", "enum", "float", "é", '"', "\\", "\0", "\n", "\ud800", "\U0001f600", "\u2028", "x" * 300]
PLAIN: dict[object, list[Any]] = {
    str: TEXTS,
    bool: [True, False],
    int: [0, 1, -1, 80, 10**30, -(10**30), 1 << 62, 1 << 63, 10**300],
    float: [0.0, -0.0, 0.1, 1e-300, 1e300, 5, float("nan"), float("inf"), float("-inf")],
    type(None): [None],
}


class Anything:
    """Makes values that annotations allow, `depth` nouns deep at most but for what is required."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def value(self, hint: Any, depth: int) -> Any:  # noqa: PLR0911 - one line a kind of annotation
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if hint in PLAIN:
            return self.chance.choice(PLAIN[hint])
        if isinstance(hint, EnumMeta):
            return self.chance.choice(list(cast("Any", hint)))
        if origin in (typing.Union, types.UnionType):
            return self.value(self.chance.choice([a for a in arguments if typing.get_origin(a) is not type]), depth)
        if origin is tuple:
            return tuple([self.value(a, depth) for a in arguments])
        how_many = self.chance.randint(0, 2) if depth > 0 else 0
        if origin is Sequence:
            made = [self.value(arguments[0], depth - 1) for _ in range(how_many) if _classes(arguments[0], depth)]
            return self.chance.choice([made, tuple(made)])
        if origin is Mapping:
            return {self.chance.choice(TEXTS): self.value(arguments[1], depth - 1) for _ in range(how_many)}
        return self.noun(self.chance.choice(_classes(hint, depth)), depth - 1)

    def noun(self, cls: type[Noun], depth: int) -> Noun:
        wanted = [
            f
            for f in dataclasses.fields(cast("Any", cls))
            if f.default is dataclasses.MISSING or (depth > 0 and self.chance.random() < 0.5)
        ]
        return cls(**{f.name: self.value(eval(str(f.type), _names_for(cls)), depth) for f in wanted})


def _classes(hint: Any, depth: int) -> list[Any]:
    """The nouns that fit; where it gets deep, those whose required fields are plain."""
    if not (isinstance(hint, type) and issubclass(hint, Noun)):
        return [hint]
    fitting = [cls for cls in PUBLIC_NOUNS if issubclass(cls, hint)]
    flat = [cls for cls in fitting if not any("Data" in str(f.type) for f in dataclasses.fields(cast("Any", cls)))]
    return flat if depth <= 0 and flat else fitting


@pytest.mark.parametrize("cls", PUBLIC_NOUNS, ids=[cls.__name__ for cls in PUBLIC_NOUNS])
def test_what_is_written_is_read_back_equal(cls: type[Noun]):
    @settings(max_examples=25, deadline=None, database=None)
    @given(seed=st.integers(0, 2**64))
    def round_trip(seed: int) -> None:
        made = Anything(seed).noun(cls, depth=4)
        text = made.to_json()
        text.encode()
        again = cls.from_json(text)
        assert again == made
        assert hash(again) == hash(made)
        assert again.to_json() == text
        assert again.digest == made.digest
        assert again.declared_at is None
        assert json.loads(text) == encode(made)
        assert text == _SURROGATE.sub("\\\\ud800", json.dumps(encode(made), **CANONICAL))

    round_trip()


def test_defaults_are_left_out_dependent_ones_too():
    assert Column("a", BigInt).to_json() == '{"is":"Column","name":"a","type":{"is":"BigInt"}}'
    assert '"nullable":true' in Column("a", BigInt, key=True, nullable=True).to_json()
    assert "nullable" not in Column("a", BigInt, key=True, nullable=False).to_json()
    assert "source" not in Column("a", BigInt, source="a").to_json()
    assert '"source":"b"' in Column("a", BigInt, source="b").to_json()


def test_the_order_of_keys_and_of_mappings_is_canonical():
    one, two = SqlQueries({"a": "1", "b": "2"}), SqlQueries({"b": "2", "a": "1"})
    assert one == two
    assert one.to_json() == two.to_json() == '{"is":"SqlQueries","queries":{"map":{"a":"1","b":"2"}}}'


def test_texts_are_written_as_they_are_but_for_what_no_file_can_hold():
    assert '"name":"é ☃ \U0001f600"' in Column("é ☃ \U0001f600", BigInt).to_json()
    half = Column("a\ud800", BigInt)
    assert '"name":"a\\ud800"' in half.to_json()
    assert Column.from_json(half.to_json()) == half
    assert len(half.digest) == 64


def test_numbers_that_json_does_not_know():
    for text in ("nan", "inf", "-inf"):
        guard = Guard(max_deleted=float(text))
        assert guard.to_json() == f'{{"is":"Guard","max_deleted":{{"float":"{text}"}}}}'
        assert Guard.from_json(guard.to_json()) == guard
    assert Hint(cpu=0.1).to_json() == '{"cpu":0.1,"is":"Hint"}'


def test_the_digest_changes_with_every_field():
    base = Column("a", String(3))
    changed = [
        dataclasses.replace(base, **change)
        for change in (
            {"name": "b"}, {"type": String(4)}, {"type": Json}, {"key": True}, {"nullable": False}, {"source": "x"},
            {"classification": [datasurface.PII]}, {"doc": "d"},
        )
    ]  # fmt: skip
    assert len({base.digest, *(c.digest for c in changed)}) == 1 + len(changed)


def test_the_digest_is_the_same_in_every_process():
    code = inspect.cleandoc("""
        from datasurface import *
        s = Struct({"b": Integer, "a": Array(String(3))})
        print(Dataset("d", columns=[Column("é", s, classification=[PII])]).digest)
    """)
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip
    columns = [Column("é", Struct({"a": datasurface.Array(String(3)), "b": Integer}), classification=[datasurface.PII])]
    assert digests == {Dataset("d", columns=columns).digest + "\n"}


JUNK = [
    "", "{", "null", "1", "[]", '"x"', "{}", '{"is":"Nope"}', '{"is":["Column"]}', '{"is":null}', '{"is":"Container"}',
    '{"is":"Noun"}', '{"is":"Column"}', '{"is":"Column","name":"a"}', '{"is":"Column","name":1,"type":{"is":"BigInt"}}',
    '{"is":"Column","name":"a","type":"BigInt"}', '{"is":"Column","name":"a","type":{"is":"BigInt"},"self":1}',
    '{"is":"Column","name":"a","type":{"is":"BigInt"},"bogus":1}', '{"is":"Column","name":{"map":3},"type":{}}',
    '{"map":{}}', '{"map":[1]}', '{"enum":"History.FULL"}', '{"enum":"History.NO"}', '{"enum":"No.FULL"}',
    '{"enum":{"a":1}}', '{"float":"much"}', '{"float":1}', "NaN", "[" * 100_000, '{"is":' * 100_000, "9" * 5000,
    '{"is":"BigInt","":1}', '{"is":"BigInt"}', '{"is":"Column","name":"a","type":[{"is":"BigInt"}]}',
]  # fmt: skip


@pytest.mark.parametrize("text", JUNK, ids=[text[:40] or "empty" for text in JUNK])
def test_junk_is_refused(text: str):
    with pytest.raises(ModelCallError):
        Column.from_json(text)


@pytest.mark.parametrize("text", [None, 1, b"\xff", {}])
def test_what_is_no_text_is_refused(text: Any):
    with pytest.raises(ModelCallError):
        Column.from_json(text)


@settings(max_examples=200, deadline=None)
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TEXTS),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["is", "map", "enum", "float", "name", "type", "columns", "self", "key"]), inner
            )
            | st.builds(lambda name, more: {**more, "is": name}, st.sampled_from(sorted(NOUNS)),
                        st.dictionaries(st.sampled_from(["name", "type", "columns", "max_deleted"]), inner))
        ),
        max_leaves=8,
    )
)  # fmt: skip
def test_structured_junk_is_refused_or_is_the_object(data: Any):
    try:
        made = Column.from_json(json.dumps(data))
    except ModelCallError:
        return
    assert isinstance(made, Column)


def test_the_json_form_of_another_class_is_refused():
    with pytest.raises(ModelCallError, match="not the JSON form of a Ecosystem"):
        Ecosystem.from_json(LocalRepository("x").to_json())
    assert Noun.from_json(GitHubRepository("a/b").to_json()) == GitHubRepository("a/b")
