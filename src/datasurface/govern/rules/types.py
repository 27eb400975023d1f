"""Types: possible parameters, and merge databases that hold every type they will be given without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

from datasurface.govern.capabilities import Capabilities
from datasurface.govern.paths import shown, step, store_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.base import Noun, field_names
from datasurface.model.effective import PlacedDatastore
from datasurface.model.schema import Column, Dataset
from datasurface.model.types import (
    Array,
    Binary,
    DataType,
    Decimal,
    FixedString,
    Geography,
    Map,
    String,
    Struct,
    Vector,
)

__all__ = ["fault_of", "merge_types", "parameters"]

_DEEPEST = 32
_NESTED = (Array, Map, Struct)


def parameters(scope: Scope) -> Iterator[Finding]:
    """DS-T001: lengths, precisions and dimensions that can be."""
    key_of = _TypeKeys()
    sound: set[object] = set()
    for placed in scope.datastores:
        for dataset in placed.datastore.datasets:
            if {key_of[c.type.__class__](c.type) for c in dataset.columns} <= sound:
                continue
            for column in dataset.columns:
                fault = fault_of(column.data_type)
                if fault:
                    path = _column_path(placed, dataset, column)
                    yield finding("DS-T001", column, path, f"{fault} in the type of column {shown(column.name)}")
                else:
                    sound.add(key_of[column.type.__class__](column.type))


def _column_path(placed: PlacedDatastore, dataset: Dataset, column: Column) -> str:
    return step(step(store_path(placed), "dataset", dataset.name), "column", column.name)


class _TypeKeys(dict[object, Callable[[object], object]]):
    """For each class of types, what equal types share, cheaply: class and arguments; a nested type is only itself."""

    def __missing__(self, cls: type[Noun]) -> Callable[[object], object]:
        key: Callable[[object], object] = id if issubclass(cls, _NESTED) else attrgetter("__class__", *field_names(cls))
        self[cls] = key
        return key


def fault_of(given: DataType) -> str:
    """Return what is wrong with a type or with one inside it, or nothing."""
    pending = [(given, 0)]
    while pending:
        current, depth = pending.pop()
        if depth > _DEEPEST:
            return f"more than {_DEEPEST} types inside each other"
        fault = _own_fault(current)
        if fault:
            return fault
        pending.extend((inner, depth + 1) for inner in _inside(current))
    return ""


def _inside(given: DataType) -> list[DataType]:
    parts: list[object] = []
    if isinstance(given, Array):
        parts = [given.element]
    elif isinstance(given, Map):
        parts = [given.key, given.value]
    elif isinstance(given, Struct):
        parts = list(given.fields.values())
    return [p for p in parts if isinstance(p, DataType)]


def _own_fault(given: DataType) -> str:
    if isinstance(given, Decimal) and not (given.precision >= 1 and 0 <= given.scale <= given.precision):
        return f"Decimal({given.precision}, {given.scale}): precision must be 1 or more, scale 0 to precision"
    if isinstance(given, String | FixedString | Binary) and given.length is not None and given.length < 1:
        return f"{type(given).__name__}({given.length}): a length is 1 or more"
    if isinstance(given, Vector) and given.dimensions < 1:
        return f"Vector({given.dimensions}): a vector has 1 dimension or more"
    if isinstance(given, Geography) and given.srid < 0:
        return f"Geography({given.srid}): an SRID is 0 or more"
    if isinstance(given, Struct) and not (given.fields and all(given.fields)):
        return "a Struct without fields" if not given.fields else "a Struct with a field without a name"
    return ""


def merge_types(scope: Scope) -> Iterator[Finding]:
    """DS-T002, DS-K004: every platform's merge database holds the types of what it carries, and compares its keys."""
    judges: dict[str, _Judge] = {}
    for stream in scope.graph.streams:
        capabilities = scope.merge_capabilities(stream.platform)
        if capabilities is None or not capabilities.merges:
            continue
        judge = judges.setdefault(stream.platform, _Judge(capabilities))
        for need in stream.datasets:
            if judge.passes(need.dataset):
                continue
            placed = scope.place_of(stream)
            for column in need.dataset.columns:
                for code, message in judge.faults(column):
                    path = _column_path(placed, need.dataset, column)
                    remedy = "choose another key" if code == "DS-K004" else "give the column another type"
                    hint = f"platform {stream.platform} merges in {capabilities.database}; {remedy}"
                    yield finding(code, column, path, message, hint)


class _Judge:
    """What one database says about types, asked once for each."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        self._key_of = _TypeKeys()
        self._held: set[object] = set()
        self._keyable: set[object] = set()

    def passes(self, dataset: Dataset) -> bool:
        """Tell whether all types of a dataset are known to be fine."""
        key_of = self._key_of
        columns = dataset.columns
        return {key_of[c.type.__class__](c.type) for c in columns} <= self._held and all(
            key_of[c.type.__class__](c.type) in self._keyable for c in columns if c.key
        )

    def faults(self, column: Column) -> Iterator[tuple[str, str]]:
        """Yield code and message of what is wrong with a column's type; impossible types are another rule's."""
        given, key, able = column.data_type, self._key_of[column.type.__class__](column.type), self._capabilities
        if key not in self._held:
            if fault_of(given):
                return
            if able.physical_type(given) is None:
                yield "DS-T002", f"{able.database} holds no {given.spelled()} without loss"
                return
            self._held.add(key)
        if column.key and key not in self._keyable:
            if able.keyable(given):
                self._keyable.add(key)
            else:
                yield "DS-K004", f"a {given.spelled()} cannot be part of a key in {able.database}"
