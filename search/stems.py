"""Light stemming: a word's singular or infinitive, by the endings of English (steps 1a and 1b of Porter's algorithm of
1980). Used by the tokenizer and the parser. Pure.

A stem is a weaker second name of a word and never its only one, so a wrong one costs little.
"""

import re
from functools import lru_cache

STEM_MARK = "~"
"""Begins a stem in an index; no word begins so."""

STEMMED_LETTERS = range(4, 25)
CACHED_WORDS = 16_384

PLAIN = re.compile("[a-z]+")
VOWEL = re.compile("[aeiouy]")
SHORT = re.compile("[^aeiou]*[aeiouy][^aeiouywx]")
"""One syllable that ends in one consonant: `mak` was `make`."""


@lru_cache(CACHED_WORDS)
def stem(word: str) -> str:
    """The stem of a folded word; the word itself if it has no other."""
    if len(word) not in STEMMED_LETTERS or not PLAIN.fullmatch(word):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) > 2 and VOWEL.search(root) and not root.endswith("e"):
            return whole_root(root)
    return word


def whole_root(root: str) -> str:
    """`root` with the e that it lost, or without the letter that it got, before -ing or -ed."""
    if root.endswith(("at", "bl", "iz", "v", "c", "rg")) or (root.endswith("ang") and len(root) > 4):
        return root + "e"
    if root[-1] == root[-2] and (root[-1] not in "lsz" or (root.endswith("ell") and len(root) > 5)):
        return root[:-1]
    return root + "e" if SHORT.fullmatch(root) else root


def stem_names(word: str) -> tuple[str, ...]:
    """The terms by which a message is found that has another form of `word`."""
    root = stem(word)
    return (STEM_MARK + root,) if root == word else (STEM_MARK + root, root)
