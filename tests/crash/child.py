"""A writer in a process of its own, which ends or stops itself, or is ended, at a chosen moment."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from crash.shop import Shop
from datasurface.engine.batch import BatchResult, Outcome, Step
from datasurface.errors import DataSurfaceError
from datasurface.runtime.job import JobRunner
from datasurface.runtime.platform import RunningPlatform, open_platform

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["crash.child", "workbench"])
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a writer does something to itself.

    Attributes:
        step: Before this step; empty for none.
        rows: In the middle of COPY, once this many rows have passed; 0 for never.
        store: Before this method of the merge database; empty for none.
        signal: What it sends itself; 0 sleeps `pause` instead.
        pause: Seconds.
    """

    step: str = ""
    rows: int = 0
    store: str = ""
    signal: int = int(signal.SIGKILL)
    pause: float = 0.0

    def __str__(self) -> str:
        return f"{signal.Signals(self.signal).name} at {self.step or self.store or f'row {self.rows}'}"


class _Trigger:
    """Fires once."""

    def __init__(self, moment: Moment | None) -> None:
        self.moment = moment
        self.passed = 0

    def fire(self) -> None:
        moment, self.moment = self.moment, None
        if moment is None:
            return
        if moment.signal:
            os.kill(os.getpid(), moment.signal)
            time.sleep(0.05)
        else:
            time.sleep(moment.pause)

    def observe(self, step: Step) -> None:
        if self.moment is not None and self.moment.step == step.value:
            self.fire()

    def advance(self, _stream: str, rows: int) -> None:
        self.passed += rows
        if self.moment is not None and 0 < self.moment.rows <= self.passed:
            self.fire()

    def hook(self, running: RunningPlatform) -> None:
        """Fire before a method of the merge database."""
        if self.moment is None or not self.moment.store:
            return
        before: Callable[..., Any] = getattr(running.store, self.moment.store)

        @functools.wraps(before)
        def wrapped(*given: Any, **named: Any) -> Any:
            self.fire()
            return before(*given, **named)

        setattr(running.store, self.moment.store, wrapped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a run in another process ended: a result, or the error that it raised."""

    outcome: str
    batch_id: int | None
    error: str


def _work(shop: Shop, moment: Moment | None, pipe: Connection, runs: int) -> None:
    trigger = _Trigger(moment)
    with open_platform(shop.release().platforms[0], Path(shop.folder), shop.secrets()) as running:
        trigger.hook(running)
        runner = JobRunner(running, progress=trigger, silence=shop.silence, observe=trigger.observe, retries=(0.1, 0.2))
        pipe.send("ready")
        for _ in range(runs):
            pipe.recv()
            try:
                result = runner.run(*running.job(shop.stream))
                answer = Answer(outcome=result.outcome.value, batch_id=result.batch_id, error=result.error)
            except DataSurfaceError as error:
                answer = Answer(outcome=type(error).__name__, batch_id=None, error=str(error))
            pipe.send(answer)
        runner.close()


class Writer:
    """A handle on a writer in another process."""

    def __init__(self, shop: Shop, moment: Moment | None = None, runs: int = 1) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_work, args=(shop, moment, theirs, runs), daemon=True)
        self.process.start()
        theirs.close()
        assert self._pipe.poll(_PATIENCE), "the writer did not start"
        assert self._pipe.recv() == "ready"

    def go(self) -> None:
        self._pipe.send("go")

    def answer(self) -> Answer | None:
        """Wait for the end of a run; None if the process was killed."""
        assert self._pipe.poll(_PATIENCE), "the writer does not answer"
        try:
            found: Answer = self._pipe.recv()
        except EOFError:
            self.process.join(10)
            return None
        return found

    def kill(self) -> bool:
        """End it with SIGKILL; False if it had answered before."""
        done = self._pipe.poll()
        self.process.kill()
        self.process.join(10)
        return not done

    def until_stopped(self) -> None:
        """Wait until it has stopped itself."""
        deadline = time.monotonic() + _PATIENCE
        stat = Path(f"/proc/{self.process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline, "the writer did not stop"
            assert not self._pipe.poll(), f"the writer ended instead of stopping: {self._pipe.recv()}"
            time.sleep(0.02)

    def resume(self) -> None:
        os.kill(self.process.pid or 0, signal.SIGCONT)

    def close(self) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join(10)
        self._pipe.close()


@contextmanager
def writer(shop: Shop, moment: Moment | None = None, runs: int = 1) -> Iterator[Writer]:
    """Start a writer that waits for `go`."""
    found = Writer(shop, moment, runs)
    try:
        yield found
    finally:
        found.close()


def killed_at(shop: Shop, moment: Moment) -> None:
    """Run a batch in another process that kills itself at a moment; fail if the moment never came."""
    with writer(shop, moment) as child:
        child.go()
        answer = child.answer()
        assert answer is None, f"{moment} never came: {answer}"


def run_until_done(run: Callable[[], BatchResult], seconds: float = 60) -> BatchResult:
    """Just run again, as a scheduler would: a server may still be ending what a killed client left it."""
    deadline = time.monotonic() + seconds
    while True:
        result = run()
        if result.outcome not in (Outcome.BUSY, Outcome.WAITING) or time.monotonic() > deadline:
            return result
        time.sleep(0.1)
