"""What people may type, and what it means."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from history.errors import Invalid
from history.times import DAY_MS
from search.query import CLAUSES, QUERY_LETTERS, Author, Query, Words, parse

NOON = int(datetime(2026, 3, 14, 12, tzinfo=UTC).timestamp() * 1000)


def read(text: str) -> Query:
    return parse(text, NOON, "my-id")


def ms(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


def test_words_are_all_wanted_and_phrases_stay_together() -> None:
    assert read('lost "red coat" Berlin').wanted == (Words(("lost",)), Words(("red", "coat")), Words(("berlin",)))


def test_a_minus_makes_a_word_a_phrase_or_an_author_unwanted() -> None:
    query = read('coat -lost -"by mail" -from:agent')
    assert query.wanted == (Words(("coat",)),)
    assert query.unwanted == (Words(("lost",)), Words(("by", "mail")), Author(role="agent"))


def test_a_compound_may_be_written_as_one() -> None:
    assert read("ORD-17").wanted == (Words(("ord", "17"), "ord17"),)
    assert read("c++").wanted == (Words(("c++",)),)


def test_a_star_after_three_letters_is_a_prefix() -> None:
    assert read("ref*").wanted == (Words(("ref",), prefix=True),)
    assert read("ord-17*").wanted == (Words(("ord17",), prefix=True),)
    with pytest.raises(Invalid, match="at least 3 letters"):
        read("re*")


def test_one_letter_of_a_script_without_blanks_is_a_prefix() -> None:
    assert read("京").wanted == (Words(("京",), prefix=True),)
    assert read("東京").wanted == (Words(("東京",)),)


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("from:customer", Author(role="customer")),
        ("FROM:Agent", Author(role="agent")),
        ("from:me", Author(person_id="my-id")),
        ("from:Zoë", Author(names=("zoe",))),
        ('from:"Alice Smith"', Author(names=("alice", "smith"))),
    ],
)
def test_authors(text: str, author: Author) -> None:
    assert read(text).wanted == (author,)


@pytest.mark.parametrize(
    ("value", "begin"),
    [
        ("2026-03-01", ms(2026, 3, 1)),
        ("2026-02", ms(2026, 2)),
        ("2025", ms(2025)),
        ("today", ms(2026, 3, 14)),
        ("Yesterday", ms(2026, 3, 13)),
        ("7d", NOON - 7 * DAY_MS),
        ("9999d", NOON - 9999 * DAY_MS),
        ("1066", 0),
    ],
)
def test_after_begins_with_the_moment_and_before_ends_there(value: str, begin: int) -> None:
    assert read(f"after:{value}") == Query((), after_ms=begin)
    assert read(f"before:{value}") == Query((), before_ms=begin)
    assert read(f"-after:{value}") == Query((), before_ms=begin)


def test_the_narrowest_of_several_times_holds() -> None:
    query = read("after:2025 after:2026 before:2027 before:2028")
    assert (query.after_ms, query.before_ms) == (ms(2026), ms(2027))


@pytest.mark.parametrize("value", ["banana", "2026-13", "2026-02-30", "0000", "99999d", "-7d", "2026-3-1", "١٢٣٤"])
def test_a_time_that_is_none_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(Invalid, match=r"such as 2026-03-31"):
        read(f"after:{value}")


def test_an_unknown_operator_is_words_with_a_hint() -> None:
    query = read("team:blue")
    assert query.wanted == (Words(("team", "blue"), "team:blue"),)
    assert "“team:”" in query.hints[0]
    assert read("https://example.com 10:30").hints == ()


@pytest.mark.parametrize("text", ["", "   ", "?!", "-", '""', "***"])
def test_a_search_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read(text)


def test_brackets_and_quotes_that_never_close_are_no_error() -> None:
    assert read("(((" * 50 + 'coat "red').wanted == (Words(("coat",)), Words(("red",)))


def test_a_search_that_is_too_long_is_refused() -> None:
    for text in ("a" * (QUERY_LETTERS + 1), "a " * (CLAUSES + 1), '"' + "a " * 200 + '"'):
        with pytest.raises(Invalid, match="at most"):
            read(text)


TYPED = st.lists(
    st.sampled_from(["from:", "after:", "before:", "-", '"', "*", "(", ")", " ", "2026-01", "7d", "OR", "京", "a", ":"])
    | st.text(max_size=5)
).map("".join)


@given(TYPED)
@example("from:agent) OR (customer:b")
@example("x~9 [a TO zzz] {! *:* \x00 \ud800")
def test_anything_is_either_read_or_refused_as_invalid(text: str) -> None:
    try:
        query = read(text)
    except Invalid as refusal:
        assert refusal.detail
    else:
        assert query.wanted or query.unwanted or query.after_ms is not None or query.before_ms is not None
