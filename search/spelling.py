"""How far two words are apart, and which words of many are near one. Pure; used by all engines.

The distance is that of optimal string alignment (Damerau and Levenshtein, each place changed once): letters that are
wrong, missing, too many, or exchanged with their neighbour.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from search.stems import STEM_MARK

CACHED_PAIRS = 16_384


@lru_cache(CACHED_PAIRS)
def is_near(word: str, other: str, near: int) -> bool:
    """Whether they differ in at most `near` letters."""
    if abs(len(word) - len(other)) > near:
        return False
    word, other = without_common_ends(word, other)
    if not word or not other:
        return True  # no more letters are left than the lengths differ by
    far = near + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(word, 1):
        # Only places that lie at most `near` apart can be on the way.
        low, high = max(1, row - near), min(len(other), row + near)
        current = [far] * (len(other) + 1)
        current[low - 1] = row if low == 1 else far
        for column in range(low, high + 1):
            cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (letter != other[column - 1]))
            if row > 1 < column and letter == other[column - 2] and word[row - 2] == other[column - 1]:
                cost = min(cost, before[column - 2] + 1)
            current[column] = cost
        if min(current) > near and min(last) > near:
            return False
        before, last = last, current
    return last[-1] <= near


def without_common_ends(word: str, other: str) -> tuple[str, str]:
    """Both from the first letter to the last in which they differ."""
    shorter = min(len(word), len(other))
    begin = 0
    while begin < shorter and word[begin] == other[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and word[-1 - end] == other[-1 - end]:
        end += 1
    return word[begin : len(word) - end], other[begin : len(other) - end]


def near_words(word: str, near: int, words: Iterable[str]) -> Iterator[str]:
    """Those of `words` that are near; stems are no words."""
    return (other for other in words if not other.startswith(STEM_MARK) and is_near(word, other, near))
