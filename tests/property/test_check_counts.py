"""Random batches under changing checks: what is known of the current rows is what counting them all would say."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    AcceptedValues,
    BigInt,
    Column,
    Dataset,
    Ecosystem,
    Guard,
    InRange,
    Integer,
    NotNull,
    OnFailure,
    OutputMode,
    SqlCheck,
    String,
    Unique,
)
from property.test_histories import SETTINGS

WARN = OnFailure.WARN
Row = tuple[int, str | None, int | None]
COLUMNS = [Column("id", BigInt, key=True), Column("a", String), Column("n", Integer)]
LOWEST = (0, 3)
"""The bound of the range under each of two definitions; under a third there is no such check."""

VALUES = st.tuples(st.integers(1, 6), st.sampled_from([None, "x", "y", "z"]), st.sampled_from([None, -1, 0, 5]))
CHANGES = st.lists(st.builds(lambda row, kind: (*row, kind), VALUES, st.sampled_from("PPD")), max_size=4)
BATCHES = st.lists(st.tuples(CHANGES, st.sampled_from([0, 0, 0, 0, 1, 2])), min_size=2, max_size=7)


AWAY = [([(1, "x", 5, "P")], 0), ([(2, "x", -1, "P")], 2), ([], 0)]
"""A row that is wrong comes while the check that would find it is away."""


class Judged:
    """A platform on which one example after the other is played, and the models of its three definitions."""

    def __init__(self, shop: Shop, *, mode: OutputMode) -> None:
        self.shop = shop
        self.mode = mode
        self.models = [self._model(definition) for definition in range(3)]
        self.applied = 0
        shop.open(self.models[0])

    def _model(self, definition: int) -> Ecosystem:
        always = [
            NotNull("a", on_failure=WARN),
            Unique("n", on_failure=WARN),
            AcceptedValues("a", ["x", "y"], on_failure=WARN),
            SqlCheck("SELECT id FROM {table} WHERE n < 0 AND a IS NULL", on_failure=WARN),
        ]
        ranges = [InRange("n", at_least=bound, on_failure=WARN) for bound in LOWEST[definition : definition + 1]]
        dataset = Dataset("orders", columns=COLUMNS, checks=[*always, *ranges])
        return self.shop.model(dataset, guard=Guard(max_deleted=1.0, allow_empty=True))

    def play(self, batches: Sequence[tuple[Sequence[tuple[int, str | None, int | None, str]], int]]) -> None:
        self.shop.admin(
            'SET search_path = ds_yellow; TRUNCATE ledger, ledger_datasets, streams, checks, "shop.orders"; '
            "UPDATE datasets SET loaded = false, rows = 0, last_read = 0; RESET search_path"
        )
        rows: dict[int, Row] = {}
        for changes, definition in batches:
            for number, a, n, kind in changes:
                if kind == "P":
                    rows[number] = (number, a, n)
                else:
                    rows.pop(number, None)
            if self.applied != definition:
                self.shop.bench.apply(self.models[definition])
                self.applied = definition
            self.give(rows, changes)
            job, digest = self.shop.bench.running.job("shop")
            assert self.shop.bench.runner.run(dataclasses.replace(job, mode=self.mode), digest).ok
            assert self.known() == counted(list(rows.values()), definition)

    def give(self, rows: dict[int, Row], changes: Sequence[tuple[int, str | None, int | None, str]]) -> None:
        """Let the source hold the rows, or the changes."""
        given = [(*row, "P", place) for place, row in enumerate(rows.values())]
        if self.mode is OutputMode.CHANGES:
            given = [(*change, place) for place, change in enumerate(changes)]
        self.shop.do("DELETE FROM orders")
        for number, a, n, kind, place in given:
            self.shop.source.execute(
                "INSERT INTO orders VALUES (%s, %s, %s, %s, %s)", [number, a, n, "D" if kind == "D" else "U", place]
            )

    def known(self) -> dict[str, int]:
        """Return what each check of the present definition said last."""
        query = (
            "SELECT DISTINCT ON (check_name) check_name, failing_rows FROM ds_yellow.batch_checks "
            "ORDER BY check_name, batch_id DESC"
        )
        found = {str(name): int(number) for name, number in self.shop.rows(query)}
        return {n: v for n, v in found.items() if n != "in_range(n)" or self.applied < len(LOWEST)}


def counted(rows: Sequence[Row], definition: int) -> dict[str, int]:
    """Count them all."""
    numbers = Counter(n for _, _, n in rows if n is not None)
    found = {
        "not_null(a)": sum(a is None for _, a, _ in rows),
        "unique(n)": sum(number for number in numbers.values() if number > 1),
        "accepted_values(a)": sum(a not in (None, "x", "y") for _, a, _ in rows),
        "sql_check": sum(a is None and n is not None and n < 0 for _, a, n in rows),
    }
    if definition < len(LOWEST):
        found["in_range(n)"] = sum(n is not None and n < LOWEST[definition] for _, _, n in rows)
    return found


@pytest.fixture(params=[OutputMode.SNAPSHOT, OutputMode.CHANGES])
def judged(request: pytest.FixtureRequest, two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Judged]:
    with shop_on(two_databases, tmp_path) as shop:
        shop.do("CREATE TABLE orders (id bigint, a text, n int, ds_op text, ds_seq bigint)")
        yield Judged(shop, mode=request.param)


@settings(SETTINGS, max_examples=5, phases=[Phase.explicit, Phase.generate])
@example(batches=AWAY)
@given(batches=BATCHES)
def test_what_is_known_is_what_counting_all_rows_says(
    judged: Judged, batches: list[tuple[list[tuple[int, str | None, int | None, str]], int]]
) -> None:
    judged.play(batches)
