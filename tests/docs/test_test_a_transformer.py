"""The page about testing transformers: its files in an empty folder, tested as a reader would."""

from __future__ import annotations

from pathlib import Path

from pages import ROOT, blocks, shell

PAGE = ROOT / "docs" / "how-to" / "test-a-transformer.md"


def test_the_example_passes_in_an_empty_folder(tmp_path: Path):
    for block in blocks(PAGE):
        if block.kind == "python":
            (tmp_path / block.text.splitlines()[0].removeprefix("# ")).write_text(block.text)
    tested = shell("pytest -q -p no:cacheprovider", tmp_path)
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
    by_hand = shell("python by_hand.py", tmp_path)
    assert by_hand.returncode == 0, by_hand.stdout
    assert "'customer': 'ann', 'amount': Decimal('10.00')" in by_hand.stdout
