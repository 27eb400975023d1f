"""A collector that fails, hangs or falls behind is said once, and costs whoever tells it nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from datasurface.runtime.telemetry.events import Event, StreamDispatched
from datasurface.runtime.telemetry.pipe import Pipe


def event(stream: str = "crm") -> Event:
    return StreamDispatched(platform="yellow", stream=stream, at=datetime.now(UTC), waited=0.1)


class Kept:
    """An exporter that keeps what it is given; it fails as long as it is told to, and waits for its gate."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fails = False
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()

    def export(self, events: Sequence[Event]) -> None:
        self.gate.wait(30)
        if self.fails:
            raise OSError("nobody at collector:4318")
        self.events += events

    def close(self) -> None:
        self.closed = True


def close(pipe: Pipe, seconds: float = 10) -> None:
    pipe.close(time.monotonic() + seconds)


def test_events_arrive_in_their_order_and_all_of_them() -> None:
    kept = Kept()
    pipe = Pipe("test", kept)
    sent = [event(str(number)) for number in range(500)]
    for one in sent:
        pipe.put(one)
    close(pipe)
    assert kept.events == sent
    assert kept.closed


def test_a_failing_collector_is_said_once_and_again_after_it_was_well(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    pipe = Pipe("test", kept)
    with caplog.at_level(logging.WARNING):
        for fails in (True, True, False, True):
            kept.fails = fails
            pipe.put(event())
            wait_for(lambda: pipe.idle)
        close(pipe)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert told[0].startswith("telemetry to test: OSError: nobody at collector:4318; batches go on without it")


def test_a_hanging_collector_neither_slows_nor_holds_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    kept.gate.clear()
    pipe = Pipe("test", kept, room=10)
    began = time.monotonic()
    for _ in range(1000):
        pipe.put(event())
    assert time.monotonic() - began < 0.5
    close(pipe, 0.2)
    assert time.monotonic() - began < 2
    kept.gate.set()
    assert "events are dropped" in caplog.text
    assert pipe.dropped >= 900


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
