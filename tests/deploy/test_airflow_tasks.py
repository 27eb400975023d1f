"""Tasks of generated DAGs, executed in Airflow's own environment: what an exit code becomes, and what a job gets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from datasurface import Airflow, TaskKind
from deploy.test_airflow_dags import LINES, PREFIX, deployed, run_program
from deploying import CLUSTER, deployable, derived, model, store

pytestmark = pytest.mark.slow
ALONE, GROUP = f"{PREFIX}alone", f"{PREFIX}group-both"
SECRET = "canary-7f3a"
_JOB = """
import json, os, subprocess, sys, time
told = json.loads(os.environ["TOLD"])
print("arguments", json.dumps(sys.argv[1:]), flush=True)
if told.get("tell"):
    print("variables", json.dumps({n: v for n, v in os.environ.items() if n != "TOLD"}), flush=True)
if told.get("child"):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", told["child"]])
    print("child", flush=True)
time.sleep(told.get("sleep", 0))
if told.get("signal"):
    os.kill(os.getpid(), told["signal"])
if "last" in told:
    print(json.dumps(told["last"]))
sys.exit(told["code"])
"""


def _streams(**states: str) -> dict[str, Any]:
    """Return what a job says in the end, of streams by name: a state, `merged` for a change."""
    told = [
        {
            "stream": name,
            "state": state,
            "changed": state == "merged",
            "error": "no table" if state == "failed" else None,
        }
        for name, state in states.items()
    ]
    return {"error": None, "streams": told}


def _alone(code: int, last: Any = None, number: int = 1, **told: Any) -> dict[str, Any]:
    said = {} if last is None else {"last": last}
    return {"dag": ALONE, "number": number, "told": {"code": code, **said, **told}}


def _both(code: int, number: int = 1, **states: str) -> dict[str, Any]:
    return {"dag": GROUP, "number": number, "told": {"code": code, "last": _streams(**states)}}


_CASES: dict[str, dict[str, Any]] = {
    "changed": _alone(0, _streams(alone="merged")),
    "idle": _alone(99, _streams(alone="idle")),
    "idle again": _alone(99, _streams(alone="idle"), 2),
    "failed": _alone(1, _streams(alone="failed")),
    "transient": _alone(75, {"error": "the database is away", "streams": []}),
    "killed": _alone(0, signal=9),
    "killed by a shell": _alone(137),
    "called wrongly": _alone(2),
    "secrets": _alone(0, _streams(alone="merged"), tell=True),
    "terminated": {"dag": ALONE, "told": {"code": 0, "sleep": 60, "child": "left-behind"}, "terminate": 1.5},
    "system": {
        "dag": f"{PREFIX}ds-audit",
        "told": {"code": 99, "last": {"error": None, "system": "audit"}},
        "number": 2,
    },
    "applied unheard": {"dag": f"{PREFIX}ds-apply", "told": {"code": 99}, "number": 2},
    "transformer": {"dag": f"{PREFIX}sums_out", "told": {"code": 0, "tell": True, "last": _streams(sums_out="merged")}},
    "both changed": _both(0, crm="merged", erp="merged"),
    "one changed": _both(0, crm="idle", erp="merged"),
    "none changed": _both(99, crm="idle", erp="idle"),
    "none changed again": _both(99, 2, crm="idle", erp="idle"),
    "one failed": _both(1, crm="failed", erp="merged"),
    "one passes": _both(75, crm="unreachable", erp="merged"),
    "one passes for the last time": _both(75, 4, crm="unreachable", erp="idle"),
    "verdict": {"dag": GROUP, "task": "verdict", "pulled": ["crm: no table"]},
    "no verdict": {"dag": GROUP, "task": "verdict", "pulled": []},
}


_LAST = json.dumps({"error": None, "streams": [{"stream": "alone", "state": "failed", "error": "no table"}]})
_PODS: dict[str, dict[str, Any]] = {
    name: {"dag": ALONE, "number": number, "ended": ended}
    for name, number, ended in (
        ("changed", 1, {"exit_code": 0, "message": "{}"}),
        ("idle", 1, {"exit_code": 99, "message": "{}"}),
        ("idle again", 2, {"exit_code": 99, "message": "{}"}),
        ("failed", 1, {"exit_code": 1, "message": f"much\n{_LAST}\n", "reason": "Error"}),
        ("transient", 1, {"exit_code": 75, "message": '{"error": "the database is away"}', "reason": "Error"}),
        ("terminated", 1, {"exit_code": 143, "message": "x", "reason": "Error"}),
        ("too much memory", 1, {"exit_code": 137, "reason": "OOMKilled"}),
    )
}


class _NotFound(BaseHTTPRequestHandler):
    """Knows no pod."""

    def _answer(self) -> None:
        self.send_response(404)
        self.end_headers()

    do_GET = do_PATCH = do_DELETE = do_POST = _answer  # noqa: N815 - as HTTP has them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def _gone() -> Iterator[str]:
    """Serve the API of a cluster whose pods have gone already: how a job ended is known all the same."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _NotFound) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _cluster(url: str) -> str:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return json.dumps({"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(config)}})


@LINES
def test_what_ended_a_container_becomes_a_state(tmp_path: Path, line: int) -> None:
    settings = Airflow(version="3" if line == 3 else "2.11", kubernetes_connection="cluster")
    found = deployable(model([store("alone")], deployments=[settings, CLUSTER]))
    file = deployed(tmp_path / "dags", found) / "acme-prod-yellow.py"
    with _gone() as url:
        told = run_program(line, "execute.py", str(file), json.dumps(_PODS), AIRFLOW_CONN_CLUSTER=_cluster(url))
    assert {name: (each["raised"], each["message"]) for name, each in told.items()} == {
        "changed": (None, None),
        "idle": ("AirflowSkipException", "nothing to do: nothing has changed"),
        "idle again": (None, None),
        "failed": ("AirflowFailException", "alone: no table"),
        "transient": ("AirflowException", "the database is away"),
        "terminated": (
            "AirflowException",
            "the job was killed by SIGTERM; its batch is finished or redone by the next run",
        ),
        "too much memory": (
            "AirflowFailException",
            "the job needs more memory than its limit: raise memory= of its hint",
        ),
    }


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Any]:
    """Return how all cases ended, executed once for each Airflow."""

    @cache
    def execute(line: int) -> Any:
        folder = tmp_path_factory.mktemp(f"tasks-{line}")
        program = folder / "job.py"
        program.write_text(_JOB)
        settings = Airflow(
            version="3" if line == 3 else "2.11",
            tasks=TaskKind.PROCESS,
            command=(sys.executable, str(program)),
            groups={"both": ["crm", "erp"]},
            folder="/model",
        )
        stores = [store("crm"), store("erp"), store("alone")]
        ecosystem = model(
            stores, transformers=[derived("sums", ["crm.orders"])], deployments=[settings, CLUSTER], releases="v*"
        )
        file = deployed(folder / "dags", deployable(ecosystem)) / "acme-prod-yellow.py"
        connection = json.dumps({"conn_type": "generic", "login": "ann", "password": SECRET})
        return run_program(
            line,
            "execute.py",
            str(file),
            json.dumps(_CASES),
            AIRFLOW_CONN_DATASURFACE_SHOP_READER=connection,
            AIRFLOW_CONN_DATASURFACE_OTHER=connection,
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="sqlite:////tmp/none.db?canary-9c1b",
            DATASURFACE_MERGE_ADMIN_PASSWORD="canary-0000",
            AIRFLOW_CTX_DAG_ID="the-dag",
        )

    return execute


@LINES
@pytest.mark.parametrize(
    ("case", "raised", "message"),
    [
        ("changed", None, None),
        ("idle", "AirflowSkipException", "nothing to do: nothing has changed"),
        ("idle again", None, None),
        ("failed", "AirflowFailException", "alone: no table"),
        ("transient", "AirflowException", "the database is away"),
        (
            "killed",
            "AirflowException",
            "the job was killed by SIGKILL; its batch is finished or redone by the next run",
        ),
        (
            "killed by a shell",
            "AirflowException",
            "the job was killed by SIGKILL; its batch is finished or redone by the next run",
        ),
        ("system", "AirflowSkipException", "nothing to do: nothing has changed"),
        ("applied unheard", None, None),
        ("verdict", "AirflowFailException", "crm: no table"),
        ("no verdict", None, None),
    ],
)
def test_an_exit_code_becomes_a_state(
    executed: Callable[[int], Any], line: int, case: str, raised: str | None, message: str | None
) -> None:
    """Only what may pass is retried. An idle run is no event, unless an earlier try may have merged unheard."""
    found = executed(line)[case]
    assert (found["raised"], found["message"]) == (raised, message)
    assert found["rendered"] == []


@LINES
def test_a_job_that_says_nothing_fails_with_its_last_line(executed: Callable[[int], Any], line: int) -> None:
    found = executed(line)["called wrongly"]
    assert found["raised"] == "AirflowFailException"
    assert found["message"].startswith("arguments [")


@LINES
@pytest.mark.parametrize(
    ("case", "events", "returned", "raised"),
    [
        ("both changed", ["crm", "erp"], [], None),
        ("one changed", ["erp"], [], None),
        ("none changed", [], None, "AirflowSkipException"),
        ("none changed again", ["crm", "erp"], [], None),
        ("one failed", ["erp"], ["crm: no table"], None),
        ("one passes", [], None, "AirflowException"),
        ("one passes for the last time", ["erp"], None, None),
    ],
)
def test_a_group_tells_of_what_changed_whatever_else_failed(
    executed: Callable[[int], Any], line: int, case: str, events: list[str], returned: Any, raised: str | None
) -> None:
    found = executed(line)[case]
    assert (found["events"], found["raised"]) == (events, raised)
    if returned is not None:
        assert found["returned"] == returned


@LINES
def test_a_job_gets_its_own_secrets_and_nothing_of_airflow(executed: Callable[[int], Any], line: int) -> None:
    found = executed(line)["secrets"]
    (variables,) = [json.loads(text[10:]) for text in found["log"] if text.startswith("variables ")]
    assert variables["DATASURFACE_SHOP_READER_USER"] == "ann"
    assert variables["DATASURFACE_SHOP_READER_PASSWORD"] == SECRET
    assert [n for n in variables if n.startswith(("AIRFLOW", "_AIRFLOW"))] == ["AIRFLOW_CTX_DAG_ID"], "for lineage"
    assert variables["TRACEPARENT"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert not [name for name in variables if "OTHER" in name or "MERGE_ADMIN" in name]
    assert "no connection datasurface_merge_admin: the job asks its other secret stores" in found["log"]
    (arguments,) = [json.loads(text[10:]) for text in found["log"] if text.startswith("arguments ")]
    assert arguments[:4] == ["job", "alone", "-m", "/model"]
    assert arguments[4] == "--platform-file"
    assert SECRET not in " ".join(arguments)


@LINES
def test_a_transformer_gets_no_secret_of_a_source(executed: Callable[[int], Any], line: int) -> None:
    found = executed(line)["transformer"]
    assert found["raised"] is None
    (variables,) = [json.loads(text[10:]) for text in found["log"] if text.startswith("variables ")]
    assert not [name for name in variables if "SHOP_READER" in name]


@LINES
def test_a_terminated_task_leaves_no_process(executed: Callable[[int], Any], line: int) -> None:
    found = executed(line)["terminated"]
    assert found["raised"] == "AirflowException"
    assert "killed by SIGTERM" in found["message"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if "left-behind" in (p.info["cmdline"] or [])]
