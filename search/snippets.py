"""A message's text cut to what a searcher wants to see, as HTML with the found words in `<mark>`. Pure.

The text is cut by spans of the tokenizer, each piece is escaped, and only then marks are put around:
nothing of the text can become markup. `<mark>`, `</mark>` and the ellipsis are all that is added.
"""

import html
from collections import defaultdict
from collections.abc import Iterable, Iterator

from search.query import Words
from search.spelling import near_words
from search.words import Token, tokens

SNIPPET_LETTERS = 160
EDGE_LETTERS = 20
"""How far a cut is moved so that it falls between words."""

ELLIPSIS = "…"

Span = tuple[int, int]

Places = dict[str, dict[int, Token]]
"""A word → its positions → the token there."""


def snippet(text: str, words: Iterable[Words]) -> str:
    """HTML of the part of `text` with the most of the found words; of its beginning if none is there."""
    spans = merge(found_spans(text, words))
    begin, end = window(text, spans)
    marked = [(max(a, begin), min(b, end)) for a, b in spans if a < end and b > begin]
    pieces = [ELLIPSIS] if begin else []
    behind = begin
    for a, b in marked:
        pieces += [html.escape(text[behind:a]), "<mark>", html.escape(text[a:b]), "</mark>"]
        behind = b
    pieces.append(html.escape(text[behind:end]))
    if end < len(text):
        pieces.append(ELLIPSIS)
    return "".join(pieces)


def found_spans(text: str, words: Iterable[Words]) -> Iterator[Span]:
    """Where the words stand in the text, in no order."""
    places = places_of(text)
    for clause in words:
        yield from spans_of(places, clause)


def places_of(text: str) -> Places:
    """Where each word stands in the text."""
    places: Places = defaultdict(dict)
    for token in tokens(text):
        places[token.text][token.position] = token
    return places


def spans_of(places: Places, clause: Words) -> Iterator[Span]:
    """Where the words of a clause stand; nowhere if the text does not fit it."""
    names = [clause.whole] if clause.whole else []
    if clause.prefix:
        names += [name for name in places if name.startswith(clause.terms[0])]
    elif clause.near:
        names += near_words(clause.terms[0], clause.near, places)
    elif len(clause.terms) == 1:
        names += (clause.terms[0], *clause.also)
    else:
        yield from runs(places, clause.terms)
    for name in names:
        yield from ((token.start, token.end) for token in places.get(name, {}).values())


def runs(places: Places, terms: tuple[str, ...]) -> Iterator[Span]:
    """Where the terms stand one behind the other."""
    for position, first in places.get(terms[0], {}).items():
        if all(position + behind in places.get(term, {}) for behind, term in enumerate(terms)):
            yield first.start, places[terms[-1]][position + len(terms) - 1].end


def merge(spans: Iterable[Span]) -> list[Span]:
    """Ascending, overlapping ones as one."""
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def window(text: str, spans: list[Span]) -> Span:
    """The part of the text to show: the spans that are most together, with what is around them."""
    begin, end = densest(spans)
    room = max(0, SNIPPET_LETTERS - (end - begin))
    left = max(0, min(begin - room // 2, len(text) - SNIPPET_LETTERS))
    right = min(len(text), left + SNIPPET_LETTERS)
    if left > 0:
        left = after_blank(text, left, min(begin, left + EDGE_LETTERS))
    if right < len(text):
        right = before_blank(text, max(end, right - EDGE_LETTERS), right)
    return left, right


def densest(spans: list[Span]) -> Span:
    """From the first to the last of the most spans that fit into a snippet; the earliest of equals."""
    best, best_count, last = (0, 0), 0, 0
    for first, (begin, end) in enumerate(spans):
        last = max(last, first)
        while last + 1 < len(spans) and spans[last + 1][1] - begin <= SNIPPET_LETTERS:
            last += 1
        if last - first + 1 > best_count:
            best, best_count = (
                (begin, min(max(end, spans[last][1]), begin + SNIPPET_LETTERS)),
                last - first + 1,
            )
    return best


def after_blank(text: str, low: int, high: int) -> int:
    """The first beginning of a word in text[low:high]; `low` if there is none."""
    return next((i for i in range(low, high + 1) if text[i - 1].isspace()), low)


def before_blank(text: str, low: int, high: int) -> int:
    """The last end of a word in text[low:high]; `high` if there is none."""
    return next((i for i in range(high, low - 1, -1) if text[i].isspace()), high)
