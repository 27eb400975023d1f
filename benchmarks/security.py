"""`python -m benchmarks.security`: access of 500 transformers from nothing, and when nothing has changed."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from datasurface.runtime import local
from datasurface.security.sync import Synced

TRANSFORMERS = 500
FROM_NOTHING, UNCHANGED = 10.0, 1.0
"""What each may take, in seconds."""


def main() -> int:
    """Print both times; 1 if one is over its limit."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from security_bench import SecurityBench, login_of, spec_of  # noqa: PLC0415 - a part of the tests

    names = [f"w{number}" for number in range(TRANSFORMERS)]
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        server = local.start(Path(base) / "server")
        try:
            local.ensure_database(server, "bench")
            url = server.uri("bench")
            bench = SecurityBench(url, spec_of(workspaces=names, transformers=names), Path(base) / "s", login_of(url))
            bench.build()
            first = _timed(bench.sync)
            again = sorted(_timed(bench.sync) for _ in range(5))[2]
        finally:
            local.stop(Path(base) / "server")
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d} {TRANSFORMERS} transformers\n")
    sys.stdout.write(f"  from nothing {first:6.2f} s, at most {FROM_NOTHING:g} s\n")
    sys.stdout.write(f"  unchanged    {again:6.2f} s, at most {UNCHANGED:g} s\n")
    return 0 if first <= FROM_NOTHING and again <= UNCHANGED else 1


def _timed(work: Callable[[], Synced]) -> float:
    start = time.monotonic()
    if not work().complete:
        raise RuntimeError("roles and grants are not as the model says")
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
