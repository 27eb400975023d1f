"""Types: possible parameters, and merge databases that hold every type they will be given without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

from datasurface.govern.capabilities import Capabilities
from datasurface.govern.paths import shown, step, store_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.base import field_names
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
    plain: set[type] = set()
    faults: dict[object, str] = {}
    for placed in scope.datastores:
        for dataset in placed.datastore.datasets:
            for column in dataset.columns:
                given = column.data_type
                if given.__class__ in plain:
                    continue
                key = _key(given)
                if key is given.__class__:
                    plain.add(given.__class__)
                    continue
                fault = faults.get(key)
                if fault is None:
                    fault = faults[key] = fault_of(given)
                if fault:
                    path = _column_path(placed, dataset, column)
                    yield finding("DS-T001", column, path, f"{fault} in the type of column {shown(column.name)}")


def _column_path(placed: PlacedDatastore, dataset: Dataset, column: Column) -> str:
    return step(step(store_path(placed), "dataset", dataset.name), "column", column.name)


_GETTERS: dict[type[DataType], Callable[[DataType], object]] = {}


def _key(given: DataType) -> object:
    """Return what equal types share, cheaply: the class, or class and arguments; a nested type is only itself."""
    cls = given.__class__
    getter = _GETTERS.get(cls)
    if getter is None:
        names = field_names(cls)
        by_value: Callable[[DataType], object] = attrgetter(*names) if names else _class_of
        getter = id if issubclass(cls, _NESTED) else by_value
        _GETTERS[cls] = getter
    return cls if getter is _class_of else (cls, getter(given))


def _class_of(given: DataType) -> object:
    return given.__class__


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
    found: dict[str, _Verdicts] = {}
    for stream in scope.graph.streams:
        capabilities = scope.merge_capabilities(stream.platform)
        if capabilities is None:
            continue
        verdicts = found.get(capabilities.database)
        if verdicts is None:
            verdicts = found[capabilities.database] = _Verdicts(capabilities)
        for need in stream.datasets:
            for column in need.dataset.columns:
                cls = column.data_type.__class__
                if cls in verdicts.fine and not column.key:
                    continue
                fault = verdicts.of(column)
                if fault:
                    code, message = fault
                    placed = scope.place_of(stream)
                    path = _column_path(placed, need.dataset, column)
                    hint = f"platform {stream.platform} merges in {capabilities.database}; give the column another type"
                    yield finding(code, column, path, message, hint)


class _Verdicts:
    """What one database says about types, asked once for each."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        self._holds: dict[object, bool] = {}
        self._keyable: dict[object, bool] = {}
        self.fine: set[type[DataType]] = set()
        """Types without parameters that it holds."""

    def of(self, column: Column) -> tuple[str, str] | None:
        """Return the code and message of what is wrong with a column, or None."""
        given = column.data_type
        key = _key(given)
        holds = self._holds.get(key)
        if holds is None:
            if fault_of(given):
                return None
            holds = self._holds[key] = self._capabilities.physical_type(given) is not None
            if holds and key is given.__class__:
                self.fine.add(given.__class__)
        if not holds:
            message = f"{self._capabilities.database} holds no {given.spelled()} without loss"
            return "DS-T002", message
        return self._key_fault(column, key) if column.key else None

    def _key_fault(self, column: Column, key: object) -> tuple[str, str] | None:
        keyable = self._keyable.get(key)
        if keyable is None:
            keyable = self._keyable[key] = self._capabilities.keyable(column.data_type)
        if keyable:
            return None
        return "DS-K004", f"a {column.data_type.spelled()} cannot be part of a key in {self._capabilities.database}"
