"""Every sentence that transcripts, mails and notices say by themselves, by language. Pure.

The sentences stand in `languages/`, a file a language, so that one is added there and nowhere else. Numbers in them
are written as the reader's country writes them.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

FOLDER = Path(__file__).parent / "languages"
CODES = tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))

OTHER_DIGITS = {"arab": str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")}
"""By CLDR's names of the digits. Babel knows which a country uses, but writes with ours."""

Sentence = str | Mapping[str, str]
"""A text with named gaps, or one for each form that the language has for a number."""


@dataclass(frozen=True, eq=False)
class Language:
    """A language that we speak, as it is spoken in the reader's country. `language_of` makes one of each."""

    locale: Locale
    sentences: Mapping[str, Sentence]

    @property
    def code(self) -> str:
        return str(self.locale.language)

    @property
    def tag(self) -> str:
        """As HTML and mail write it (BCP 47): `ar-EG`."""
        return str(self.locale).replace("_", "-")

    @cached_property
    def direction(self) -> str:
        """ltr or rtl"""
        return str(self.locale.text_direction)

    def say(self, key: str, **values: str | int) -> str:
        """The sentence with its gaps filled. Of a table, the form for the number `count` is taken."""
        sentence = self.sentences[key]
        if not isinstance(sentence, str):
            count = values["count"]
            assert isinstance(count, int), "a text has no plural"
            sentence = sentence[self.locale.plural_form(count)]
        return sentence.format_map(
            {name: self.number(value) if isinstance(value, int) else value for name, value in values.items()}
        )

    def number(self, number: int) -> str:
        return self.digits(format_decimal(number, locale=self.locale, numbering_system="default"))

    def digits(self, text: str) -> str:
        """`text` with the digits of the reader's country."""
        return text.translate(OTHER_DIGITS.get(self.locale.default_numbering_system, {}))


@lru_cache(maxsize=256)
def language_of(locale: str) -> Language:
    """The language for a locale such as `de-AT`; where we do not speak it, and for English without a country, that of
    Britain: 22 November 2026, 23:47.
    """
    try:
        parsed = Locale.parse(locale.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        parsed = None
    if parsed is None or parsed.language not in CODES or str(parsed) == "en":
        parsed = Locale("en", "GB")
    return Language(parsed, sentences_of(parsed.language))


@cache
def sentences_of(code: str) -> Mapping[str, Sentence]:
    return tomllib.loads((FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
