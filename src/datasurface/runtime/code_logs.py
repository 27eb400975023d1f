"""What the code of transformers printed, kept where a user finds it: `logs/<platform>/<stream>/<batch>.log`.

A file is bounded by what is captured of one run, the number of files by what is kept of one stream.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from datasurface.runtime.telemetry.trace import CURRENT

__all__ = ["KEPT", "KEPT_DAYS", "forget_older", "last_log", "log_of", "logs_of", "recording"]

_LOGGER = logging.getLogger("datasurface.transform")

KEPT = 50
"""How many files are kept of a stream."""
KEPT_DAYS = 400
"""How long they are kept at most, also of streams that no longer run."""


def logs_of(folder: Path, environ: Mapping[str, str], platform: str) -> Path:
    """Return the folder of a platform's files: in `DATASURFACE_HOME`, else in the model folder."""
    home = environ.get("DATASURFACE_HOME")
    base = Path(home).absolute() if home else folder / ".datasurface"
    return base / "logs" / quote(platform, safe="")


def log_of(logs: Path, stream: str, batch: int) -> Path:
    """Return the file of a batch, whether it exists or not."""
    return logs / quote(stream, safe="") / f"{batch:08}.log"


def last_log(logs: Path, stream: str) -> Path | None:
    """Return the file of the newest batch of a stream that has one; None if its code never ran on this machine."""
    return max(log_of(logs, stream, 0).parent.glob("*.log"), default=None)


@contextmanager
def recording(logs: Path, stream: str, batch: int, label: str) -> Iterator[Callable[[str], None]]:
    """Open the record of a run: every line goes to the log of this process too. Older files are removed.

    Args:
        logs: The folder of the platform's files.
        stream: The stream of the output.
        batch: The number of the batch; another attempt at it adds to its file.
        label: Who runs, for the log of this process.
    """
    path = log_of(logs, stream, batch)
    _make_private(path.parent)
    _forget_old(path.parent)
    scope = CURRENT.get()
    batch_fields = {"datasurface": scope.fields()} if scope is not None else {}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:

        def keep(line: str) -> None:
            file.write(f"{line}\n")
            file.flush()
            _LOGGER.info("%s: %s", label, line, extra=batch_fields)

        file.write(f"# {label}, {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}\n")
        yield keep


def forget_older(logs: Path, now: datetime, *, days: int = KEPT_DAYS) -> int:
    """Delete the files of a platform that nobody has written to for `days`, and return how many."""
    gone = 0
    for path in sorted(logs.glob("*/*.log")):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < (now - timedelta(days=days)).timestamp():
                path.unlink()
                gone += 1
    return gone


def _make_private(folder: Path) -> None:
    """Make a folder that others cannot look into, outside what git keeps."""
    folder.mkdir(parents=True, exist_ok=True)
    top = folder.parents[1]
    top.chmod(0o700)
    ignore = top / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


def _forget_old(folder: Path) -> None:
    for path in sorted(folder.glob("*.log"))[: -(KEPT - 1)]:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
