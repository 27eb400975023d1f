from __future__ import annotations

import logging
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import ParamSpec, TypeVar

import pytest

from datasurface.errors import SourceError, StoreError
from datasurface.model.capture import Cron, Every, External, Snapshot
from datasurface.model.infrastructure import PostgresDatabase
from datasurface.model.transformer import PythonModule
from datasurface.model.vocabulary import Priority
from datasurface.release.job import Changed, JobSpec, OutputCapture, TransformerSpec
from datasurface.runtime.report import BatchReport, exit_code
from datasurface.runtime.scheduler import JobSet, Scheduler

P = ParamSpec("P")
T = TypeVar("T")

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
PATIENCE = 30.0
"""How long a test waits for what must happen, in real seconds, before it fails."""


def job(
    stream: str,
    *,
    every: Every = "1 minute",
    priority: Priority = Priority.MEDIUM,
    source: str = "db",
    connections: int = 4,
) -> JobSpec:
    return JobSpec(
        stream,
        platform="yellow",
        datastore=stream,
        datasets=(),
        capture=Snapshot(PostgresDatabase(source, host="localhost", database="d"), every=every),
        priority=priority,
        connections=connections,
    )


def merged(job: JobSpec) -> BatchReport:
    return BatchReport(stream=job.stream, batch_id=1, state="merged")


class Provider:
    def __init__(self, *jobs: JobSpec, after: Mapping[str, Sequence[str]] | None = None) -> None:
        self.jobs = jobs
        self.after = after or {}
        self.digest = "one"
        self.error: Exception | None = None
        self.asked = 0
        self.batches: dict[str, int] = {}

    def change(self, *jobs: JobSpec) -> None:
        self.jobs, self.digest = jobs, self.digest + "+"

    def version(self) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.digest

    def load(self) -> JobSet:
        return JobSet(jobs=self.jobs, after=self.after)

    def changed(self) -> Mapping[str, int]:
        return self.batches


class World(Executor):
    """A clock that runs as fast as the scheduler sleeps, and workers that take no time, or as long as the test says.

    `events` are what the test does and when, in seconds; at `until` the scheduler is stopped.
    """

    def __init__(self, events: Mapping[float, Callable[[], None]] | None = None, *, until: float) -> None:
        self.now = NOON
        self.stop = threading.Event()
        self.sleeps = 0
        self.held: dict[str, Callable[[], None]] = {}
        self.hold: set[str] = set()
        self.failing: set[str] = set()
        self.starts: list[tuple[float, str]] = []
        self.reports: list[BatchReport] = []
        self._rung = False
        self._passed = 0.0
        self._events = sorted([*(events or {}).items(), (until, self.stop.set)], key=lambda event: event[0])

    def run(self, provider: Provider, last_started: Mapping[str, datetime] | None = None, *, workers: int = 4) -> None:
        scheduler = Scheduler(
            self.execute,
            workers=workers,
            clock=lambda: self.now,
            waiter=self,
            pool=lambda _: self,
            on_report=self.reports.append,
        )
        scheduler.run_forever(provider, lambda: last_started or {}, self.stop)

    def execute(self, job: JobSpec) -> BatchReport:
        if job.stream in self.failing:
            raise SourceError("table orders is missing")
        return merged(job)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job = args[0]
        assert isinstance(job, JobSpec)
        self.starts.append((self._passed, job.stream))
        if job.stream in self.hold:
            assert job.stream not in self.held, "two batches of one stream at once"
            self.held[job.stream] = lambda: void(fn(*args, **kwargs))
        else:
            fn(*args, **kwargs)
        return Future()

    def release(self, stream: str) -> None:
        self.held.pop(stream)()

    def wake(self) -> None:
        self._rung = True

    def wait(self, seconds: float) -> None:
        self.sleeps += 1
        assert self.sleeps < 100_000, "the scheduler is busy waiting"
        if self._rung:
            self._rung = False
        elif self._events and self._passed + seconds >= self._events[0][0]:
            at, event = self._events.pop(0)
            self._pass(at - self._passed)
            event()
        else:
            self._pass(seconds)

    def set_clock(self, by: timedelta) -> None:
        self.now += by

    def times(self, stream: str) -> list[float]:
        return [passed for passed, name in self.starts if name == stream]

    def gaps(self, stream: str) -> list[float]:
        times = self.times(stream)
        return [round(later - earlier, 3) for earlier, later in pairwise(times)]

    def _pass(self, seconds: float) -> None:
        self._passed += seconds
        self.now += timedelta(seconds=seconds)


def void(_: object) -> None:
    """Take a result and forget it."""


def test_an_interval_is_kept_from_the_first_run_at_once_on():
    world = World(until=605)
    world.run(Provider(job("crm")))
    first, *others = world.gaps("crm")
    assert world.times("crm")[0] == 0
    assert 0 < first <= 60
    assert set(others) == {60.0}
    assert len(world.times("crm")) in (11, 12)


def test_five_hundred_streams_of_a_minute_all_run_every_minute_and_never_all_at_once():
    world = World(until=301)
    world.run(Provider(*[job(f"s{n}") for n in range(500)]))
    a_second = Counter(int(passed) for passed, _ in world.starts if passed >= 1)
    assert max(a_second.values()) < 25
    assert all(set(world.gaps(f"s{n}")[1:]) == {60.0} for n in range(500))
    assert len(world.reports) == len(world.starts)


def test_a_cron_runs_at_its_times_and_a_missed_one_at_once():
    world = World(until=4000)
    last = {"fresh": NOON - MINUTE, "missed": NOON - timedelta(days=2)}
    world.run(Provider(*[job(s, every=Cron("30 * * * *")) for s in ("new", "fresh", "missed")]), last)
    assert world.times("new") == [0, 1800]
    assert world.times("fresh") == [1800]
    assert world.times("missed") == [0, 1800]


def test_an_external_stream_never_runs_by_itself():
    world = World(until=7200)
    world.run(Provider(job("on_call", every=External())))
    assert world.starts == []


def test_an_idle_scheduler_looks_up_once_a_second_and_asks_for_the_release_every_five():
    world, provider = World(until=600), Provider(job("daily", every="1 day"))
    world.run(provider)
    assert world.sleeps <= 605
    assert provider.asked <= 122


def test_what_ran_before_a_restart_is_not_run_again_too_early():
    world = World(until=3700)
    world.run(Provider(job("crm", every="1 hour")), {"crm": NOON - 10 * MINUTE})
    assert len(world.times("crm")) == 1
    assert 2700 <= world.times("crm")[0] <= 3000


def test_after_a_long_sleep_each_stream_runs_once_and_returns_to_its_grid():
    world = World(until=500)
    world._events.insert(0, (200, lambda: world.set_clock(timedelta(hours=9))))
    world.run(Provider(job("crm")))
    after = [passed for passed in world.times("crm") if passed >= 200]
    assert after[0] == pytest.approx(200, abs=1)
    assert len(after) in (5, 6)


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(hours=3), timedelta(days=400)])
@pytest.mark.parametrize("every", ["1 minute", Cron("* * * * *")])
def test_a_clock_that_is_set_back_stops_nothing_for_longer_than_the_interval(back: timedelta, every: Every):
    world = World(until=500)
    world._events.insert(0, (200, lambda: world.set_clock(-back)))
    world.run(Provider(job("crm", every=every)))
    assert max(world.gaps("crm")) <= 60 + 60
    assert len([passed for passed in world.times("crm") if passed >= 200]) in (4, 5, 6)


def test_a_last_run_in_the_future_stops_nothing_for_longer_than_the_interval():
    world = World(until=200)
    world.run(Provider(job("crm")), {"crm": NOON + timedelta(days=30)})
    assert world.times("crm")[0] <= 60
    assert len(world.times("crm")) >= 3


def test_a_batch_longer_than_its_interval_is_never_run_twice_at_a_time():
    world = World(until=400)
    world.hold.add("long")
    world._events[:0] = [(150, lambda: world.release("long")), (390, lambda: world.release("long"))]
    world._events.append((410, lambda: world.release("long")))
    world.run(Provider(job("long"), job("short")))
    assert world.times("long") == [0, 150, 390]
    assert set(world.gaps("short")[1:]) == {60.0}


def test_a_failing_stream_is_reported_and_tried_again_at_its_next_time_and_stops_nobody():
    world = World(until=300)
    world.failing.add("bad")
    world._events.insert(0, (100, world.failing.clear))
    world.run(Provider(job("bad"), job("good")))
    states = [report.state for report in world.reports if report.stream == "bad"]
    assert states[:2] == ["failed", "failed"]
    assert states[-1] == "merged"
    assert set(world.gaps("bad")[1:]) == {60.0}
    assert all(report.ok for report in world.reports if report.stream == "good")
    assert "DS-301 table orders is missing" in [report.error for report in world.reports]


def test_a_schedule_that_cannot_be_understood_is_reported_and_stops_nobody():
    world = World(until=100)
    world.run(Provider(job("bad", every=Cron("99 * * * *")), job("good")))
    assert [report.state for report in world.reports if report.stream == "bad"] == ["failed"]
    assert len(world.times("good")) >= 2


def test_a_new_release_is_followed_within_seconds():
    provider = Provider(job("old"), job("kept"))
    world = World({100: lambda: provider.change(job("kept", every="10 seconds"), job("new"))}, until=200)
    world.run(provider)
    assert max(world.times("old")) <= 105
    assert 100 <= world.times("new")[0] <= 106
    assert len([passed for passed in world.times("kept") if passed > 106]) >= 9


def test_a_release_that_cannot_be_read_for_a_while_stops_nothing(caplog: pytest.LogCaptureFixture):
    provider = Provider(job("crm"))

    def fail() -> None:
        provider.error = StoreError("the merge database is out of reach")

    def recover() -> None:
        provider.error = None
        provider.change(job("crm"), job("new"))

    world = World({50: fail, 250: recover}, until=300)
    with caplog.at_level(logging.WARNING, "datasurface"):
        world.run(provider)
    assert set(world.gaps("crm")[1:]) == {60.0}
    assert len(world.times("new")) >= 1
    assert caplog.text.count("the merge database is out of reach") == 1


def test_a_first_release_that_cannot_be_read_ends_the_loop():
    provider = Provider()
    provider.error = StoreError("the merge database is out of reach")
    with pytest.raises(StoreError):
        World(until=10).run(provider)


def test_on_stop_nothing_new_starts_and_what_runs_is_finished():
    world = World(until=0.5)
    world.hold.add("a")
    world._events.append((30, lambda: world.release("a")))
    world.run(Provider(job("a"), job("b")), workers=1)
    assert [stream for _, stream in world.starts] == ["a"]
    assert [report.stream for report in world.reports] == ["a"]


def test_dependents_run_after_inputs_that_are_due_with_them():
    world = World(until=0.5)
    world.run(Provider(job("mart", priority=Priority.CRITICAL), job("crm"), after={"mart": ["crm"]}))
    assert [stream for _, stream in world.starts] == ["crm", "mart"]


def test_once_runs_all_streams_after_failures_too_and_inputs_first():
    ran: list[str] = []

    def execute(job: JobSpec) -> BatchReport:
        ran.append(job.stream)
        if job.stream == "crm":
            raise ValueError("boom")
        return merged(job)

    told: list[BatchReport] = []
    jobs = [job("mart"), job("join"), job("crm"), job("on_call", every=External())]
    after = {"mart": ["join"], "join": ["crm"]}
    reports = Scheduler(execute, workers=2, on_report=told.append).run_once(jobs, after=after)
    assert [s for s in ran if s != "on_call"] == ["crm", "join", "mart"]
    assert told == reports
    assert sorted((r.stream, r.state, r.error) for r in reports) == [
        ("crm", "failed", "ValueError: boom"),
        ("join", "merged", ""),
        ("mart", "merged", ""),
        ("on_call", "merged", ""),
    ]
    assert exit_code(reports) == 1


def test_once_due_runs_only_what_is_due_and_reports_bad_schedules():
    jobs = [
        job("new"),
        job("early"),
        job("late"),
        job("on_call", every=External()),
        job("bad", every="soon"),
        job("ahead"),
    ]
    last = {"early": NOON - 59 * SECOND, "late": NOON - MINUTE, "ahead": NOON + timedelta(days=1)}
    scheduler = Scheduler(merged, clock=lambda: NOON)
    reports = scheduler.run_once(jobs, due_only=True, last_started=last)
    assert {r.stream: r.state for r in reports} == {
        "new": "merged",
        "late": "merged",
        "ahead": "merged",
        "bad": "failed",
    }


def test_once_without_streams_ends():
    assert Scheduler(merged).run_once([]) == []


def test_threads_respect_the_limit_of_a_container_and_use_all_of_it():
    """Every batch waits until as many as may run at once do so; one more is an error."""
    lock, running, most = threading.Lock(), Counter[str](), Counter[str]()
    full = threading.Barrier(3 + 1, timeout=PATIENCE)  # three of a, one of b: more never run together

    def execute(job: JobSpec) -> BatchReport:
        name = job.source.name
        with lock:
            running[name] += 1
            most[name] = max(most[name], running[name])
        full.wait()
        with lock:
            running[name] -= 1
        return merged(job)

    jobs = [job(f"a{n}", source="a") for n in range(12)] + [job(f"b{n}", source="b", connections=1) for n in range(4)]
    reports = Scheduler(execute, workers=8, limits={"a": 3}).run_once(jobs)
    assert [r.error for r in reports if not r.ok] == []
    assert most == {"a": 3, "b": 1}


def test_threads_run_by_priority():
    ran: list[str] = []

    def execute(job: JobSpec) -> BatchReport:
        ran.append(job.stream)
        return merged(job)

    jobs = [job(f"{p.value}{n}", priority=p) for n in (1, 2) for p in Priority]
    Scheduler(execute, workers=1).run_once(jobs)
    assert ran == ["critical1", "critical2", "high1", "high2", "medium1", "medium2", "low1", "low2"]


def test_a_worker_that_dies_is_a_failed_batch():
    def execute(_: JobSpec) -> BatchReport:
        raise SystemExit

    (report,) = Scheduler(execute).run_once([job("crm")])
    assert (report.state, report.error) == ("failed", "the batch ended without a result")


def test_once_stops_gracefully():
    stop, started = threading.Event(), threading.Event()

    def execute(job: JobSpec) -> BatchReport:
        started.set()
        assert stop.wait(PATIENCE)
        return merged(job)

    scheduler = Scheduler(execute, workers=1)
    threading.Thread(target=lambda: (started.wait(PATIENCE), stop.set(), scheduler.wake()), daemon=True).start()
    reports = scheduler.run_once([job("a"), job("b")], stop=stop)
    assert [r.stream for r in reports] == ["a"]


def test_the_real_loop_follows_its_schedule_and_ends_on_stop():
    stop, ran = threading.Event(), Counter[str]()

    def execute(job: JobSpec) -> BatchReport:
        ran[job.stream] += 1
        return merged(job)

    def told(_: BatchReport) -> None:
        if min(ran["a"], ran["b"]) >= 2:
            stop.set()
            scheduler.wake()

    scheduler = Scheduler(execute, on_report=told)
    jobs = [job("a", every="1 second"), job("b", every="1 second")]
    loop = threading.Thread(target=scheduler.run_forever, args=(Provider(*jobs), dict, stop), daemon=True)
    loop.start()
    loop.join(PATIENCE)
    assert not loop.is_alive()


def test_a_signal_handler_may_stop_the_loop_that_it_interrupts():
    stop = threading.Event()

    def on_signal(*_: object) -> None:
        stop.set()
        scheduler.wake()

    def execute(job: JobSpec) -> BatchReport:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        return merged(job)

    reports: list[BatchReport] = []
    scheduler = Scheduler(execute, on_report=reports.append)
    before = signal.signal(signal.SIGUSR1, on_signal)
    try:
        scheduler.run_forever(Provider(job("crm", every="1 day")), dict, stop)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [report.stream for report in reports] == ["crm"]


def derived(stream: str, *inputs: str, every: Every | None = None) -> JobSpec:
    """Return the job of a transformer's output; without `every` it runs on change."""
    capture = OutputCapture(PostgresDatabase("db", host="localhost", database="d"), every=every or Changed())
    spec = TransformerSpec(stream, workspace=stream, code=PythonModule("m:f"), triggers=sorted(inputs))
    return JobSpec(stream, platform="yellow", datastore=stream, datasets=(), capture=capture, transformer=spec)


def derivation(*jobs: JobSpec) -> Provider:
    after = {j.stream: list(j.transformer.triggers) for j in jobs if j.transformer is not None}
    return Provider(*jobs, after=after)


def test_what_derives_from_a_change_runs_after_it_each_once_whatever_the_length_of_its_ways():
    world = World(until=605)
    jobs = [
        job("crm", every="5 minutes"),
        derived("short", "crm"),
        derived("long_1", "crm"),
        derived("long_2", "long_1"),
        derived("end", "short", "long_2"),
    ]
    world.run(derivation(*jobs))
    names = [name for _, name in world.starts]
    runs = len(world.times("crm"))
    assert runs == 3
    assert Counter(names) == dict.fromkeys(["crm", "short", "long_1", "long_2", "end"], runs)
    for n in range(runs):
        one = names[n * 5 : n * 5 + 5]
        assert (one[0], one[-1]) == ("crm", "end")
        assert one.index("long_1") < one.index("long_2")


def test_a_change_while_a_transformer_runs_makes_it_run_again_afterwards():
    def release() -> None:
        world.hold.clear()
        world.release("sums")

    world = World({70: release}, until=71)
    world.hold.add("sums")
    world.run(derivation(job("crm", every="20 seconds"), derived("sums", "crm")))
    assert len(world.times("sums")) == 2
    assert world.times("sums")[1] == 70


def test_a_cycle_whose_way_back_triggers_nothing_runs_each_once_for_a_change():
    world = World(until=100)
    world.run(derivation(job("crm", every="40 seconds"), derived("b", "crm"), derived("a", "b")))
    assert Counter(name for _, name in world.starts) == {"crm": 3, "a": 3, "b": 3}


def test_a_scheduled_transformer_keeps_to_its_schedule_and_its_change_goes_on():
    world = World(until=601)
    jobs = [job("crm", every="1 minute"), derived("daily", "crm", every="1 day"), derived("after", "daily")]
    world.run(derivation(*jobs))
    assert len(world.times("crm")) >= 10
    assert (len(world.times("daily")), len(world.times("after"))) == (1, 1)


def test_a_change_that_another_process_made_is_noticed():
    provider = derivation(job("crm", every=External()), derived("sums", "crm"))
    world = World({20: lambda: provider.batches.update(crm=7)}, until=60)
    world.run(provider)
    assert len(world.times("sums")) == 2
    assert 20 <= world.times("sums")[1] <= 26


def test_code_that_failed_is_tried_again_after_some_minutes():
    world = World(until=700)
    world.failing.add("sums")
    world.run(derivation(job("crm", every="1 day"), derived("sums", "crm")))
    assert world.times("sums") == [0, 300, 600]
