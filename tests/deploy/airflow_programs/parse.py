"""Runs in Airflow's own environment: parses a folder of DAG files and prints what came of it as JSON."""

# ruff: noqa: PLC0415
# pyright: reportMissingImports=false

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import json
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ALIASES = {"dataset", "dataset_alias", "dataset_alias_dataset"}


def _serialized(dag: Any) -> Any:
    with contextlib.suppress(ImportError):
        from airflow.serialization.serialized_objects import DagSerialization

        return DagSerialization.to_dict(dag)
    from airflow.serialization.serialized_objects import SerializedDAG

    return SerializedDAG.to_dict(dag)


def _version(data: Any) -> str:
    """Return what Airflow compares to see whether a DAG has changed."""
    from airflow.models.serialized_dag import SerializedDagModel

    if hasattr(SerializedDagModel, "hash"):
        return str(SerializedDagModel.hash(data))
    kept = {**data, "dag": {name: value for name, value in data["dag"].items() if name != "fileloc"}}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _bag(folder: str) -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag

        return DagBag(folder, include_examples=False)
    return DagBag(folder, bundle_path=Path(folder), bundle_name="test")


def _prepare() -> None:
    """Make the tables of aliases, which 2.11 asks for when it serialises a DAG."""
    from airflow import models, settings

    with contextlib.suppress(ImportError):
        from airflow.models.base import Base

        models.import_all_models()
        tables = [table for name, table in Base.metadata.tables.items() if name in _ALIASES]
        Base.metadata.create_all(settings.engine, tables=tables)


@contextlib.contextmanager
def _watched() -> Iterator[list[str]]:
    """Note every connection, process and foreign JSON file while DAGs are parsed."""
    seen: list[str] = []
    open_for = [True]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if open_for[0] and event in {"socket.connect", "subprocess.Popen", "sqlite3.connect", "os.system"}:
            seen.append(f"{event} {arguments[:2]}")

    sys.addaudithook(hear)
    yield seen
    open_for[0] = False


def _next(dag: Any) -> str | None:
    """Return when the scheduler would start the first run, if by the clock."""
    data = _serialized(dag)
    try:
        from airflow.serialization.serialized_objects import DagSerialization

        read = DagSerialization.from_dict(data)
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG

        read = SerializedDAG.from_dict(data)
    named = "last_automated_run_info" in inspect.signature(read.next_dagrun_info).parameters
    info = read.next_dagrun_info(last_automated_run_info=None) if named else read.next_dagrun_info(None)
    return info.run_after.isoformat() if info else None


def main() -> None:
    """Parse, and tell."""
    _prepare()
    _bag(str(Path(sys.argv[1]) / "nothing"))
    noise = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, _watched() as seen, contextlib.redirect_stdout(noise):
        warnings.simplefilter("always")
        bag = _bag(sys.argv[1])
    with contextlib.redirect_stdout(noise):
        data = {name: _serialized(dag) for name, dag in bag.dags.items()}
        after = {name: _next(dag) for name, dag in bag.dags.items()}
    told = {
        "errors": bag.import_errors,
        "warnings": [*map(str, caught), *map(str, getattr(bag, "captured_warnings", {}).values())],
        "seen": seen,
        "dags": data,
        "versions": {name: _version(each) for name, each in data.items()},
        "next": after,
        "now": datetime.now(UTC).isoformat(),
    }
    sys.stdout.write("\n" + json.dumps(told, default=str))


main()
