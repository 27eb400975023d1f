"""The questions that the model alone can answer, asked as `datasurface query` does, on a model in a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from asking import ANSWERS, MODEL, PAGE, Question, questions
from datasurface.errors import ConfigurationError
from datasurface.release.file import in_memory, open_release, write_release
from datasurface.release.query import query
from datasurface.runtime.compile_model import compile_model

ASKED = questions()
OF_MODEL = [question for question in ASKED if question.needs == "model"]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Engine]]:
    folder = tmp_path_factory.mktemp("ask")
    (folder / "eco.py").write_text(MODEL)
    release, report = compile_model(folder)
    assert {f.code for f in report.errors} <= {"DS-S001"}, report.to_text()
    write_release(release, folder / "release.sqlite")
    found = [in_memory(release), open_release(folder / "release.sqlite")]
    yield found
    for engine in found:
        engine.dispose()


def test_the_page_has_more_than_twenty_questions_each_with_its_sql() -> None:
    titles = re.findall(r"^## (\d+)\. ", PAGE.read_text(), re.MULTILINE)
    assert [q.number for q in ASKED] == [int(t) for t in titles] == list(range(1, len(titles) + 1))
    assert len(ASKED) >= 20
    assert [q.number for q in OF_MODEL] == sorted(ANSWERS)


@pytest.mark.parametrize("question", OF_MODEL, ids=lambda q: f"{q.number} {q.title}")
def test_the_model_answers(engines: list[Engine], question: Question) -> None:
    for engine in engines:
        assert list(query(engine, question.sql).rows) == ANSWERS[question.number]


@pytest.mark.parametrize("statement", ["ATTACH DATABASE '{path}' AS other", "VACUUM INTO '{path}'", "VACUUM"])
def test_a_question_makes_no_file(engines: list[Engine], tmp_path: Path, statement: str) -> None:
    path = tmp_path / "other.db"
    for engine in engines:
        with pytest.raises(ConfigurationError, match=r"not authorized|authorization denied"):
            query(engine, statement.format(path=path))
        assert not path.exists()
        assert query(engine, "SELECT 1").rows == ((1,),)
