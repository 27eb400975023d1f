"""The tutorial, command by command, with the real command line in a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pages import ROOT, Block, Command, blocks, commands, model_folder, shell

PAGE = ROOT / "docs" / "tutorial" / "index.md"
_VARIABLE = (
    (re.compile(r"(?<= by )[\w.-]+@[\w.-]+"), "SOMEBODY"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b[0-9a-f]{64}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b"), "DIGEST"),
    (re.compile(r"seconds=[\d.]+|(?<=TIME) +\d+\.\d\d\b"), "SECONDS"),
    (re.compile(r"(?<=port )\d+|(?<=process )\d+"), "NUMBER"),
    (re.compile(r"\b(?:\d+ (?:s|min|h)|overdue [\w ]+?)(?=  )"), "AGE"),
    (re.compile(r"─+"), "─"),
    (re.compile(r"\s+"), " "),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with model_folder() as made:
        yield made


def test_the_tutorial_prints_what_it_says(folder: Path) -> None:
    said = blocks(PAGE)
    for block in said:
        match block.kind:
            case "python":
                _save(block, folder)
            case "diff":
                _change(block, folder)
            case "console":
                for command in commands(block):
                    _run(command, folder)
            case _:
                assert block.kind == "sh", f"line {block.line}: nobody runs a block of kind {block.kind!r}"
    assert sum(block.kind == "console" for block in said) >= 10


def test_its_normalisation_tells_different_outputs_apart() -> None:
    assert _differences(("a", "...", "c"), ("a", "x", "y", "c")) == ""
    assert _differences(("batch=1 read=12",), ("batch=1 read=13",))
    assert _differences(("a", "..."), ("b",))
    assert _differences(("a",), ("a", "b"))
    assert _differences(("a", "...", "c"), ("a", "b"))


def _save(block: Block, folder: Path) -> None:
    first, _, text = block.text.partition("\n")
    name = first.removeprefix("# ")
    assert name.endswith(".py"), f"line {block.line}: the block does not say its file"
    (folder / name).write_text(text, encoding="utf-8")


def _change(block: Block, folder: Path) -> None:
    first, *lines = block.text.splitlines()
    path = folder / first.removeprefix("--- ")
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"line {block.line}: {path.name} does not have these lines once"
    path.write_text(text.replace(before, after), encoding="utf-8")


def _run(command: Command, folder: Path) -> None:
    done = shell(command.text, folder)
    assert done.returncode == 0, f"line {command.line}: {command.text}\nended with {done.returncode}:\n{done.stdout}"
    text = done.stdout.replace(str(folder), "/home/you/shop")
    differences = _differences(command.output, text.splitlines())
    assert not differences, f"line {command.line}: {command.text}\n{differences}\nit printed:\n{text}"


def _differences(expected: Sequence[str], actual: Sequence[str]) -> str:
    """Return the first expected line that did not come, or nothing; `...` stands for any number of lines."""
    wanted, came = _normal(expected), _normal(actual)
    place, skipping = 0, False
    for line in wanted:
        if line == "...":
            skipping = True
            continue
        while skipping and place < len(came) and came[place] != line:
            place += 1
        if place >= len(came) or came[place] != line:
            return f"expected: {line}\ncame:     {came[place] if place < len(came) else 'the end'}"
        place, skipping = place + 1, False
    return "" if skipping or place == len(came) else f"not expected: {came[place]}"


def _normal(lines: Sequence[str]) -> list[str]:
    """Return lines without what differs at each run; blank ones are left out."""
    normal = []
    for line in lines:
        text = line
        for pattern, word in _VARIABLE:
            text = pattern.sub(word, text)
        normal.append(text.strip())
    return [line for line in normal if line]
