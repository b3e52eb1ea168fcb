"""What is a word."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.stems import stem
from search.words import WORD_LETTERS, tokens


def names(text: str) -> list[str]:
    return [token.text for token in tokens(text)]


def spine(text: str) -> list[str]:
    return [token.text for token in tokens(text) if token.spine]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is ORD-26274052?", "where is ord 26274052 ord26274052"),
        ("jose.anna2@example15.com", "jose anna2 example15 com jose.anna2@example15.com"),
        ("https://example.com/a?b=1", "https ~http example com a b 1 https://example.com/a?b=1"),
        ("408-247-8880", "408 247 8880 4082478880"),
        ("t-shirt don't snake_case", "t shirt tshirt don t dont snake case snakecase"),
        ("C++ c# +1", "c c++ c c# 1 +1"),
        ("1.5 at 10:30", "1 5 1.5 at 10 30 10:30"),
        ("\uff26\uff35\uff2c\uff2c ﬁne", "full fine"),
        ("Café CAFE\u0301 straße ЁЛКА", "cafe cafe strasse елка"),
        ("مُحَمَّد ٣٤", "محمد 34"),
        ("नमस्ते", "नमस्ते"),
        ("東京都", "東京 京都 都"),
        ("iPhoneを", "iphone を"),
        ("한국어", "한국 국어 어"),
        ("สวย", "สว วย ย"),
        ("thanks 👍🏽 ❤️ 🇩🇪", "thanks ~thank 👍 ❤ 🇩🇪"),
        ("a\u200bb soft\u00adhyphen", "ab softhyphen"),
        ("... !? ---", ""),
        ("", ""),
    ],
)
def test_a_text_has_these_words(text: str, expected: str) -> None:
    assert names(text) == expected.split()


def test_a_telephone_number_is_found_by_its_digits_however_it_is_grouped() -> None:
    for text in ("+1 (408) 247-8880", "1 408 247 8880", "1-408-247-8880", "1.408.247.8880"):
        assert "14082478880" in names(text)


@pytest.mark.parametrize(
    "forms",
    [
        *("run running", "refund refunds refunded refunding", "change changes changed changing", "city cities"),
        *("ship shipped shipping", "move moved moving", "box boxes", "try tried tries", "cancel cancelled canceled"),
        *("address addresses", "update updates updated updating", "call calls called calling", "order orders ordered"),
    ],
)
def test_forms_of_a_word_share_a_stem(forms: str) -> None:
    assert len({stem(form) for form in forms.split()}) == 1


@pytest.mark.parametrize("word", ["is", "this", "bus", "business", "string", "need", "2nds", "straßes", "京s", "paid"])
def test_a_word_may_be_its_own_stem(word: str) -> None:
    assert stem(word) == word


def test_composed_and_decomposed_letters_are_the_same_word() -> None:
    for text in ("é", "Å", "각", "が", "ñ"):
        assert names(unicodedata.normalize("NFD", text)) == names(unicodedata.normalize("NFC", text))


def test_all_but_marks_of_alphabets_are_kept_apart() -> None:
    assert names("कि") != names("की")
    assert names("か") != names("が")


def test_a_span_is_what_stands_in_the_text() -> None:
    text = "\uff28\uff45llo, cafe\u0301 ORD-17!"
    assert [text[token.start : token.end] for token in tokens(text)] == [
        "\uff28\uff45llo",
        "cafe\u0301",
        "ORD",
        "17",
        "ORD-17",
    ]


@pytest.mark.parametrize(
    "letter", ["a", "é", "a-", "1 ", "1-", "a@", "@", "東", "ก", "e\u0301\u0323", "+", "#", "a.", "👍"]
)
def test_a_very_long_text_has_no_more_tokens_than_letters_and_none_is_long(letter: str) -> None:
    found = tokens(letter * 100_000)
    assert len(found) <= 200_000
    assert all(len(token.text) <= WORD_LETTERS for token in found)


@given(st.text())
def test_spans_lie_in_the_text_and_spine_positions_count_up(text: str) -> None:
    found = tokens(text)
    assert all(0 <= token.start < token.end <= len(text) and token.text for token in found)
    assert [token.position for token in found if token.spine] == list(range(len(spine(text))))


@given(st.text(st.characters(codec="ascii")))
def test_case_makes_no_difference(text: str) -> None:
    assert names(text.upper()) == names(text.lower())
