"""How long 1,000 streams take: to generate their DAG files, and to parse and serialize them in a real Airflow.

Run it as `python -m benchmarks.airflow_dags` after `make .airflow3 .airflow2`; the budgets are 10 s and 5 s.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from datasurface import Airflow, TaskKind
from datasurface.deploy.airflow.target import TARGET
from datasurface.deploy.folder import write

ROOT = Path(__file__).parent.parent
STREAMS = 1000
_PROGRAM = """
import json, sys, time
from pathlib import Path
try:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization as serializer
    more = {"bundle_path": Path(sys.argv[1]), "bundle_name": "b"}
except ImportError:
    from airflow.models.dagbag import DagBag
    from airflow.serialization.serialized_objects import SerializedDAG as serializer
    more = {"include_examples": False}
began = time.perf_counter()
bag = DagBag(sys.argv[1], **more)
parsed = time.perf_counter()
for dag in bag.dags.values():
    serializer.to_dict(dag)
done = time.perf_counter()
print("\\n" + json.dumps([len(bag.dags), parsed - began, done - parsed]))
"""


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from deploying import CLUSTER, deployable, model, store  # noqa: PLC0415 - a module of the tests

    for tasks in TaskKind:
        ecosystem = model([store(f"s{n}") for n in range(STREAMS)], deployments=[Airflow(tasks=tasks), CLUSTER])
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), TARGET.files(deployable(ecosystem)))
            print(
                f"{STREAMS} streams, {tasks.value}: compiled and written in {time.perf_counter() - began:.1f} s (10 s)"
            )
            for line, name in ((3, "Airflow 3"), (2, "Airflow 2.11")):
                _parse(folder, line, name)


def _parse(folder: str, line: int, name: str) -> None:
    program = ROOT / f".airflow{line}" / "bin" / "python"
    if not program.exists():
        print(f"  {name}: not installed, run `make .airflow{line}`")
        return
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [str(program), "-W", "ignore", "-c", _PROGRAM, folder],
            env={"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            capture_output=True,
            text=True,
            check=True,
        )
    number, parsed, serialized = done.stdout.rsplit("\n", 2)[-2].strip("[]").split(",")
    print(f"  {name}: {number} DAGs parsed in {float(parsed):.1f} s, serialized in {float(serialized):.1f} s (5 s)")


if __name__ == "__main__":
    main()
