"""What people may type, and what it means."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from history.errors import Invalid
from history.times import DAY_MS
from search.parser import CLAUSES, DEPTH, QUERY_LETTERS, parse
from search.query import AllOf, AnyOf, ChatIs, Clause, Not, Query, Tagged, Words

NOON = int(datetime(2026, 3, 14, 12, tzinfo=UTC).timestamp() * 1000)


def read(text: str) -> Query:
    return parse(text, NOON, "my-id")


def clauses(text: str) -> tuple[Clause, ...]:
    return read(text).where.clauses


def word(term: str, *also: str) -> Words:
    return Words((term,), also=also or ("~" + term,))


def ms(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


def test_words_are_all_wanted_and_phrases_stay_together() -> None:
    assert clauses('lost "red coat" Berlin') == (word("lost"), Words(("red", "coat")), word("berlin"))


def test_a_word_is_found_in_its_other_forms_unless_it_is_quoted() -> None:
    assert clauses("coat") == (Words(("coat",), also=("~coat",)),)
    assert clauses("Running") == (Words(("running",), also=("~run", "run")),)
    assert clauses('"running"') == (Words(("running",)),)


def test_a_minus_negates_a_word_a_phrase_a_condition_or_a_bracket() -> None:
    assert clauses('coat -lost -"by mail" -from:agent -(a b)') == (
        word("coat"),
        Not(word("lost")),
        Not(Words(("by", "mail"))),
        Not(Tagged("role:agent")),
        Not(AllOf((word("a"), word("b")))),
    )


def test_or_joins_its_neighbours_and_binds_more_than_and() -> None:
    assert clauses("red coat OR hat") == (word("red"), AnyOf((word("coat"), word("hat"))))
    assert clauses("a OR b OR -c") == (AnyOf((word("a"), word("b"), Not(word("c")))),)
    assert clauses("(red coat) OR (blue hat)") == (
        AnyOf((AllOf((word("red"), word("coat"))), AllOf((word("blue"), word("hat"))))),
    )
    assert clauses("OR red OR") == clauses("red")
    assert clauses("red or blue") == (word("red"), word("or"), word("blue"))


def test_brackets_may_stand_in_brackets_but_not_too_deep() -> None:
    deep = "(" * DEPTH + "a OR b" + ")" * DEPTH
    assert clauses(deep) == (AnyOf((word("a"), word("b"))),)
    with pytest.raises(Invalid, match="at most 4 deep"):
        read("(" * (DEPTH + 1) + "a")


def test_a_compound_may_be_written_as_one() -> None:
    assert clauses("ORD-17") == (Words(("ord", "17"), "ord17"),)
    assert clauses("c++") == (Words(("c++",)),)


def test_a_star_after_three_letters_is_a_prefix() -> None:
    assert clauses("ref*") == (Words(("ref",), prefix=True),)
    assert clauses("ord-17*") == (Words(("ord17",), prefix=True),)
    with pytest.raises(Invalid, match="at least 3 letters"):
        read("re*")


@pytest.mark.parametrize("text", ["*coat", "c*at", "*coat*", "**coat**"])
def test_a_star_elsewhere_is_a_sign_with_a_hint(text: str) -> None:
    assert "end of a word" in read(text).hints[0]


def test_a_tilde_allows_as_many_wrong_letters_as_the_word_can_bear() -> None:
    assert clauses("coat~") == (Words(("coat",), near=1),)
    assert clauses("reciepts~") == (Words(("reciepts",), near=2),)
    query = read("cat~")
    assert query.where.clauses == (Words(("cat",)),) and "too short" in query.hints[0]


def test_one_letter_of_a_script_without_blanks_is_a_prefix() -> None:
    assert clauses("京") == (Words(("京",), prefix=True),)
    assert clauses("東京") == (Words(("東京",)),)


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("from:customer", Tagged("role:customer")),
        ("FROM:Agent", Tagged("role:agent")),
        ("from:me", Tagged("person:my-id")),
        ("from:@Some-Id", Tagged("person:Some-Id")),
        ("from:Zoë", Tagged("name:zoe")),
        ('from:"Alice Smith"', AllOf((Tagged("name:alice"), Tagged("name:smith")))),
        ("has:link", Tagged("has:link")),
        ("has:note", Tagged("stream:internal")),
        ("is:internal", Tagged("stream:internal")),
        ("is:Open", ChatIs("is", "open")),
        ("in:email", Tagged("via:email")),
        ("customer:Alice", ChatIs("customer", "Alice")),
        ("agent:me", ChatIs("agent", "@my-id")),
        ('agent:"Mira Stone"', ChatIs("agent", "Mira Stone")),
        ("chat:abc", ChatIs("chat", "abc")),
        ("lang:de", ChatIs("lang", "de")),
    ],
)
def test_conditions(text: str, clause: Clause) -> None:
    assert clauses(text) == (clause,)


@pytest.mark.parametrize("text", ["is:happy", "has:cheese", "in:fax", 'agent:""', "from:?", "sort:size", "-sort:new"])
def test_a_condition_that_cannot_be_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(Invalid, match=r"After|after"):
        read(text)


def test_an_order_may_be_part_of_the_search() -> None:
    assert read("coat sort:old").sort == "old"
    assert read("coat").sort is None


@pytest.mark.parametrize("text", ["coat OR after:2026", "(before:today)", "(a sort:new)", "-on:today", "-during:2026"])
def test_a_time_that_could_not_hold_for_the_whole_search_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"whole search|instead of"):
        read(text)


def times(text: str) -> tuple[int | None, int | None]:
    query = read(text)
    assert query.where == AllOf(())
    return query.after_ms, query.before_ms


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
    assert times(f"after:{value}") == (begin, None)
    assert times(f"before:{value}") == (None, begin)
    assert times(f"-after:{value}") == (None, begin)


@pytest.mark.parametrize(
    ("value", "begin", "end"),
    [
        ("2026-02-28", ms(2026, 2, 28), ms(2026, 3)),
        ("2026-12", ms(2026, 12), ms(2027)),
        ("2025", ms(2025), ms(2026)),
        ("yesterday", ms(2026, 3, 13), ms(2026, 3, 14)),
        ("7d", NOON - 7 * DAY_MS, NOON),
        ("9999", ms(9999), 253_402_300_800_000),
    ],
)
def test_on_and_during_are_from_its_beginning_to_its_end(value: str, begin: int, end: int) -> None:
    assert times(f"on:{value}") == times(f"during:{value}") == (begin, end)


def test_the_narrowest_of_several_times_holds() -> None:
    query = read("after:2025 after:2026 before:2027 before:2028")
    assert (query.after_ms, query.before_ms) == (ms(2026), ms(2027))


@pytest.mark.parametrize("value", ["banana", "2026-13", "2026-02-30", "0000", "99999d", "-7d", "2026-3-1", "١٢٣٤"])
def test_a_time_that_is_none_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(Invalid, match=r"such as 2026-03-31"):
        read(f"after:{value}")


def test_an_unknown_operator_is_words_with_a_hint() -> None:
    query = read("team:blue")
    assert query.where.clauses == (Words(("team", "blue"), "team:blue"),)
    assert "“team:”" in query.hints[0]
    assert read("https://example.com 10:30").hints == ()


@pytest.mark.parametrize("text", ["", "   ", "?!", "-", '""', "***"])
def test_a_search_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read(text)


def test_brackets_and_quotes_that_never_close_are_no_error() -> None:
    assert clauses('(coat "red') == (AllOf((word("coat"), Words(("red",)))),)
    assert clauses("))) coat :-)") == (word("coat"),)


def test_chips_are_the_parts_as_they_were_typed() -> None:
    query = read('red OR blue  after:2026 ?! -("my coat')
    assert [chip.text for chip in query.chips] == ["red OR blue", "after:2026", '-("my coat")']
    assert query.chips[0].clause == AnyOf((word("red"), word("blue"))) and query.chips[1].clause is None


def test_a_search_that_is_too_long_is_refused() -> None:
    for text in ("a" * (QUERY_LETTERS + 1), "a " * (CLAUSES + 1), '"' + "a " * 200 + '"'):
        with pytest.raises(Invalid, match="at most"):
            read(text)


def test_whatever_the_manual_shows_is_understood() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
    shown = [text for line in manual.splitlines() if line.startswith("|") for text in re.findall("`(.+?)`", line)]
    assert len(shown) > 30
    for text in shown:
        assert read(text).hints == (), text


PIECES = [
    *("from:", "after:", "before:", "on:", "during:", "sort:", "new", "is:open", "has:", "link", "chat:", "agent:me"),
    *("-", '"', "*", "~", "(", ")", " ", " ", "2026-01", "7d", "OR", " OR ", "京", "a", "coat", ":", "//"),
]
TYPED = st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join)


@settings(max_examples=300)
@given(TYPED)
@example("from:agent) OR (customer:b")
@example("x~9 [a TO zzz] {! *:* \x00 \ud800")
@example("(" * 512)
@example("-(" * 4 + "OR" + '"' * 3)
def test_anything_is_either_read_or_refused_as_invalid_and_its_chips_are_the_same_search(text: str) -> None:
    try:
        query = read(text)
    except Invalid as refusal:
        assert refusal.detail
    else:
        assert query.where.clauses or query.after_ms is not None or query.before_ms is not None
        again = read(" ".join(chip.text for chip in query.chips)) if len(text) < QUERY_LETTERS // 2 else query
        assert (again.where, again.sort) == (query.where, query.sort)
        assert (again.after_ms, again.before_ms) == (query.after_ms, query.before_ms)
