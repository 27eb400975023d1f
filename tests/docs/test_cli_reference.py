"""The command reference is what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

from datasurface.cli.app import VERBS
from datasurface.cli.reference import reference

_PAGE = Path(__file__).parents[2] / "docs/reference/cli.md"


def test_the_page_is_up_to_date() -> None:
    assert _PAGE.read_text() == reference(), "run: python -m datasurface.cli.reference > docs/reference/cli.md"


def test_every_verb_has_a_section() -> None:
    page = reference()
    assert [verb for verb in VERBS if f"\n## {verb}\n" not in page] == []
    assert "\\b" not in page
    assert "\b" not in page
