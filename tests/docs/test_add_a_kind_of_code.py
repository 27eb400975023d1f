"""The kind of `how-to/add-a-kind-of-code.md`: installed by its entry point, and run on rows."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datasurface.testing import TransformerBench
from pages import ROOT, blocks, shell

_EXAMPLE = ROOT / "examples" / "csv-filter"
_PAGE = ROOT / "docs" / "how-to" / "add-a-kind-of-code.md"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example's package, installed for this test and what it starts alone."""
    _install(tmp_path, points=True)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith("datasurface_csv_filter")]:
        del sys.modules[name]


def test_the_page_shows_the_files_as_they_are() -> None:
    shown = {block.text for block in blocks(_PAGE)}
    for name in ("datasurface_csv_filter/__init__.py", "datasurface_csv_filter/kind.py"):
        assert (_EXAMPLE / name).read_text(encoding="utf-8") in shown, f"{name} differs from what the page shows"
    points = "".join((_EXAMPLE / "pyproject.toml").read_text(encoding="utf-8").partition("[project.entry-points")[1:])
    assert points in shown


def test_a_kind_that_is_not_installed_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, points=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = shell(f"datasurface check -m {_EXAMPLE / 'model'}", tmp_path)
    assert done.returncode == 1
    assert "DS-X005" in done.stdout
    assert "nothing installed runs CsvFilter" in done.stdout


def test_it_runs(installed: Path, transformer_bench: Callable[..., TransformerBench]) -> None:
    done = shell(f"datasurface check --strict -m {_EXAMPLE / 'model'}", installed)
    assert done.returncode == 0, done.stdout
    bench = transformer_bench("filtering", model=_EXAMPLE / "model")
    bench.given("shop.orders", [(1, "ann", 10), (2, 'Weiss, "Anna"', 5), (3, None, 12)])
    bench.run()
    bench.assert_current("large.orders", [(1, "ann", 10), (3, None, 12)])


def _install(site: Path, *, points: bool) -> None:
    """Put the package, and what an installer would write of it, into a folder."""
    project = tomllib.loads((_EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(_EXAMPLE / "datasurface_csv_filter", site / "datasurface_csv_filter")
    if not points:
        return
    info = site / f"datasurface_csv_filter-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    found = project["entry-points"]["datasurface.code"]
    lines = ["[datasurface.code]", *[f"{name} = {target}" for name, target in found.items()]]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
