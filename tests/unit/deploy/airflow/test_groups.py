"""Groups: which streams share a task, as declared or as the ledger suggests."""

from __future__ import annotations

import pytest

from datasurface import Airflow, PostgresDatabase
from datasurface.deploy.airflow.groups import Task, refuse_unknown, tasks_of
from datasurface.deploy.base import Learned
from datasurface.errors import ConfigurationError
from deploying import deployable, derived, model, store

OTHER = PostgresDatabase("other_db", host="other.example", database="other", credential="other_reader")


def _tasks(settings: Airflow, learned: dict[str, Learned] | None = None, number: int = 40) -> list[Task]:
    stores = [store(f"s{i}", "1 minute") for i in range(number)] + [store("slow", "1 hour")]
    stores.append(store("elsewhere", "1 minute", source=OTHER))
    platform = deployable(model(stores, transformers=[derived("sums", ["s0.orders"])])).platforms[0]
    refuse_unknown([platform], settings)
    tasks = tasks_of(platform, settings, learned or {})
    assert sorted(job.stream for task in tasks for job in task.jobs) == sorted(job.stream for job in platform.jobs)
    return list(tasks)


def test_a_stream_has_a_task_of_its_own() -> None:
    assert all(task.group is None and len(task.jobs) == 1 for task in _tasks(Airflow()))


def test_declared_streams_share_a_task() -> None:
    found = next(task for task in _tasks(Airflow(groups={"often": ["s3", "s1", "s2"]})) if task.group)
    assert (found.group, [job.stream for job in found.jobs]) == ("often", ["s1", "s2", "s3"])


@pytest.mark.parametrize(
    "streams", [["s1", "slow"], ["s1", "elsewhere"], ["s1", "sums_out"]], ids=["schedule", "source", "transformer"]
)
def test_streams_that_have_too_little_in_common_cannot(streams: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="group 'g' cannot share a task"):
        _tasks(Airflow(groups={"g": streams}))


def test_unknown_and_doubled_streams_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'nobody', which does not exist"):
        _tasks(Airflow(groups={"g": ["nobody"]}))
    with pytest.raises(ConfigurationError, match="in two groups of Airflow: 'g' and 'h'"):
        _tasks(Airflow(groups={"g": ["s1", "s2"], "h": ["s2", "s3"]}))
    with pytest.raises(ConfigurationError, match="cannot be called 'a b'"):
        _tasks(Airflow(groups={"a b": ["s1", "s2"]}))


def test_the_ledger_suggests_tasks_with_time_enough() -> None:
    learned = {f"s{i}": Learned(seconds=1.0) for i in range(40)} | {"slow": Learned(seconds=1.0)}
    learned |= {"s7": Learned(seconds=50.0), "elsewhere": Learned(seconds=1.0)}
    groups = [task for task in _tasks(Airflow(), learned) if task.group]
    members = [job.stream for task in groups for job in task.jobs]
    assert len(groups) == 4
    assert sorted(members) == sorted(f"s{i}" for i in range(40) if i != 7)
    assert all(task.group and task.group.startswith("shop_db-") for task in groups)
    assert not any(task.group for task in _tasks(Airflow(group_learned=False), learned))


def test_one_stream_more_moves_no_other() -> None:
    learned = {f"s{i}": Learned(seconds=1.0) for i in range(45)}
    before = {job.stream: task.group for task in _tasks(Airflow(), learned, 36) for job in task.jobs}
    after = {job.stream: task.group for task in _tasks(Airflow(), learned, 37) for job in task.jobs}
    assert {stream: after[stream] for stream in before} == before
