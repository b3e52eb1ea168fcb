"""Which words are near each other."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search.spelling import is_near, near_words
from tests.search.oracle import distance

LETTERS = st.text("abc", max_size=9)


@pytest.mark.parametrize(
    ("word", "other", "near"),
    [
        *(
            ("receipt", "reciept", 1),
            ("coat", "caot", 1),
            ("coat", "coats", 1),
            ("coat", "oat", 1),
            ("coat", "boat", 1),
        ),
        *(("definitely", "definately", 1), ("accommodate", "acomodate", 2), ("ab", "ba", 1), ("refund", "refund", 0)),
    ],
)
def test_a_letter_may_be_wrong_missing_too_many_or_exchanged(word: str, other: str, near: int) -> None:
    assert is_near(word, other, near) and is_near(other, word, near)
    assert not near or not is_near(word, other, near - 1)


@given(LETTERS, LETTERS, st.integers(0, 3))
@example("abcab", "bacba", 2)
@example("ca", "abc", 2)
def test_nearness_is_the_distance_by_its_definition(word: str, other: str, near: int) -> None:
    assert is_near(word, other, near) == (distance(word, other) <= near)


def test_stems_are_no_words() -> None:
    assert list(near_words("~coat", 1, ["coat", "~coat", "~coats"])) == ["coat"]
