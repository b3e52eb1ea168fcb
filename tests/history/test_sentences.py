"""Our own sentences: every language has all of them, with the same gaps, in the forms that its numbers want."""

from string import Formatter

import pytest
from babel import Locale

from history.sentences import CODES, Sentence, language_of, sentences_of

ENGLISH = sentences_of("en")


def gaps_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def forms_of(sentence: Sentence) -> dict[str, str]:
    return {"": sentence} if isinstance(sentence, str) else dict(sentence)


def test_there_are_six_languages() -> None:
    assert CODES == ("ar", "de", "en", "es", "fr", "ja")


@pytest.mark.parametrize("code", CODES)
def test_a_language_has_every_sentence_and_no_other(code: str) -> None:
    assert sentences_of(code).keys() == ENGLISH.keys()


@pytest.mark.parametrize("code", CODES)
def test_a_sentence_has_the_gaps_that_it_has_in_english(code: str) -> None:
    for key, english in ENGLISH.items():
        wanted = set().union(*map(gaps_of, forms_of(english).values()))
        for form, text in forms_of(sentences_of(code)[key]).items():
            # a form for one or two things may say the number in a word
            left_out = wanted - gaps_of(text) if form in {"zero", "one", "two"} else set()
            assert (key, gaps_of(text) | left_out & {"count"}) == (key, wanted)


@pytest.mark.parametrize("code", CODES)
def test_a_number_has_all_its_forms(code: str) -> None:
    tables = [sentence for sentence in sentences_of(code).values() if not isinstance(sentence, str)]
    assert len(tables) == 4
    for forms in tables:
        assert forms.keys() == Locale(code).plural_form.tags | {"other"}


@pytest.mark.parametrize(
    ("locale", "count", "words"),
    [
        ("en", 1, "1 message"),
        ("en", 1200, "1,200 messages"),
        ("de-CH", 1200, "1\u2019200 Nachrichten"),
        ("fr", 0, "0 message"),
        ("ar", 2, "رسالتان"),
        ("ar", 11, "11 رسالة"),
        ("ar-EG", 4, "٤ رسائل"),
        ("ja", 1, "メッセージ1件"),
    ],
)
def test_numbers_are_said_as_the_readers_country_says_them(locale: str, count: int, words: str) -> None:
    assert language_of(locale).say("length", count=count) == words


@pytest.mark.parametrize("locale", ["", "xx", "hi-IN", "../../etc", "de_", "x" * 1000])
def test_who_speaks_another_language_is_spoken_to_in_english(locale: str) -> None:
    language = language_of(locale)
    assert language.tag == "en-GB"
    assert language.say("you") == "You"


@pytest.mark.parametrize(
    ("locale", "tag", "direction"),
    [("ar-EG", "ar-EG", "rtl"), ("de", "de", "ltr"), ("ja_JP", "ja-JP", "ltr"), ("pt-BR", "en-GB", "ltr")],
)
def test_a_language_knows_its_tag_and_direction(locale: str, tag: str, direction: str) -> None:
    language = language_of(locale)
    assert (language.tag, language.direction) == (tag, direction)
