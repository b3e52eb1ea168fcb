"""The judged questions of the bench hold together, and each engine answers most of them by its best hits."""

from pathlib import Path

import pytest

from bench import corpus
from bench.relevance import FIRST_CHAT, JUDGED, judged_documents, mean, read_questions
from tests.search.engines import ENGINES

ENOUGH = 0.85
"""What is missed is mostly what two messages say together: all words must be in one."""


def test_every_question_has_an_answer_among_the_judged_dialogues() -> None:
    known = {talk.id for talk in corpus.read(JUDGED / "dialogues.jsonl")}
    questions = read_questions()
    assert len(questions) >= 100
    assert all(question.wanted and set(question.wanted) <= known for question in questions)


@pytest.mark.parametrize("name", ENGINES)
def test_the_best_hits_answer_most_questions(name: str, tmp_path: Path) -> None:
    known = corpus.read(JUDGED / "dialogues.jsonl")
    ids = {FIRST_CHAT + number: talk.id for number, talk in enumerate(known)}
    with ENGINES[name](tmp_path / name) as engine:
        engine.commit(judged_documents(known))
        assert mean(engine, ids, read_questions(), "best") > ENOUGH
