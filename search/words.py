"""The tokenizer: a text becomes words with positions and spans. The index, the query parser and the
snippets all use it, so what one of them calls a word is a word for the others. Pure.

Letters are compared without case, width and accents. A compound (`ORD-26274052`, an address, a URL) is there in its
parts and as a whole; scripts that put no blanks between words are cut into overlapping pairs of letters. A word that
is not its own stem has the stem as one more name, marked as such. Everything is linear in the length of the text: one
pass folds it, one pass classifies it, one pattern cuts it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from search.stems import STEM_MARK, stem

WORD_LETTERS = 64
"""Longer words are known by their first letters only."""

PHONE_DIGITS = range(7, 16)
"""How many digits a telephone number has (ITU-T E.164)."""

CACHED_LETTERS = 8192


class Token(NamedTuple):
    """A word of a text. `start` and `end` are its span in the text as it was given."""

    text: str
    position: int
    start: int
    end: int
    spine: bool
    """Spine tokens have successive positions, phrases are made of them; the others are more names of a place."""


# Letters that belong together when they are folded: decomposed Hangul, kana with a sound mark.
COMPOSED = "[\u1100-\u115f][\u1160-\u11a7][\u11a8-\u11ff]?|[\u3041-\u30ff][\u3099\u309a]|[\uff66-\uff9d][\uff9e\uff9f]"
HAS_COMPOSED = re.compile(COMPOSED)
PIECE = re.compile(f"{COMPOSED}|.", re.DOTALL)

# Each letter of the folded text has a class, and the pattern below runs over the classes.
LETTER, DIGIT, PAIRED, SIGN, REGION, HYPHEN, JOINER, OTHER = "wdcer-. "

ASCII_CLASSES = {chr(code): OTHER for code in range(128)}
ASCII_CLASSES |= dict.fromkeys("abcdefghijklmnopqrstuvwxyz", LETTER) | dict.fromkeys("0123456789", DIGIT)
ASCII_CLASSES |= dict.fromkeys("-_'", HYPHEN) | dict.fromkeys(".,@:/&=?%~", JOINER) | {"+": "+", "#": "#"}
ASCII_TABLE = str.maketrans(ASCII_CLASSES)

HYPHENS = "\u2010\u2012\u2018\u2019"
EMOJI = range(0x1F000, 0x1FB00)
REGIONS = range(0x1F1E6, 0x1F200)
SKIN_TONES = range(0x1F3FB, 0x1F400)

# Scripts without blanks between words, and Hangul, whose particles cling to the words.
PAIRED_SCRIPTS = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1100, 0x1200),  # Hangul letters
    range(0x1780, 0x1800),  # Khmer
    range(0x3005, 0x3200),  # kana, Bopomofo, Hangul letters
    range(0x31F0, 0x3200),
    range(0x3400, 0xA000),  # Han
    range(0xAC00, 0xD7FC),  # Hangul
    range(0xF900, 0xFB00),  # Han
    range(0x1B000, 0x1B170),  # kana
    range(0x20000, 0x32400),  # Han
)

TOKEN = re.compile(
    r"(?P<word>[wd]+(?![wd#]|[-.+#]{1,3}[wd]|\+\+))"
    r"|(?P<compound>(?:\+(?=d{1,3}(?![wd.-])))?[wd]+(?:(?:-|[.+#]{1,3})[wd]+)*(?:\+\+(?![wd])|#(?![wd]))?)"
    r"|(?P<run>c+)|(?P<sign>rr|r|e)"
)
PART = re.compile("[wd]+")
NO_HYPHENS = re.compile("[^-]+")
PHONE = re.compile(r"(?<![wd])d{1,4}(?:[ .-]{1,2}d{2,4}){2,5}(?![wd])")


def tokens(text: str) -> list[Token]:
    """The words of `text`, in the order of their places."""
    folded, origin = fold(text)
    classes = classify(folded)
    found: list[Token] = []
    position = 0
    for match in TOKEN.finditer(classes):
        start, end = match.span()
        if match.lastgroup == "compound":
            cut = cut_compound(folded, classes, start, end, position)
        elif match.lastgroup == "run":
            cut = cut_run(folded, start, end, position)
        else:
            cut = [Token(folded[start : min(end, start + WORD_LETTERS)], position, start, end, True)]
        for token in cut:
            found.append(token)
            if token.spine:
                position += 1
                word = token.text
                if (root := stem(word)) != word:
                    found.append(Token(STEM_MARK + root, token.position, token.start, token.end, False))
    if DIGIT in classes:
        found += phone_numbers(folded, classes, found)
    return found if origin is None else [place_in_original(token, origin) for token in found]


def fold(text: str) -> tuple[str, Sequence[int] | None]:
    """`text` without case, width and accents; and for each of its letters, and its end, the index in `text`: null if
    that is the same.
    """
    if text.isascii():
        return text.lower(), None
    if not HAS_COMPOSED.search(text):
        at_once = text.translate(FOLDED)
        if FOLDED.uneven.isdisjoint(text):
            return at_once, None
    folded: list[str] = []
    origin: list[int] = []
    for match in PIECE.finditer(text):
        letters = fold_piece(match.group())
        folded.append(letters)
        origin += [match.start()] * len(letters)
    return "".join(folded), [*origin, len(text)]


class Folded(dict[int, str]):
    """What each letter becomes, for `str.translate`; learnt when it is first seen."""

    def __init__(self) -> None:
        super().__init__()
        self.uneven: set[str] = set()
        """Letters that do not become exactly one."""

    def __missing__(self, code: int) -> str:
        if len(self) >= CACHED_LETTERS:
            self.clear()
        letter = chr(code)
        folded = fold_piece(letter)
        if len(folded) != 1:
            self.uneven.add(letter)  # before another thread can use what is learnt
        self[code] = folded
        return folded


FOLDED = Folded()


@lru_cache(CACHED_LETTERS)
def fold_piece(piece: str) -> str:
    if piece.isascii():
        return piece.lower()
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", piece).casefold())
    kept = "".join(str(unicodedata.decimal(letter, letter)) for letter in letters if not is_dropped(letter))
    return unicodedata.normalize("NFC", kept)


def is_dropped(letter: str) -> bool:
    """Accents and vowel points of alphabets, and what is invisible. Vowel signs of Indic and Thai stay."""
    combining = unicodedata.combining(letter)
    if 10 <= combining <= 35 or combining >= 200:
        return True
    code = ord(letter)
    if code in SKIN_TONES or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or code in (0x34F, 0x640):
        return True
    return unicodedata.category(letter) in ("Cf", "Me")


def classify(folded: str) -> str:
    if folded.isascii():
        return folded.translate(ASCII_TABLE)
    return "".join(map(class_of, folded))


@lru_cache(CACHED_LETTERS)
def class_of(letter: str) -> str:
    if letter.isascii():
        return ASCII_CLASSES.get(letter, OTHER)
    code = ord(letter)
    if letter in HYPHENS:
        return HYPHEN
    if code in REGIONS:
        return REGION
    category = unicodedata.category(letter)
    if category == "So" or code in EMOJI:
        return SIGN
    if category[0] == "N":
        return DIGIT
    if category[0] in "LM":
        return PAIRED if any(code in script for script in PAIRED_SCRIPTS) else LETTER
    return OTHER


def cut_compound(folded: str, classes: str, start: int, end: int, position: int) -> Iterable[Token]:
    """The parts, and the whole without its hyphens: `t-shirt` is found by `tshirt`, too."""
    parts = [part.span() for part in PART.finditer(classes, start, end)]
    for place, (begin, stop) in enumerate(parts, position):
        yield Token(folded[begin : min(stop, begin + WORD_LETTERS)], place, begin, stop, True)
    if parts == [(start, end)]:
        return
    near = min(end, start + 2 * WORD_LETTERS)
    whole = "".join([folded[slice(*run.span())] for run in NO_HYPHENS.finditer(classes, start, near)])[:WORD_LETTERS]
    yield Token(whole, position, start, end, False)


def cut_run(folded: str, start: int, end: int, position: int) -> Iterable[Token]:
    """Overlapping pairs of letters, and the last letter alone, so that each letter begins some token."""
    for i in range(start, end - 1):
        yield Token(folded[i : i + 2], position + i - start, i, i + 2, True)
    alone = end - start == 1
    yield Token(folded[end - 1], position + end - start - (1 if alone else 2), end - 1, end, alone)


def phone_numbers(folded: str, classes: str, found: list[Token]) -> list[Token]:
    """Groups of digits that may be a telephone number, as one more name of their place: the digits alone."""
    numbers = list(PHONE.finditer(classes))
    if not numbers:
        return []
    places = {token.start: token.position for token in found if token.spine}
    named = {(token.text, token.position) for token in found}
    cut = []
    for match in numbers:
        start, end = match.span()
        digits = "".join(folded[part.start() : part.end()] for part in PART.finditer(classes, start, end))
        token = Token(digits, places[start], start, end, False)
        if len(digits) in PHONE_DIGITS and (token.text, token.position) not in named:
            cut.append(token)
    return cut


def place_in_original(token: Token, origin: Sequence[int]) -> Token:
    start, end = origin[token.start], max(origin[token.end], origin[token.end - 1] + 1)
    return token._replace(start=start, end=end)
