"""The folder of a target: what is written, what is left alone, and what happens when a run is killed in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasurface.deploy.base import GeneratedFile
from datasurface.deploy.folder import compare, write
from datasurface.errors import ConfigurationError


def _files(**contents: str) -> tuple[GeneratedFile, ...]:
    return tuple([GeneratedFile(path=path.replace("__", "/"), content=text) for path, text in contents.items()])


def test_files_are_made_changed_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert write(folder, _files(a="1", sub__b="2")).made == ("a", "sub/b")
    assert write(folder, _files(a="1", sub__b="2")).empty
    done = write(folder, _files(a="one", c="3"))
    assert (done.made, done.changed, done.removed) == (("c",), ("a",), ("sub/b",))
    assert sorted(path.name for path in folder.iterdir()) == [".datasurface-files", "a", "c"]


def test_a_file_that_is_as_wanted_is_not_touched(tmp_path: Path) -> None:
    write(tmp_path, _files(a="1", b="2"))
    before = (tmp_path / "a").stat().st_mtime_ns
    write(tmp_path, _files(a="1", b="3"))
    assert (tmp_path / "a").stat().st_mtime_ns == before


@pytest.mark.parametrize("wanted", [{"a": "2"}, {}])
def test_a_file_changed_by_hand_is_in_the_way(tmp_path: Path, wanted: dict[str, str]) -> None:
    write(tmp_path, _files(a="1"))
    (tmp_path / "a").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="a; nothing was written"):
        write(tmp_path, _files(b="2", **wanted))
    assert (tmp_path / "a").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "b").exists()
    write(tmp_path, _files(b="2", **wanted), force=True)
    assert compare(tmp_path, _files(b="2", **wanted)).empty


def test_a_file_that_was_there_before_is_in_the_way_unless_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1", encoding="utf-8")
    assert write(tmp_path, _files(a="1")).empty
    (tmp_path / "b").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="b; nothing was written"):
        write(tmp_path, _files(a="1", b="2"))


def test_a_run_that_was_killed_knows_its_own_files(tmp_path: Path) -> None:
    write(tmp_path, _files(a="1", b="1", c="1"))
    later = _files(a="2", b="2", d="2")
    write(tmp_path / "whole", later)
    record = json.loads((tmp_path / ".datasurface-files").read_text(encoding="utf-8"))
    new = json.loads((tmp_path / "whole/.datasurface-files").read_text(encoding="utf-8"))
    both = {path: [*record.get(path, ()), *new.get(path, ())] for path in {*record, *new}}
    # As it is after the record and the first file: the rest is as it was.
    (tmp_path / ".datasurface-files").write_text(json.dumps(both), encoding="utf-8")
    (tmp_path / "a").write_text("2", encoding="utf-8")
    done = write(tmp_path, later)
    assert (done.made, done.changed, done.removed, done.foreign) == (("d",), ("b",), ("c",), ())


@pytest.mark.parametrize("path", ["../a", "/a", ".", ".datasurface-files", "a/../../b"])
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigurationError, match="may not write"):
        write(tmp_path / "out", (GeneratedFile(path=path, content=""),))


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    (tmp_path / ".datasurface-files").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is damaged"):
        compare(tmp_path, ())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be"):
        write(tmp_path / "file", _files(a="1"))
