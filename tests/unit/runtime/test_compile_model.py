"""Where a compiled model's release file is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasurface import Ecosystem, GitHubRepository
from datasurface.graph.build import build_graph
from datasurface.release.compile import Release, compile_release
from datasurface.release.file import read_digest
from datasurface.runtime.compile_model import keep_release


@pytest.fixture(scope="module")
def release() -> Release:
    ecosystem = Ecosystem("acme", owner=GitHubRepository("a/b"))
    return compile_release(ecosystem, build_graph(ecosystem))


@pytest.mark.parametrize("environ", [{}, {"DATASURFACE_HOME": ""}])
def test_it_lies_in_the_model_folder_out_of_git(release: Release, tmp_path: Path, environ: dict[str, str]):
    path = keep_release(release, tmp_path, environ=environ)
    assert path == tmp_path / ".datasurface" / "releases" / f"{release.digest}.sqlite"
    assert read_digest(path) == release.digest
    assert (tmp_path / ".datasurface" / ".gitignore").read_text() == "*\n"


def test_with_a_home_nothing_is_written_to_the_model_folder(release: Release, tmp_path: Path):
    model, home = tmp_path / "model", tmp_path / "home"
    model.mkdir()
    path = keep_release(release, model, environ={"DATASURFACE_HOME": str(home)})
    assert path == home / "releases" / f"{release.digest}.sqlite"
    assert read_digest(path) == release.digest
    assert list(model.iterdir()) == []
    assert [entry.name for entry in home.iterdir()] == ["releases"]


def test_a_named_output_wins(release: Release, tmp_path: Path):
    named = tmp_path / "r.sqlite"
    assert keep_release(release, tmp_path, named, environ={"DATASURFACE_HOME": str(tmp_path / "home")}) == named
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.sqlite"]
