"""A real Airflow for tests: scheduler, DAG processor and API server as processes, PostgreSQL as its metadata database.

`make .airflow3 .airflow2` makes the environments that it runs in; DataSurface itself is in neither of them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest

from airflow_metadata import Metadata
from airflow_settings import FILE_BACKEND, Backend, environ_of, programs
from cloud import free_port

Connections = Mapping[str, Mapping[str, Any]]


class Airflow(Metadata):
    """An Airflow that runs. What it knows is read from its metadata database; DAG files are put into `dags`."""

    def __init__(self, line: int, home: Path, database: str, environ: Mapping[str, str], port: int) -> None:
        super().__init__(line, database)
        self.home = home
        self.dags = home / "dags"
        self.environ = dict(environ)
        self.port = port
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, *arguments: str) -> str:
        """Run `airflow ...` and return what it printed; takes seconds."""
        done = subprocess.run(
            [str(programs(self.line) / "airflow"), *arguments],
            env=self.environ,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"airflow {arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, code: str, *arguments: str) -> str:
        """Run Python source in Airflow's environment and return what it printed."""
        done = subprocess.run(
            [str(programs(self.line) / "python"), "-c", code, *arguments],
            env=self.environ,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def trigger(self, dag: str, run: str, conf: Mapping[str, object] | None = None) -> str:
        """Start a run of a DAG by hand and return its id."""
        if self.line == 3:
            body = {"dag_run_id": run, "logical_date": None, "conf": dict(conf or {})}
            self.ask("POST", f"/api/v2/dags/{dag}/dagRuns", body)
        else:
            self.command("dags", "trigger", dag, "--run-id", run, "--conf", json.dumps(dict(conf or {})))
        return run

    def clear(self, dag: str, run: str) -> None:
        """Let a run's tasks run again, as a person does in the web pages (Airflow 3)."""
        self.ask("POST", f"/api/v2/dags/{dag}/dagRuns/{run}/clear", {"dry_run": False})

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Call Airflow 3's REST API as an administrator."""
        request = Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        with urlopen(request, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None

    @property
    def _token(self) -> str:
        if not hasattr(self, "_kept_token"):
            with urlopen(f"http://127.0.0.1:{self.port}/auth/token", timeout=30) as response:
                self._kept_token = str(json.loads(response.read())["access_token"])
        return self._kept_token

    def task_log(self, dag: str, run: str, task: str | None = None) -> str:
        """Return the logs of a run's tasks, all attempts, oldest first."""
        folder = self.home / "logs" / f"dag_id={dag}" / f"run_id={run}"
        files = folder.glob(f"task_id={task or '*'}/**/attempt=*.log")
        numbered = sorted(files, key=lambda file: (file.parent, int(file.stem.partition("=")[2])))
        return "\n".join([file.read_text() for file in numbered])

    def every_log(self) -> str:
        """Return all that any process has written, file by file."""
        return "\n".join([file.read_text(errors="replace") for file in sorted(self.home.glob("logs/**/*.log"))])

    def parse_warnings(self) -> list[str]:
        """Return what Python or Airflow warned of while it parsed DAG files."""
        files = [*self.home.glob("logs/dag_processor/**/*.log"), *self.home.glob("logs/scheduler/**/*.py.log")]
        lines = [line for file in sorted(files) for line in file.read_text().splitlines()]
        return sorted({line for line in lines if "Warning" in line or '"level":"warning"' in line})

    def start(self, name: str, *arguments: str) -> None:
        """Start one of its processes, which writes into `logs/<name>.log`."""
        with (self.home / "logs" / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(programs(self.line) / "airflow"), *arguments],
                env=self.environ,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_all(self) -> None:
        """Start what an Airflow consists of, and return when DAGs can be triggered."""
        if self.line == 3:
            self.start("api-server", "api-server")
            self.start("dag-processor", "dag-processor")
        self.start("scheduler", "scheduler", "--skip-serve-logs")
        self.until(self._answers, 120, "an Airflow that answers")

    def _answers(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended:\n{(self.home / 'logs' / f'{name}.log').read_text()[-4000:]}"
        if self.line == 2:
            return bool(self.rows("SELECT 1 FROM job WHERE job_type = 'SchedulerJob' AND state = 'running'"))
        with suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}/api/v2/monitor/health", timeout=5) as response:
            found = json.loads(response.read())
            return bool(found["scheduler"]["status"] == found["dag_processor"]["status"] == "healthy")
        return False

    def task_processes(self, words: str) -> list[psutil.Process]:
        """Return its processes whose command line holds these words."""
        return [p for p in self._tree() if words in " ".join(_command_line(p))]

    def kill(self, pid: int) -> None:
        """Kill a process of it, with all its children, as the kernel does when memory runs out."""
        process = psutil.Process(pid)
        assert self._owns(process)
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.Error):
                one.kill()

    def _owns(self, process: psutil.Process) -> bool:
        """Return whether a process is one of its: it works in its folder, or was told of it.

        Airflow writes its title over its environment, and what a task starts may work elsewhere: hence both.
        """
        with suppress(psutil.Error):
            if process.cwd() == str(self.home):
                return True
        with suppress(psutil.Error):
            return process.environ().get("AIRFLOW_HOME") == str(self.home)
        return False

    def _tree(self) -> list[psutil.Process]:
        """Return every process of it, also those whose parents are gone."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def stop(self) -> None:
        """Kill all of it: first who starts others, so that nothing comes after."""
        for process in self.processes.values():
            process.kill()
        for _ in range(3):
            for found in self._tree():
                with suppress(psutil.Error):
                    found.kill()
        for process in self.processes.values():
            process.wait(30)


@contextmanager
def airflow(
    line: int,
    database: str,
    *,
    connections: Connections | None = None,
    backend: Backend | None = None,
    environ: Mapping[str, str] | None = None,
    dags: Mapping[str, str] | None = None,
    running: bool = True,
) -> Iterator[Airflow]:
    """Start an Airflow of line 3 or 2 (2.11) on an empty database.

    Args:
        connections: What the file backend knows, as Airflow's connection documents (`conn_type`, `login`, `password`).
        backend: Another secrets backend than that file.
        environ: More of the environment of all its processes.
        dags: Files of the DAG folder, by relative path, there before it starts.
        running: Whether its processes are started; else there is only its database and its programs.
    """
    require(line)
    home = Path(tempfile.mkdtemp(prefix=f"ds-airflow{line}-"))
    home.chmod(0o755)
    made = Airflow(line, home, database, {}, free_port())
    try:
        for folder in ("dags", "logs"):
            (home / folder).mkdir()
        for name, text in (dags or {}).items():
            (home / "dags" / name).parent.mkdir(parents=True, exist_ok=True)
            (home / "dags" / name).write_text(text)
        chosen = backend or _file_backend(home, connections or {})
        made.environ = environ_of(line, home, database, made.port, chosen, environ or {})
        made.command("db", "migrate")
        if running:
            made.start_all()
        yield made
    finally:
        made.stop()
        shutil.rmtree(home, ignore_errors=True)


def require(line: int) -> None:
    """Skip the test where this Airflow is not installed; `make test-slow` and CI install it."""
    if not (programs(line) / "airflow").exists():
        pytest.skip(f"no Airflow {line} here: run `make .airflow{line}`")


def _file_backend(home: Path, connections: Connections) -> Backend:
    file = home / "connections.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({name: dict(values) for name, values in connections.items()}))
    return Backend(FILE_BACKEND, {"connections_file_path": str(file)})


def _command_line(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []
