"""Runs in Airflow's own environment: executes tasks of generated DAGs, without a server, and tells how they ended."""

# ruff: noqa: BLE001
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import threading
from typing import Any


class _Instance:
    """As much of a task instance as an operator sees."""

    def __init__(self, case: dict[str, Any], task: Any) -> None:
        self.dag_id, self.task, self.try_number = case["dag"], task, case.get("number", 1)
        self._pulled = case.get("pulled")
        self.context_carrier = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}

    def xcom_pull(self, **_: object) -> object:
        return self._pulled


class _Events(dict[Any, Any]):
    """Notes which assets an alias was given."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[str] = []

    def __missing__(self, _: Any) -> Any:
        return self

    def add(self, asset: Any) -> None:
        self.added.append(asset.uri.rsplit("/", 1)[-1])


class _Log:
    """Keeps what is said, whichever kind of logger an Airflow has."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *values: object) -> None:
        self.lines.append(text % values if values else text)

    warning = error = debug = info


def _load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("generated", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["generated"] = module
    spec.loader.exec_module(module)
    return module


def _execute(module: Any, case: dict[str, Any]) -> dict[str, object]:
    module._INDEX["environment"]["TOLD"] = json.dumps(case.get("told", {}))
    task = vars(module)[case["dag"]].get_task(case.get("task", "run"))
    log = _Log()
    type(task).log = log
    events = _Events()
    if case.get("terminate"):
        threading.Timer(case["terminate"], lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    told: dict[str, object] = {
        "raised": None,
        "message": None,
        "returned": None,
        "rendered": list(task.template_fields),
    }
    try:
        told["returned"] = task.execute({"ti": _Instance(case, task), "outlet_events": events})
    except Exception as error:
        told |= {"raised": type(error).__name__, "message": str(error)}
    return {**told, "events": events.added, "log": log.lines}


def main() -> None:
    """Execute, and tell."""
    module = _load(sys.argv[1])
    results = {name: _execute(module, case) for name, case in json.loads(sys.argv[2]).items()}
    sys.stdout.write("\n" + json.dumps(results))


main()
