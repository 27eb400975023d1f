"""Documents as tests see them: fenced blocks, commands with what they print, links; and a folder to run them in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word after the fence, its text, and the line where it begins."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a `console` block, and the lines that it is said to print."""

    text: str
    output: tuple[str, ...]
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in _FENCE.finditer(text)]


def commands(block: Block) -> list[Command]:
    """Return the commands of a `console` block: lines after `$ `, continued by `> `, and what follows them."""
    found: list[tuple[list[str], list[str], int]] = []
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            found.append(([line[2:]], [], number))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [Command("\n".join(text), tuple(output), number) for text, output, number in found]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, outside of its fenced blocks."""
    return _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Return what a link to a heading of the page may end with."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@contextmanager
def model_folder() -> Iterator[Path]:
    """Make a folder that every user can enter; its embedded server is stopped and deleted at the end."""
    made = Path(tempfile.mkdtemp(prefix="ds-docs-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        if (made / "eco.py").is_file():
            shell("datasurface local stop", made)
        shutil.rmtree(made, ignore_errors=True)


def shell(command: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does, with both outputs in one, as on a terminal."""
    programs = Path(sys.executable).parent
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DATASURFACE_", "PG"))}
    ours = {"PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "200", "PSQLRC": os.devnull}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=inherited | ours | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
    )
