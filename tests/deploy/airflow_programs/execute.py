"""Runs in Airflow's own environment: executes tasks of generated DAGs, without a server, and tells how they ended."""

# ruff: noqa: BLE001, PLC0415
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
    context = {"ti": _Instance(case, task), "outlet_events": events}
    try:
        told["returned"] = _ended(task, case["ended"], context) if "ended" in case else task.execute(context)
    except Exception as error:
        told |= {"raised": type(error).__name__, "message": str(error)}
    return {**told, "events": events.added, "log": log.lines}


def _ended(task: Any, ended: dict[str, Any], context: Any) -> object:
    """Have the operator of a pod find that its container has ended; no cluster answers."""
    from kubernetes.client import models as k8s

    state = k8s.V1ContainerState(terminated=k8s.V1ContainerStateTerminated(**ended))
    container = {"name": "job", "image": "i", "image_id": "i", "ready": False, "restart_count": 0}
    status = k8s.V1PodStatus(
        phase="Failed" if ended["exit_code"] else "Succeeded",
        container_statuses=[k8s.V1ContainerStatus(state=state, **container)],
    )
    spec = k8s.V1PodSpec(containers=[k8s.V1Container(name="job")])
    pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="p", namespace="n"), spec=spec, status=status)
    task.cleanup(pod, pod, None, context)
    return task.conclude(task._end, context)


def main() -> None:
    """Execute, and tell."""
    module = _load(sys.argv[1])
    results = {name: _execute(module, case) for name, case in json.loads(sys.argv[2]).items()}
    sys.stdout.write("\n" + json.dumps(results))


main()
