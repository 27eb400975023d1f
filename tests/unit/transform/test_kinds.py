"""What kinds of code say without running anything: when code has changed, and what cannot run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from datasurface import ContainerImage, DbtProject, GitHubRepository, PythonModule, PythonPackage, SqlQueries
from datasurface.errors import ConfigurationError, MissingExtraError
from datasurface.model.transformer import Code
from datasurface.names import is_pinned
from datasurface.transform.base import Place, kind_of, kinds
from datasurface.transform.environment import requirements_of
from datasurface.transform.python import call


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path, cache=tmp_path / "cache", work=tmp_path / "work")


def version(code: Code, place: Place) -> str:
    return kind_of(code).version(code, place)


@pytest.mark.parametrize(
    ("code", "files"),
    [
        (PythonModule("sums:run"), ["sums.py"]),
        (PythonModule("sums.daily:run"), ["sums/__init__.py", "sums/daily.py", "sums/deep/__init__.py"]),
        (SqlQueries("sums"), ["sums/totals.sql"]),
        (DbtProject("sums"), ["sums/dbt_project.yml", "sums/models/totals.sql", "sums/seeds/names.csv"]),
    ],
)
def test_code_of_the_model_folder_is_another_when_a_file_is(code: Code, files: list[str], place: Place) -> None:
    for name in files:
        path = (place.folder or Path()) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    seen = {version(code, place)}
    for name in files:
        ((place.folder or Path()) / name).write_text("2")
        seen.add(version(code, place))
    assert len(seen) == len(files) + 1
    assert version(code, place) in seen


def test_every_kind_of_the_model_is_installed() -> None:
    assert {"ContainerImage", "DbtProject", "PythonModule", "PythonPackage", "PythonRepository", "SqlQueries"} <= {
        *kinds()
    }


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (ContainerImage("sums:1"), ConfigurationError, "nothing runs the image sums:1 yet"),
        (PythonPackage("sums>=1", entry="sums:run"), ConfigurationError, "'sums>=1' pins no version"),
        (SqlQueries("nowhere"), ConfigurationError, "there is no folder of queries"),
        (DbtProject("nowhere"), ConfigurationError, "there is no dbt_project.yml"),
        (DbtProject(GitHubRepository("a/b")), ConfigurationError, "is not pinned"),
        (DbtProject("bare"), MissingExtraError, r'pip install "datasurface\[dbt\]"'),
        (DbtProject("packed"), ConfigurationError, "has a packages.yml, but its packages are not there"),
    ],
)
def test_what_cannot_run_says_why(code: Code, error: type[Exception], message: str, place: Place) -> None:
    for name in ("bare/dbt_project.yml", "packed/dbt_project.yml", "packed/packages.yml"):
        path = (place.folder or Path()) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("name: x\n")
    with pytest.raises(error, match=message):
        kind_of(code).launch(code, place)


def test_requirements_come_from_either_file(tmp_path: Path) -> None:
    assert requirements_of(tmp_path) == ""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["a==1", "b>=2"]\n')
    assert requirements_of(tmp_path) == "a==1\nb>=2\n"
    (tmp_path / "requirements.txt").write_text("c==3\n")
    assert requirements_of(tmp_path) == "c==3\n"
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        requirements_of(tmp_path)


@pytest.mark.parametrize(
    ("requirement", "pinned"),
    [
        ("name==1.2", True), ("name [extra, other] == 1.2.post1", True), ("name===1.2+local", True),
        ('name==1.2 ; python_version >= "3.11"', True), ("name==1!2.0", True),
        ("name", False), ("name>=1.2", False), ("name==1.*", False), ("name==1.2,<2", False), ("", False),
        ("-r other.txt", False), ("name @ https://example/x.whl", False),
    ],
)  # fmt: skip
def test_a_pin_names_exactly_one_version(requirement: str, pinned: bool) -> None:
    assert is_pinned(requirement) is pinned


def _yielding(_: Any) -> Iterator[int]:
    yield 1


async def _waiting(_: Any) -> None: ...


async def _streaming(_: Any) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "made"), [(_yielding, "generator"), (_waiting, "coroutine"), (_streaming, "async_generator")]
)
def test_a_function_that_only_begins_is_refused(function: Any, made: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"function '{function.__name__}' returns a {made}, which nothing runs"
    ):
        call(function, Any)  # type: ignore[arg-type] # it is not looked at


def test_what_a_function_returns_otherwise_means_nothing() -> None:
    call(lambda _: [1], Any)  # type: ignore[arg-type] # it is not looked at
