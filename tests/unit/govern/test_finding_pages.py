"""Each code of `check` has a page, and each page's example causes that finding and no other.

`python tests/unit/govern/test_finding_pages.py` writes what the examples print, and the table of the index.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import datasurface
from datasurface.databases.base import capability_map
from datasurface.govern.capabilities import Capabilities, CapabilityMap
from datasurface.govern.check import check
from datasurface.govern.code import CodeFacts
from datasurface.govern.codes import CODES
from datasurface.govern.report import Report
from datasurface.release.sql import query_reader

KINDS = {"PythonModule", "SqlQueries", "PythonPackage", "PythonRepository", "ContainerImage", "DeIdentify"}
PAGES = Path(__file__).parents[3] / "docs" / "reference" / "findings"
INDEX = PAGES / "index.md"
BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.DOTALL)
TABLE = re.compile(r"\| code \|.*?\n\n", re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(text) if found == language]


def page(code: str) -> str:
    return (PAGES / f"{code}.md").read_text()


def capabilities(code: str) -> CapabilityMap:
    """What the installed adapters say; no database of ours lacks a merge, so that one code needs a made-up one."""
    real = capability_map()
    if code != "DS-P002":
        return real
    postgres = real["EmbeddedPostgres"]
    live_only = Capabilities(
        database="DuckLake",
        containers=("DuckLake",),
        merges=frozenset({"live"}),
        physical_type=postgres.physical_type,
        keyable=postgres.keyable,
    )
    return {**real, "DuckLake": live_only}


def checked(code: str) -> Report:
    """Check the model of the index with the page's example in place of those parts that it names."""
    names: dict[str, Any] = {"__name__": __name__, **{name: getattr(datasurface, name) for name in datasurface.__all__}}
    (model,) = blocks(INDEX.read_text(), "python")
    (example,) = blocks(page(code), "python")
    changed = set(re.findall(r"^(\w+) = ", example, re.MULTILINE))
    exec(compile(model, "model.py", "exec"), names)
    exec(compile(example, "eco.py", "exec"), names)
    kept: list[ast.stmt] = [
        part for part in ast.parse(model).body if isinstance(part, ast.Assign) and name_of(part) not in changed
    ]
    exec(compile(ast.Module(kept, []), "model.py", "exec"), names)
    facts = CodeFacts(kinds=frozenset(KINDS), read=query_reader())
    return check(names["ecosystem"], capabilities(code), environment=names.get("environment"), code=facts)


def name_of(part: ast.Assign) -> str:
    return ast.unparse(part.targets[0])


def printed(code: str) -> str:
    return "\n\n".join(found.to_text() for found in checked(code).findings) + "\n"


def table() -> str:
    rows = [f"| [{code}]({code}.md) | {info.severity.value} | {info.title} |" for code, info in CODES.items()]
    return "\n".join(["| code | severity | means |", "|---|---|---|", *rows]) + "\n\n"


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_the_page_causes_exactly_that_finding(code: str):
    assert {found.code for found in checked(code).findings} == {code}


@pytest.mark.parametrize("code", CODES)
def test_the_page_shows_what_check_prints(code: str):
    assert blocks(page(code), "text") == [printed(code)]


@pytest.mark.parametrize("code", CODES)
def test_the_page_names_code_title_and_severity_and_says_what_to_do(code: str):
    text = page(code)
    assert text.startswith(f"# {code}: {CODES[code].title}\n\nSeverity: {CODES[code].severity.value}")
    assert "\n## Example\n" in text
    assert "\n## What to do\n" in text


def test_every_page_is_of_a_code():
    assert {path.stem for path in PAGES.glob("DS-*.md")} == set(CODES)


def test_the_index_lists_every_code():
    assert TABLE.findall(INDEX.read_text()) == [table()]


def test_the_model_of_the_index_has_no_findings():
    names: dict[str, Any] = {name: getattr(datasurface, name) for name in datasurface.__all__}
    exec(blocks(INDEX.read_text(), "python")[0], names)
    assert check(names["ecosystem"], capability_map()).findings == ()


if __name__ == "__main__":
    INDEX.write_text(TABLE.sub(lambda _: table(), INDEX.read_text()))
    for each in CODES:
        shown = f"```text\n{printed(each)}```"
        text = re.sub(r"```text\n.*?```", lambda _, shown=shown: shown, page(each), flags=re.DOTALL)
        (PAGES / f"{each}.md").write_text(text)
