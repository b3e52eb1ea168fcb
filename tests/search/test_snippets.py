"""Snippets show the found words, and can never be markup."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.parser import parse
from search.query import Words
from search.snippets import ELLIPSIS, SNIPPET_LETTERS, snippet


def shown(text: str, q: str) -> str:
    return snippet(text, parse(q, 0, "").words)


@pytest.mark.parametrize(
    ("text", "q", "expected"),
    [
        ("A Red coat", "red", "A <mark>Red</mark> coat"),
        ("Café, cafe\u0301s", "cafe", "<mark>Café</mark>, <mark>cafe\u0301s</mark>"),
        ("red blue, blue red", '"blue red"', "red blue, <mark>blue red</mark>"),
        ("ORD-17 or ord17", "ord-17", "<mark>ORD-17</mark> or <mark>ord17</mark>"),
        ("refund, refuse", "refu*", "<mark>refund</mark>, <mark>refuse</mark>"),
        ("東京都へ", "東京都", "<mark>東京都</mark>へ"),
        ("straße", "strasse", "<mark>straße</mark>"),
        ("nothing here", "coat", "nothing here"),
        ("all of it", "after:2020", "all of it"),
    ],
)
def test_the_words_that_were_found_are_marked(text: str, q: str, expected: str) -> None:
    assert shown(text, q) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">alert',
        "</mark><b>alert</b><mark>",
        "&lt;alert&gt; &amp;",
        "<alert<alert>>",
        "{{7*7}} ${alert} %s",
    ],
)
def test_markup_in_a_text_stays_text(text: str) -> None:
    plain = re.sub("</?mark>", "", shown(text, "alert script"))
    assert plain == html.escape(text)


def test_a_long_text_is_cut_between_words_where_most_was_found() -> None:
    text = "red " + "word " * 200 + "a red coat and a red hat " + "word " * 200
    cut = shown(text, "red")
    assert cut.startswith(f"{ELLIPSIS}word ") and cut.endswith(f" word{ELLIPSIS}")
    assert "a <mark>red</mark> coat and a <mark>red</mark> hat" in cut


def test_a_very_long_word_is_cut_inside() -> None:
    cut = shown("x" * 100_000, "x" * 64)
    assert len(re.sub("</?mark>", "", cut)) <= SNIPPET_LETTERS + 2 * len(ELLIPSIS)


LETTERS = st.text(st.sampled_from("ab<>&\"' é\u0301京x-.👍\n") | st.characters(codec="utf-8"))
WORDS = st.builds(
    Words,
    st.lists(st.sampled_from(["a", "b", "ab", "京", "e", "👍", "x"]), min_size=1, max_size=3).map(tuple),
    st.none() | st.just("ab"),
)


@given(st.lists(LETTERS).map(" ".join), st.lists(WORDS, max_size=3))
def test_a_snippet_is_a_piece_of_the_text_whatever_the_text_is(text: str, words: list[Words]) -> None:
    cut = snippet(text, words)
    assert not re.search("<(?!/?mark>)", cut)
    assert cut.count("<mark>") == cut.count("</mark>")
    plain = html.unescape(re.sub("</?mark>", "", cut))
    assert len(plain) <= SNIPPET_LETTERS + 2
    assert plain in (text, f"{plain[:-1]}{ELLIPSIS}", f"{ELLIPSIS}{plain[1:]}")
    assert plain in text or plain.removeprefix(ELLIPSIS).removesuffix(ELLIPSIS) in text
