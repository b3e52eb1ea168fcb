"""How far two words are apart, and which words of many are near one. Pure; used by all engines.

The distance is that of optimal string alignment (Damerau and Levenshtein, each place changed once): letters that are
wrong, missing, too many, or exchanged with their neighbour.
"""

from collections.abc import Iterable, Iterator

from search.stems import STEM_MARK


def is_near(word: str, other: str, near: int) -> bool:
    """Whether they differ in at most `near` letters."""
    if abs(len(word) - len(other)) > near:
        return False
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(word, 1):
        current = [row]
        for column, letter2 in enumerate(other, 1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != letter2))
            if row > 1 and column > 1 and letter == other[column - 2] and word[row - 2] == letter2:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) > near and min(last) > near:
            return False
        before, last = last, current
    return last[-1] <= near


def near_words(word: str, near: int, words: Iterable[str]) -> Iterator[str]:
    """Those of `words` that are near; stems are no words."""
    return (other for other in words if not other.startswith(STEM_MARK) and is_near(word, other, near))
