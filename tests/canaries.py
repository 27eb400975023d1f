"""Secrets that are looked for everywhere: made-up passwords that stand nowhere else, and who may have seen them."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Canaries:
    """Passwords by the name of their credential. All are letters and digits, so that no quoting changes them."""

    def __init__(self, *names: str) -> None:
        self.values = {name: f"canary{secrets.token_hex(12)}" for name in names}

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def add(self, name: str, value: str) -> None:
        """Look for a password that was made elsewhere, too."""
        assert len(value) > 12
        self.values[name] = value

    def in_text(self, text: str | bytes) -> set[str]:
        """Return whose secret a text holds: as it is, backwards, in hexadecimal, or inside of something in base64."""
        raw = text.encode(errors="replace") if isinstance(text, str) else text
        return {name for name, value in self.values.items() if any(form in raw for form in _forms(value.encode()))}

    def in_rows(self, rows: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return which tables hold whose secret."""
        return {(where, name) for where, text in rows for name in self.in_text(text)}

    def in_folder(self, folder: Path, *, but: Iterable[str] = ()) -> set[tuple[str, str]]:
        """Return which files below a folder hold whose secret; `but`: names of files that are meant to."""
        left_out = set(but)
        files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name not in left_out]
        assert files, f"nothing below {folder}"
        return self.in_rows((str(file.relative_to(folder)), file.read_bytes().decode("latin-1")) for file in files)

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Look at the command lines of all processes for as long as the block runs."""
        watch = Watch(self)
        thread = threading.Thread(target=watch.look, daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            watch.end.set()
            thread.join()


class Watch:
    """Samples of the process list.

    Attributes:
        seen: Command lines that held a secret, with its name.
        jobs: Command lines of DataSurface's jobs: that some were sampled shows that the others were looked at.
    """

    def __init__(self, canaries: Canaries) -> None:
        self._canaries = canaries
        self.end = threading.Event()
        self.seen: set[tuple[str, str]] = set()
        self.jobs: set[str] = set()

    def look(self) -> None:
        """Sample until it is told to end."""
        while not self.end.wait(0.02):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    line = file.read_bytes().replace(b"\0", b" ")
                    self.seen |= {(line.decode(errors="replace"), name) for name in self._canaries.in_text(line)}
                    if b"--platform-file" in line:
                        self.jobs.add(line.decode(errors="replace"))


def _forms(value: bytes) -> list[bytes]:
    """Return what a secret may look like; of base64 the middle, at each of the three places that it can begin at."""
    inside = [base64.b64encode(b"\0" * shift + value)[4:-4] for shift in range(3)]
    return [value, value[::-1], value.hex().encode(), *inside]
