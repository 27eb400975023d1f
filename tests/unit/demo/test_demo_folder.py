from __future__ import annotations

from pathlib import Path

import pytest

from datasurface.demo.folder import demo_folder
from datasurface.errors import ConfigurationError
from datasurface.model.load import load


def test_the_folder_holds_a_model_that_loads(tmp_path: Path) -> None:
    with demo_folder(tmp_path / "a" / "demo") as kept:
        assert kept == []
        assert load(tmp_path / "a" / "demo").name == "nyc_flights"


def test_a_second_run_finds_nothing_to_keep(tmp_path: Path) -> None:
    for _ in range(2):
        with demo_folder(tmp_path / "demo") as kept:
            assert kept == []


def test_every_change_of_the_user_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with demo_folder(folder):
        original = (folder / "eco.py").read_text()
    for number in (1, 2):
        (folder / "eco.py").write_text(f"version = {number}\n")
        with demo_folder(folder) as kept:
            assert kept == [folder / f"eco.py.{number}"]
    assert (folder / "eco.py.1").read_text() == "version = 1\n"
    assert (folder / "eco.py.2").read_text() == "version = 2\n"
    assert (folder / "eco.py").read_text() == original


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        demo_folder(tmp_path / "demo"),
        pytest.raises(ConfigurationError, match="another demo is running"),
        demo_folder(tmp_path / "demo"),
    ):
        pass


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    with demo_folder(tmp_path):
        assert (tmp_path / "eco.py").exists()


def test_somebody_elses_folder_may_not(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty"), demo_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "demo"
    file.write_text("mine")
    with pytest.raises(ConfigurationError, match="the demo cannot use"), demo_folder(file):
        pass
    assert file.read_text() == "mine"
