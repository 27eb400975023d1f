"""Turn result files into the tables of `docs/explanation/speed.md`; `--into PAGE` puts them between its marks."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["main", "tables"]

_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_MB = 1024 * 1024


def tables(documents: Sequence[Mapping[str, Any]]) -> str:
    """Return one Markdown section for each result."""
    return "\n\n".join("\n".join(_section(document)) for document in documents)


def _section(document: Mapping[str, Any]) -> Iterator[str]:
    machine = document["machine"]
    yield f"### PostgreSQL {machine['postgresql'].split()[0]}"
    yield ""
    yield (
        f"{document['rows']:,} rows, {document['runs']} pairs, {machine['cores']} cores, "
        f"{machine['memory_gb']:.0f} GB, Python {machine['python']}, {document['at'][:10]}."
    )
    yield ""
    yield "| | case | budget | median | spread | seconds | whole process | client memory | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for line in document["lines"]:
        yield "| " + " | ".join(_cells(line)) + " |"


def _cells(line: Mapping[str, Any]) -> list[str]:
    unit = line["unit"].replace("x floor", "\u00d7 floor")
    verdict = "" if line["limit"] is None or not line["judged"] else "missed" if line["missed"] else "met"
    return [
        line["group"],
        line["case"],
        "" if line["limit"] is None else f"{line['limit']:g} {unit}",
        f"{line['value']:.2f} {unit}",
        f"{line['low']:.2f} to {line['high']:.2f}" if len(line["values"]) > 1 else "",
        "" if line["wall"] is None else f"{line['wall']:.2f} s",
        "" if line["whole"] is None else f"{line['whole']:.2f} s",
        "" if line["memory"] is None else f"{line['memory'] / _MB:.0f} MB",
        "; ".join(filter(None, [verdict, line["note"]])),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, or put them between the marks of a page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, metavar="PAGE")
    options = parser.parse_args(arguments)
    text = tables([json.loads(path.read_text(encoding="utf-8")) for path in options.results])
    if options.into is None:
        sys.stdout.write(text + "\n")
        return 0
    page = options.into.read_text(encoding="utf-8")
    marked = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", re.DOTALL)
    if not marked.search(page):
        raise SystemExit(f"{options.into} has no marks {_BEGIN} and {_END}")
    options.into.write_text(marked.sub(lambda _: f"{_BEGIN}\n\n{text}\n\n{_END}", page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
