"""What an Airflow knows, read from its metadata database: DAGs, runs, tasks, events, and every value of every table."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import psycopg
from psycopg import sql

ENDED = frozenset({"success", "failed"})


class Metadata:
    """The metadata database of an Airflow of line 3 or 2."""

    def __init__(self, line: int, database: str) -> None:
        self.line = line
        self.database = database

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the metadata database."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def dag_ids(self) -> list[str]:
        """Return the DAGs that Airflow has found in its files and that are still there."""
        gone = "is_stale" if self.line == 3 else "NOT is_active"
        return [dag for (dag,) in self.rows(f"SELECT dag_id FROM dag WHERE NOT ({gone}) ORDER BY dag_id")]

    def import_errors(self) -> list[tuple[str, str]]:
        """Return the files that could not be imported, and why."""
        return [(str(file), str(why)) for file, why in self.rows("SELECT filename, stacktrace FROM import_error")]

    def warnings(self) -> list[tuple[str, str]]:
        """Return what Airflow itself warns of a DAG, such as a pool that does not exist."""
        return [(str(dag), str(why)) for dag, why in self.rows("SELECT dag_id, message FROM dag_warning")]

    def dag_versions(self, dag: str) -> int:
        """Return how many versions Airflow 3 has of a DAG."""
        return int(self.rows("SELECT count(*) FROM dag_version WHERE dag_id = %s", dag)[0][0])

    def runs(self, dag: str) -> list[tuple[str, str, str]]:
        """Return a DAG's runs, oldest first: id, type (`scheduled`, `asset_triggered`, `manual`, ...), state."""
        asked = "SELECT run_id, run_type, state FROM dag_run WHERE dag_id = %s ORDER BY id"
        return [(str(run), str(kind), str(state)) for run, kind, state in self.rows(asked, dag)]

    def run_state(self, dag: str, run: str) -> str | None:
        """Return the state of a run."""
        found = self.rows("SELECT state FROM dag_run WHERE dag_id = %s AND run_id = %s", dag, run)
        return found[0][0] if found else None

    def tasks(self, dag: str, run: str) -> dict[str, str | None]:
        """Return the state of each task of a run, by its id; mapped tasks as `id[0]`."""
        asked = "SELECT task_id, map_index, state FROM task_instance WHERE dag_id = %s AND run_id = %s"
        found = self.rows(asked, dag, run)
        return {task if index < 0 else f"{task}[{index}]": state for task, index, state in found}

    def tries(self, dag: str, run: str, task: str) -> int:
        """Return how often a task of a run was tried."""
        asked = "SELECT try_number FROM task_instance WHERE dag_id = %s AND run_id = %s AND task_id = %s"
        return int(self.rows(asked, dag, run, task)[0][0])

    def asset_events(self, uri: str | None = None) -> list[tuple[str, str | None, str | None]]:
        """Return asset events (2.11: dataset events), oldest first: the URI, and the DAG and run it came from."""
        word = "asset" if self.line == 3 else "dataset"
        asked = (
            f"SELECT a.uri, e.source_dag_id, e.source_run_id FROM {word}_event e "
            f"JOIN {word} a ON a.id = e.{word}_id WHERE %s::text IS NULL OR a.uri = %s ORDER BY e.id"
        )
        return self.rows(asked, uri, uri)

    def wait_for_dags(self, wanted: Collection[str], seconds: float = 60) -> None:
        """Wait until Airflow knows these DAGs; an import error fails at once."""

        def known() -> bool:
            assert self.import_errors() == []
            return set(wanted) <= set(self.dag_ids())

        self.until(known, seconds, f"DAGs {sorted(wanted)}")

    def wait_for_run(self, dag: str, run: str, states: Collection[str] = ENDED, seconds: float = 90) -> str:
        """Wait until a run is in one of these states, and return it."""
        self.until(lambda: self.run_state(dag, run) in states, seconds, f"{dag} {run} in {sorted(states)}")
        return str(self.run_state(dag, run))

    def wait_for_runs(self, dag: str, number: int, kind: str = "", seconds: float = 90) -> list[tuple[str, str, str]]:
        """Wait until a DAG has so many runs that have ended (of a kind), and return those."""

        found: list[tuple[str, str, str]] = []

        def ended() -> bool:
            found[:] = [run for run in self.runs(dag) if run[2] in ENDED and kind in ("", run[1])]
            return len(found) >= number

        self.until(ended, seconds, f"{number} ended runs of {dag}")
        return found

    def wait_for_process(self, dag: str, run: str, task: str, seconds: float = 60) -> int:
        """Wait until a task runs, and return the process that runs it."""
        asked = (
            "SELECT pid FROM task_instance WHERE dag_id = %s AND run_id = %s AND task_id = %s "
            "AND state = 'running' AND pid IS NOT NULL"
        )
        self.until(lambda: bool(self.rows(asked, dag, run, task)), seconds, f"{dag} {run} {task} running")
        return int(self.rows(asked, dag, run, task)[0][0])

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}\n{self.summary()}"
            time.sleep(0.2)

    def summary(self) -> str:
        """Return what runs and what has run, for a message."""
        asked = "SELECT dag_id, run_id, task_id, state, try_number FROM task_instance ORDER BY start_date"
        return "\n".join([str(row) for row in [*self.rows(asked), *self.import_errors()]])

    def dump(self) -> Iterator[tuple[str, str]]:
        """Yield every row of every table as text: the table's name, and its values. Bytes are read as Latin-1."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            ).fetchall()
            for (table,) in tables:
                for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
                    yield table, "\n".join([_text(value) for value in row])


def _text(value: object) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
