"""Run by Airflow's Python: prints the pod of every task of the DAG files in a folder, as it would be submitted."""

from __future__ import annotations

import json
import runpy
import sys
import types
from pathlib import Path

from kubernetes.client import ApiClient


def main(folder: str) -> None:
    """Print the pods by the ids of their DAGs."""
    pods = {}
    for file in sorted(Path(folder).glob("*.py")):
        for name, dag in runpy.run_path(str(file), run_name=file.stem).items():
            for task in getattr(dag, "tasks", ()) if not isinstance(dag, type) else ():
                if hasattr(task, "build_pod_request_obj"):
                    instance = types.SimpleNamespace(dag_id=name, task_id=task.task_id, map_index=-1, try_number=1)
                    context = {"ti": instance, "task_instance": instance, "run_id": "manual__1", "dag": dag}
                    pods[name] = ApiClient().sanitize_for_serialization(task.build_pod_request_obj(context))
    sys.stdout.write(f"\n{json.dumps(pods)}\n")


main(sys.argv[1])
