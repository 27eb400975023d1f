"""The adapter of `how-to/add-a-database.md`: installed by its entry point, and run through batches."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pages import ROOT, blocks, model_folder, shell

_EXAMPLE = ROOT / "examples" / "csv-adapter"
_PAGE = ROOT / "docs" / "how-to" / "add-a-database.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example's model, with the example's package installed for this test alone."""
    _install(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with model_folder() as made:
        shutil.copytree(_EXAMPLE / "model", made, dirs_exist_ok=True)
        yield made


def test_the_page_shows_the_files_as_they_are() -> None:
    shown = {block.text for block in blocks(_PAGE)}
    for name in ("datasurface_csv/__init__.py", "datasurface_csv/source.py"):
        assert (_EXAMPLE / name).read_text(encoding="utf-8") in shown, f"{name} differs from what the page shows"
    points = "".join((_EXAMPLE / "pyproject.toml").read_text(encoding="utf-8").partition("[project.entry-points")[1:])
    assert points in shown


def test_without_the_adapter_check_says_what_can_be_read(tmp_path: Path) -> None:
    done = shell(f"datasurface check -m {_EXAMPLE / 'model'}", tmp_path)
    assert done.returncode == 1
    assert "reading from FileStore files is not supported yet" in done.stdout


def test_its_rows_and_changes_arrive(folder: Path) -> None:
    assert _said("datasurface check --strict", folder)
    _said("datasurface run --once", folder)
    uri = _said("datasurface connect", folder).strip()
    assert _rows(uri, "SELECT * FROM billing_live.clinic_patients ORDER BY 1") == [
        "(1, 'Weiss, Anna', datetime.date(1980, 2, 29))",
        "(2, 'Bruno', None)",
    ]

    (folder / "data" / "invoices.csv").write_text("invoice_no,patient_id,Amount in EUR\n100,1,15.00\n102,,1\n")
    assert "3 rows changed" in _said("datasurface run --once", folder)
    assert _rows(
        uri,
        "SELECT invoice_no, amount::text, ds_batch_in, ds_batch_out"
        " FROM billing_audit.clinic_invoices_history ORDER BY 1, 3",
    ) == ["(100, '12.50', 1, 2)", "(100, '15.00', 2, None)", "(101, '7.00', 1, 2)", "(102, '1.00', 2, None)"]
    assert "2 rows" in _said("datasurface audit", folder)

    (folder / "data" / "invoices.csv").write_text("invoice_no,patient_id,Amount in EUR\n100,1,a lot\n")
    done = shell("datasurface run --once", folder)
    assert done.returncode == 1
    assert "column 'Amount in EUR' of" in done.stdout
    assert "holds no Decimal(10, 2)" in done.stdout
    assert _rows(uri, "SELECT count(*) FROM billing_audit.clinic_invoices") == ["(2,)"]


def test_import_describes_the_files(folder: Path) -> None:
    text = _said("datasurface import csv://data", folder)
    assert 'Dataset(\n            "patients"' in text
    assert 'Column("Amount_in_EUR", String, source="Amount in EUR")' in text


def _install(site: Path) -> None:
    """Put the package and what an installer would write of it into a folder."""
    project = tomllib.loads((_EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(_EXAMPLE / "datasurface_csv", site / "datasurface_csv")
    info = site / f"datasurface_csv-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    points = project["entry-points"]["datasurface.databases"]
    lines = ["[datasurface.databases]", *[f"{name} = {target}" for name, target in points.items()]]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def _said(command: str, folder: Path) -> str:
    done = shell(command, folder)
    assert done.returncode == 0, done.stdout
    return done.stdout


def _rows(uri: str, query: str) -> list[str]:
    with psycopg.connect(uri) as connection:
        return [repr(row) for row in connection.execute(query.encode()).fetchall()]
