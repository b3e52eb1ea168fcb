"""The tokens of a text as an index wants them: names and their positions, without spans. Pure; called by the engines.

Equal to what `words.tokens` finds, and several times faster on people's texts: what stands between blanks is cut by
itself, and remembered, as people use the same words all the time. Only a telephone number can reach over a blank.
"""

import re
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from search.stems import STEM_MARK, stem
from search.words import WORD_LETTERS, tokens

CACHED_PIECES = 65_536
LONG_LETTERS = 2_000
"""Pieces of longer texts are not remembered: they could be anything, and fill the memory."""

MAYBE_NUMBER = re.compile("[0-9](?<![A-Za-z0-9][0-9])[0-9]{0,3}(?:[^A-Za-z0-9+#]{1,2}[0-9]{2,4}){2,5}(?![A-Za-z0-9])")
"""What `words.PHONE` finds, in ASCII and in the letters themselves."""

SINGLE = re.compile(r"[^\w+#]*([A-Za-z0-9]+)[^\w+#]*", re.ASCII)
"""One word, with signs around it that make no part of it: most pieces."""


class Cut(NamedTuple):
    """The tokens of a piece of text."""

    names: tuple[tuple[str, int], ...]
    """Each token and its position in the piece."""
    length: int
    """How many positions the piece has."""
    spine: str
    """Its spine, joined by blanks: one word a position."""
    others: tuple[tuple[str, int], ...]
    """More names of positions, in their order; but no stems."""
    stems: str
    """Joined by blanks."""


def cuts(text: str) -> list[Cut]:
    """The pieces of `text`, in their order."""
    if may_reach_over(text):
        return [cut_of(text)]
    return list(map(cut_of if len(text) > LONG_LETTERS else KNOWN.__getitem__, text.split()))


def names(text: str) -> list[tuple[str, int]]:
    """All tokens with their positions."""
    found = cuts(text)
    begins = accumulate((cut.length for cut in found), initial=0)
    return [(name, begin + place) for begin, cut in zip(begins, found, strict=False) for name, place in cut.names]


def may_reach_over(text: str) -> bool:
    """Whether there may be a telephone number with blanks in it."""
    if text.isascii():
        numbers = MAYBE_NUMBER.findall(text)
        return numbers != [] and any(len(number.split()) > 1 for number in numbers)
    return any(map(str.isnumeric, text))


def cut_of(piece: str) -> Cut:
    single = SINGLE.fullmatch(piece) if piece.isascii() else None
    if single:
        return cut_of_word(single[1].lower()[:WORD_LETTERS])
    names, spine, others, stems = [], [], [], []
    for name, position, _, _, is_spine in tokens(piece):
        names.append((name, position))
        if is_spine:
            spine.append(name)
        elif name.startswith(STEM_MARK):
            stems.append(name)
        else:
            others.append((name, position))
    others.sort(key=itemgetter(1))
    return Cut(tuple(names), len(spine), " ".join(spine), tuple(others), " ".join(stems))


def cut_of_word(word: str) -> Cut:
    """Of a folded word without parts."""
    root = stem(word)
    if root == word:
        return Cut(((word, 0),), 1, word, (), "")
    marked = STEM_MARK + root
    return Cut(((word, 0), (marked, 0)), 1, word, (), marked)


class KnownCuts(dict[str, Cut]):
    """Learns a piece when it is first asked for. When it has learnt too many, it forgets those that were not asked for
    since it last did. Most pieces come again at once, and an `lru_cache`, which moves each piece to the front, takes
    twice as long.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Cut] = {}

    def __missing__(self, piece: str) -> Cut:
        if len(self) >= CACHED_PIECES:
            self.before = dict(self)
            self.clear()
        cut = self[piece] = self.before.get(piece) or cut_of(piece)
        return cut


KNOWN = KnownCuts()
