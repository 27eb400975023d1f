"""The memory of what runs is that of the process and of all that it has started, as long as nothing runs beside it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from datasurface.runtime.memory import measuring

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory of processes")

MEGABYTE = 1_000_000


def test_what_was_given_back_counts() -> None:
    with measuring() as before:
        usual = before() or 0
    with measuring() as memory:
        held = bytearray(150 * MEGABYTE)
        time.sleep(0.5)
        del held
        assert usual + 100 * MEGABYTE < (memory() or 0) < usual + 300 * MEGABYTE


def test_children_count() -> None:
    program = f"import time; held = bytearray({100 * MEGABYTE}); print('up', flush=True); time.sleep(60)"
    with measuring() as memory:
        usual = memory() or 0
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"up\n"
            assert (memory() or 0) > usual + 80 * MEGABYTE
        finally:
            child.kill()
            child.communicate()
        assert (memory() or 0) > usual + 80 * MEGABYTE


def test_nobody_can_say_whose_the_memory_of_two_at_once_is() -> None:
    with measuring() as first:
        assert first() is not None
        with measuring() as second:
            assert (first(), second()) == (None, None)
        assert first() is None, "it is known from then on no more"
    with measuring() as alone:
        assert alone() is not None
