"""What is measured, and how: seconds, client CPU and client memory, each contestant in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

__all__ = ["Meter", "Sample", "bare_interpreter", "peak_memory", "report", "run_child", "server_cpu"]

ROOT = Path(__file__).resolve().parent.parent
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured piece of work.

    Attributes:
        wall: Seconds of the work itself.
        cpu: Seconds of client CPU, in all threads, of the work itself.
        whole: Seconds of the process around it, from its start to its end, interpreter and imports included.
        whole_cpu: Seconds of CPU of that process.
        memory: Bytes of memory at its peak, over those of an interpreter that does nothing.
    """

    wall: float
    cpu: float
    whole: float = 0.0
    whole_cpu: float = 0.0
    memory: int = 0


class Meter:
    """Measures what happens in its context."""

    wall = 0.0
    cpu = 0.0

    def __enter__(self) -> Self:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall = time.perf_counter() - self._wall
        self.cpu = time.process_time() - self._cpu


def peak_memory() -> int:
    """Return the most memory, in bytes, that this process and its children have held."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    try:
        # Unlike `ru_maxrss`, it begins anew with the program, not with the process that started it.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        own = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return own + children


def report(meters: list[Meter], **facts: object) -> None:
    """Print what a child process has measured, as its last line."""
    samples = [{"wall": m.wall, "cpu": m.cpu} for m in meters]
    document = {"samples": samples, "peak": peak_memory(), "whole_cpu": time.process_time(), **facts}
    sys.stdout.write(json.dumps(document) + "\n")


def run_child(module: str, *arguments: str, environment: Mapping[str, str]) -> tuple[list[Sample], dict[str, Any]]:
    """Run a module of this folder as a process and return what it has measured, and its further facts."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, **environment, "PYTHONPATH": path}
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    began = time.perf_counter()
    done = subprocess.run(command, env=variables, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    whole = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"benchmarks.{module} failed (exit {done.returncode}); what it said is above")
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    memory = max(0, facts.pop("peak") - bare_interpreter())
    whole_cpu = facts.pop("whole_cpu")
    samples = [Sample(**s, whole=whole, whole_cpu=whole_cpu, memory=memory) for s in facts.pop("samples")]
    return samples, facts


_bare: list[int] = []


def bare_interpreter() -> int:
    """Return the memory, in bytes, of an interpreter that does nothing."""
    if not _bare:
        code = "from benchmarks.meter import peak_memory; print(peak_memory())"
        if Path("/proc/self/status").exists():
            code = "print(next(int(l.split()[1]) * 1024 for l in open('/proc/self/status') if l.startswith('VmHWM')))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        _bare.append(int(done.stdout))
    return _bare[0]


def server_cpu(pid: int) -> float:
    """Return the seconds of CPU that a PostgreSQL server has used, those of its ended backends included."""
    main = psutil.Process(pid)
    times = main.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in main.children(recursive=True):
        try:
            used = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return float(total)


def as_document(sample: Sample) -> dict[str, float]:
    """Return a sample as JSON holds it."""
    return asdict(sample)
