"""The DAGs of one platform of DataSurface, made from the JSON files beside this file. Written by `datasurface deploy`.

Nothing but those files is read when it is parsed: no database, network, secret, model or package of DataSurface. It is
for Airflow 3 and 2.11. To change what it makes, change the model or its `Airflow(…)`, and deploy again.
"""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def _first(*places: str) -> Any:
    """Return the first of these `module:name` that this version of Airflow has."""
    for place in places:
        module, _, name = place.partition(":")
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(module), name)
    raise ImportError(f"Airflow has none of {', '.join(places)}")


DAG = _first("airflow.sdk:DAG", "airflow.models.dag:DAG")
BaseOperator = _first("airflow.sdk:BaseOperator", "airflow.models.baseoperator:BaseOperator")
BaseHook = _first("airflow.sdk:BaseHook", "airflow.hooks.base:BaseHook")
Asset = _first("airflow.sdk:Asset", "airflow.datasets:Dataset")
AssetAlias = _first("airflow.sdk:AssetAlias", "airflow.datasets:DatasetAlias")
AssetAny = _first("airflow.sdk:AssetAny", "airflow.datasets:DatasetAny")
CronTriggerTimetable = _first("airflow.sdk:CronTriggerTimetable", "airflow.timetables.trigger:CronTriggerTimetable")
DeltaTriggerTimetable = _first("airflow.sdk:DeltaTriggerTimetable", "airflow.timetables.trigger:DeltaTriggerTimetable")
get_parsing_context = _first("airflow.sdk:get_parsing_context", "airflow.utils.dag_parsing_context:get_parsing_context")
AirflowException, AirflowFailException, AirflowSkipException, AirflowNotFoundException = [
    _first(f"airflow.sdk.exceptions:{name}", f"airflow.exceptions:{name}")
    for name in ("AirflowException", "AirflowFailException", "AirflowSkipException", "AirflowNotFoundException")
]

_FORMAT = 1
_LOGGER = logging.getLogger("airflow.task.datasurface")
_START = datetime(2024, 1, 1, tzinfo=UTC)
_NOTHING_TO_DO, _TRANSIENT = 99, 75
_SIGNALS = {int(each): each.name for each in signal.Signals}
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|LD_LIBRARY_PATH|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|"
    r"(?i:https?_proxy|no_proxy)|DATASURFACE_(HOME|SECRETS)|AIRFLOW_CTX_\w+|"
    r"AWS_(REGION|DEFAULT_REGION|ROLE_ARN|WEB_IDENTITY_TOKEN_FILE|CONTAINER_\w+|ENDPOINT_URL\w*|CA_BUNDLE)"
)
"""What a child process inherits: nothing that Airflow's own processes are configured with."""
_BLOCKED = "airflow-db-not-allowed:"
_PR_SET_PDEATHSIG = 1
_MODULE = "datasurface_dags"
"""What operators say they are of: Airflow's name for this module changes with the folder, and the DAG's version too."""
_LAST_WORDS = 4096

_HERE = Path(__file__)
_INDEX: dict[str, Any] = json.loads(_HERE.with_suffix(".json").read_text(encoding="utf-8"))
if _INDEX["format"] != _FORMAT:
    raise RuntimeError(f"{_HERE.name} and its JSON were written by different versions of DataSurface: deploy again")


class JobEnd:
    """How a job ended, and what becomes of its task: done, skipped, failed for good, or tried again.

    Args:
        code: The exit code; negative for the signal that killed it.
        last: The last line of its output, which is a document if it came to its end.
        outlets: What it may have changed: its streams, or the platform; nothing for other jobs of the system.
    """

    def __init__(self, code: int, last: str, outlets: Sequence[str]) -> None:
        self.code = 128 - code if code - 128 in _SIGNALS else code  # how shells and containers tell of signals
        self._last = last
        self._outlets = outlets
        self._error, self._results = _told_by_job(last)

    @property
    def reason(self) -> str:
        """What to tell of a job that did not end well."""
        if self.code < 0:
            killed = _SIGNALS.get(-self.code, "a signal")
            return f"the job was killed by {killed}; its batch is finished or redone by the next run"
        told = [f"{result.get('stream')}: {result['error']}" for result in self._results if result.get("error")]
        return self._error or "; ".join(told) or self._last or f"the job ended with {self.code} and said nothing"

    def failed(self) -> list[str]:
        """Return the streams of a group that did not end well."""
        return sorted(str(r.get("stream")) for r in self._results if r.get("state") not in _WELL)

    def changed(self, *, any_of: bool) -> list[str]:
        """Return the streams whose consumers see something else; `any_of`: whether unchanged ones count too.

        They do after an earlier try, which may have merged and been killed before anybody heard of it.
        """
        known = {str(result.get("stream")): result for result in self._results}
        if not known:
            return list(self._outlets) if self.code == 0 else []
        well = [name for name in self._outlets if known.get(name, {}).get("state") in _WELL]
        return [name for name in well if any_of or known[name].get("changed")]

    def check(self, *, again: bool) -> None:
        """Return if the task is done, or raise what Airflow takes for its state."""
        if self.code == 0 or (self.code == _NOTHING_TO_DO and again and self._outlets):
            return
        if self.code == _NOTHING_TO_DO:
            raise AirflowSkipException("nothing to do: nothing has changed")
        if self.transient:
            raise AirflowException(self.reason)
        raise AirflowFailException(self.reason)

    @property
    def transient(self) -> bool:
        """Whether another try may end well."""
        return self.code == _TRANSIENT or self.code < 0


_WELL = frozenset({"merged", "idle", "waiting"})


def _told_by_job(last: str) -> tuple[str, list[dict[str, Any]]]:
    """Return what a job says of itself and of each stream, if its last line is the document that it should be."""
    with contextlib.suppress(ValueError):
        document = json.loads(last)
        if isinstance(document, dict):
            found = document.get("streams") or []
            return str(document.get("error") or ""), [each for each in found if isinstance(each, dict)]
    return "", []


class _Outlets:
    """What both kinds of task do with how a job ended."""

    changes: Sequence[str]

    def conclude(self, end: JobEnd, context: Any) -> list[str]:
        """End the task as the job ended; return why some streams of a group failed, for the task after it."""
        instance = context["ti"]
        again = instance.try_number > 1
        if len(self.changes) < 2:  # noqa: PLR2004 - no group
            end.check(again=again)
            return []
        whole = end.code in (0, _NOTHING_TO_DO) or not end.failed()
        if whole or (end.transient and instance.try_number <= instance.task.retries):
            end.check(again=again)
        events = context["outlet_events"][AssetAlias(_alias(instance.dag_id))]
        for stream in end.changed(any_of=again):
            events.add(_asset(stream))
        return [] if whole else [end.reason]


class Process(BaseOperator):  # type: ignore[valid-type,misc]
    """Runs a program beside the worker, in a process group of its own, which ends with the task."""

    template_fields: Sequence[str] = ()
    _child: subprocess.Popen[str] | None = None

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run it to its end, with its output in the task's log; return the exit code and the last line of output."""
        self.log.info("running %s", " ".join(command))
        self._child = child = subprocess.Popen(  # noqa: S603 - the command of a generated file
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one system call, before other threads matter
        )
        last = [""]
        reader = threading.Thread(target=self._tell, args=(child, last), daemon=True)
        reader.start()
        try:
            code = child.wait()
            reader.join(timeout=10)
        finally:
            self.on_kill()
        return code, last[0]

    def _tell(self, child: subprocess.Popen[str], last: list[str]) -> None:
        for line in child.stdout or ():
            if text := line.rstrip():
                last[0] = text
                self.log.info("%s", text)

    def on_kill(self) -> None:
        """End the group: gently if the child is alive, then by force whatever of it is left."""
        child = self._child
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=3)
            os.killpg(child.pid, signal.SIGKILL)


def _end_with_parent() -> Callable[[], None] | None:
    """Return what has the kernel end a child whose parent was killed, where the kernel can."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


class JobProcess(Process, _Outlets):
    """Runs a job as a process that gets the secrets of its own credentials, looked up when it starts."""

    __module__ = _MODULE

    def __init__(self, *, arguments: Sequence[str], changes: Sequence[str], secrets: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments
        self.changes = changes
        self.secrets = secrets

    def execute(self, context: Any) -> list[str]:
        """Run the job."""
        platform = str(_HERE.with_suffix(".platform.json"))
        command = [*_INDEX["command"], *self.arguments, "--platform-file", platform]
        inherited = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        inherited.setdefault("DATASURFACE_HOME", str(Path(os.environ.get("AIRFLOW_HOME", "~/airflow"), "datasurface")))
        carrier = getattr(context.get("ti"), "context_carrier", None) or {}
        inherited |= {name.upper(): carrier[name] for name in ("traceparent", "tracestate") if carrier.get(name)}
        code, last = self.run(command, {**inherited, **_INDEX["environment"], **self._secrets()})
        return self.conclude(JobEnd(code, last, self.changes), context)

    def _secrets(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for connection_id, pieces in sorted(self.secrets.items()):
            try:
                connection = BaseHook.get_connection(connection_id)
            except AirflowNotFoundException:
                self.log.info("no connection %s: the job asks its other secret stores", connection_id)
                continue
            found.update({variable: _piece(connection, piece) for piece, variable in sorted(pieces.items())})
        return {variable: value for variable, value in found.items() if value}


def _piece(connection: Any, piece: str) -> str:
    if piece == "user":
        return connection.login or ""
    kept = connection.extra_dejson.get(piece)
    return str(kept) if kept else connection.password or ""


class Verdict(BaseOperator):  # type: ignore[valid-type,misc]
    """Fails if streams of a group did, after what the others changed was made known."""

    __module__ = _MODULE
    template_fields: Sequence[str] = ()

    def execute(self, context: Any) -> None:
        """Look at what the group's task has returned."""
        if reasons := context["ti"].xcom_pull(task_ids="run"):
            raise AirflowFailException("; ".join(reasons))


class Housekeeping(Process):
    """Keeps Airflow itself in order, by its own command line: its pools are there, and old runs are forgotten."""

    __module__ = _MODULE

    def __init__(self, *, commands: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.commands = commands

    def execute(self, context: Any) -> None:
        """Run the command."""
        del context
        before = (datetime.now(UTC) - timedelta(days=_INDEX["history_days"] or 0)).isoformat(timespec="seconds")
        arguments = {
            "pools": ["pools", "import", str(_HERE.with_suffix(".pools.json"))],
            "history": ["db", "clean", "--clean-before-timestamp", before, "--skip-archive", "--yes"],
        }[self.commands]
        code, last = self.run([sys.executable, "-m", "airflow", *arguments], self._environment())
        if code != 0:
            known = f"; its database is found by the connection {_INDEX['metadata']}, which a task of Airflow 3 needs"
            raise AirflowFailException(f"airflow {' '.join(arguments[:2])} ended with {code}: {last}{known}")

    def _environment(self) -> dict[str, str]:
        """Return Airflow's own environment, with its database: by a connection, for tasks of Airflow 3 see none."""
        found = {n: v for n, v in os.environ.items() if not (n.endswith("SQL_ALCHEMY_CONN") and _BLOCKED in v)}
        for name in [n for n in found if n.startswith("_AIRFLOW") or n == "AIRFLOW_CTX_DAG_ID"]:
            del found[name]
        try:
            connection = BaseHook.get_connection(_INDEX["metadata"])
        except AirflowNotFoundException:
            self.log.info(
                "no connection %s: Airflow's own configuration says where its database is", _INDEX["metadata"]
            )
            return found
        uri = re.sub(r"^postgres(ql)?(?=:)", "postgresql+psycopg2", connection.get_uri())
        return {**found, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": uri}


if _INDEX["tasks"] == "pod":
    KubernetesPodOperator = _first("airflow.providers.cncf.kubernetes.operators.pod:KubernetesPodOperator")

    class JobPod(KubernetesPodOperator, _Outlets):  # type: ignore[valid-type,misc]
        """Runs a job as a pod, which is given as data and rendered nowhere."""

        __module__ = _MODULE
        template_fields: Sequence[str] = ()

        def __init__(self, *, changes: Sequence[str], **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.changes = changes
            self._end: JobEnd | None = None

        def execute(self, context: Any) -> Any:
            """Run the pod."""
            super().execute(context)
            return self.conclude(self._end or JobEnd(0, "", self.changes), context)

        def trigger_reentry(self, context: Any, event: dict[str, Any]) -> Any:
            """Go on where a pod was waited for without a worker."""
            super().trigger_reentry(context, event)
            return self.conclude(self._end or JobEnd(0, "", self.changes), context)

        def cleanup(self, pod: Any, remote_pod: Any, xcom_result: Any = None, context: Any = None) -> None:
            """Read how the job ended, before the pod is deleted; an exit code says what the task becomes."""
            ended = _terminated(remote_pod, self.base_container_name)
            if ended is not None:
                self._end = JobEnd(*_told(ended, self, remote_pod), self.changes)
            try:
                super().cleanup(pod, remote_pod, xcom_result, context)
            except AirflowException:
                if self._end is None or self._end.code == 0:
                    raise

    def _terminated(pod: Any, container: str) -> Any:
        statuses = (pod.status.container_statuses if pod and pod.status else None) or []
        found = next((each for each in statuses if each.name == container), None)
        return found.state.terminated if found and found.state else None

    def _told(ended: Any, operator: Any, pod: Any) -> tuple[int, str]:
        """Return exit code, or the signal as a negative one, and the last line of the pod's log."""
        code = ended.exit_code
        if ended.reason == "OOMKilled":
            return 1, "the job needs more memory than its limit: raise memory= of its hint"
        lines = (ended.message or "").rstrip().splitlines()
        if not lines:
            with contextlib.suppress(Exception):
                read = operator.pod_manager.read_pod_logs(pod, operator.base_container_name, tail_lines=1)
                lines = [line.decode(errors="replace") for line in read]
        return code, lines[-1].rstrip()[-_LAST_WORDS:] if lines else ""


def _asset(name: str) -> Any:
    return Asset(f"{_INDEX['assets']}{name}")


def _alias(dag_id: str) -> str:
    return f"{dag_id}.changes"


def _schedule(entry: Mapping[str, Any]) -> Any:
    """Return when a DAG runs: by the clock, when one of its inputs has changed, both, or when somebody asks."""
    inputs = [_asset(name) for name in entry["inputs"]]
    every = entry["every"]
    timetable = None
    if every and "cron" in every:
        timetable = CronTriggerTimetable(every["cron"], timezone=every["tz"])
    elif every:
        timetable = DeltaTriggerTimetable(timedelta(seconds=every["seconds"]))
    if not inputs:
        return timetable
    changed = AssetAny(*inputs)
    return _either(timetable, changed) if timetable else changed


def _either(timetable: Any, changed: Any) -> Any:
    with contextlib.suppress(ImportError):
        return _first("airflow.sdk:AssetOrTimeSchedule", "airflow.timetables.assets:AssetOrTimeSchedule")(
            timetable=timetable, assets=changed
        )
    return _first("airflow.timetables.datasets:DatasetOrTimeSchedule")(timetable=timetable, datasets=changed)


def _entries(only: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is in the files: each DAG has one line of the part that its id leads to."""
    parts = _INDEX["parts"]
    chosen = parts if only is None else [parts[zlib.crc32(only.encode()) % len(parts)]]
    for part in chosen:
        for line in _HERE.with_name(part).read_text(encoding="utf-8").splitlines():
            if len(line) > 2 and (only is None or line.startswith(json.dumps(only))):  # noqa: PLR2004 - no brace alone
                yield from json.loads(f"{{{line.rstrip(',')}}}").items()


def _failed(context: Any) -> None:
    """Tell of a failed task, or of a run that took too long: one line in the log, and a call if one is configured."""
    instance = context.get("ti") or context.get("task_instance")
    timed_out = context.get("reason") == "timed_out"
    if instance is None and not timed_out:
        return
    run = context["dag_run"]
    told = {
        "event": "datasurface.timed_out" if timed_out else "datasurface.failed",
        "dag": run.dag_id,
        "run": run.run_id,
        "task": getattr(instance, "task_id", None),
        "try": getattr(instance, "try_number", None),
        "reason": str(context.get("exception") or context.get("reason") or "")[:_LAST_WORDS],
    }
    _LOGGER.error("%s", json.dumps(told, sort_keys=True))
    if _INDEX["failures"]:
        try:
            _post(_INDEX["failures"], told)
        except Exception:
            _LOGGER.exception("the connection %s could not be called", _INDEX["failures"])


def _tried(context: Any) -> None:
    """Tell of a task that is tried again: one line in the log."""
    reason = str(context.get("exception") or "")[:_LAST_WORDS]
    _LOGGER.info("%s", json.dumps({"event": "datasurface.tried_again", "reason": reason}, sort_keys=True))


def _post(connection_id: str, told: Mapping[str, Any]) -> None:
    connection = BaseHook.get_connection(connection_id)
    host = connection.host or ""
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}" + (f":{connection.port}" if connection.port else "")
    headers = {"Content-Type": "application/json"}
    if connection.password:
        headers["Authorization"] = f"Bearer {connection.password}"
    body = json.dumps({"text": f"{told['dag']} failed: {told['reason']}", **told}).encode()
    url = f"{host}{connection.extra_dejson.get('endpoint', '')}"
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - an administrator's connection says where
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def _dag(dag_id: str, entry: Mapping[str, Any]) -> Any:
    retries = _INDEX["retries"]
    changes = entry["outlets"]
    group = len(changes) > 1
    common = {
        "owner": entry["owner"],
        "pool": entry["pool"],
        "priority_weight": entry["priority"],
        "weight_rule": "absolute",
        "retries": retries["count"],
        "retry_delay": timedelta(seconds=retries["delay"]),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(seconds=retries["longest"]),
        "on_failure_callback": _failed,
        "on_retry_callback": _tried,
    }
    with DAG(
        dag_id=dag_id,
        schedule=_schedule(entry),
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        dagrun_timeout=timedelta(seconds=entry["run_timeout"]),
        on_failure_callback=_failed,
        default_args=common,
        tags=entry["tags"],
        doc_md=entry["doc"],
    ) as dag:
        outlets = [AssetAlias(_alias(dag_id))] if group else [_asset(name) for name in changes]
        run = _task(entry, execution_timeout=timedelta(seconds=entry["timeout"]), outlets=outlets)
        if group:
            run >> Verdict(task_id="verdict", pool="default_pool", retries=0)  # pyright: ignore[reportUnusedExpression]
    return dag


def _task(entry: Mapping[str, Any], **settings: Any) -> Any:
    if "commands" in entry:
        return Housekeeping(task_id="run", commands=entry["commands"], **settings)
    if "pod" in entry:
        return JobPod(
            task_id="run", changes=entry["outlets"], pod_template_dict=entry["pod"], **_INDEX["operator"], **settings
        )
    return JobProcess(
        task_id="run", changes=entry["outlets"], arguments=entry["arguments"], secrets=entry["secrets"], **settings
    )


for _id, _entry in _entries(get_parsing_context().dag_id):
    globals()[_id] = _dag(_id, _entry)
