"""Did you mean …? For a search that found nothing: the same search with words spelled otherwise. Called by
`finding.py`.

It must tell nobody what others wrote: a word is suggested only if it stands in several chats (`KNOWN_CHATS`), and only
if the search with it finds something that the asker may see.
"""

from collections.abc import Iterator
from dataclasses import replace

from search.engine import Ask, Engine, Scope
from search.parser import NEAR_LETTERS
from search.query import AllOf, AnyOf, Clause, Not, Query, Words
from search.words import tokens

WORDS_TRIED = 4
SPELLINGS_TRIED = 3


def suggestion(engine: Engine, text: str, query: Query, scope: Scope) -> str | None:
    """`text` with other spellings with which it finds something; null if there are none."""
    spellings = {word: others for word in dict.fromkeys(plain_words(query)) if (others := spelled_so(engine, word))}
    for changed in changes(engine, dict(list(spellings.items())[:WORDS_TRIED])):
        if engine.search(replace(query, where=with_words(query.where, changed)), scope, Ask(limit=1)).total:
            return with_spellings(text, changed)
    return None


def plain_words(query: Query) -> list[str]:
    return [
        clause.terms[0]
        for clause in query.words
        if len(clause.terms) == 1 and not clause.prefix and not clause.near and clause.terms[0].isalpha()
    ]


def spelled_so(engine: Engine, word: str) -> list[str]:
    near = next((wrong for letters, wrong in NEAR_LETTERS if len(word) >= letters), 0)
    return engine.near_words(word, near)[:SPELLINGS_TRIED] if near else []


def changes(engine: Engine, spellings: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """Which words to spell how: first all that nobody ever wrote, then each alone."""
    if not spellings:
        return
    known = engine.frequencies(list(spellings))
    unknown = {word: others[0] for word, others in spellings.items() if word not in known}
    if len(unknown) > 1:
        yield unknown
    for word, others in sorted(spellings.items(), key=lambda each: known.get(each[0], 0)):
        yield from ({word: other} for other in others)


def with_words(clause: Clause, changed: dict[str, str]) -> AllOf:
    """The clause, which is the whole of a search, with other words."""

    def again(clause: Clause) -> Clause:
        match clause:
            case Words((word,), prefix=False, near=0) if word in changed:
                return Words((changed[word],))
            case Not(inner):
                return Not(again(inner))
            case AnyOf(clauses):
                return AnyOf(tuple(map(again, clauses)))
            case AllOf(clauses):
                return AllOf(tuple(map(again, clauses)))
        return clause

    return AllOf((again(clause),))


def with_spellings(text: str, changed: dict[str, str]) -> str:
    """The search as it was typed, with other words in the places of these."""
    pieces, behind = [], 0
    for token in sorted(tokens(text), key=lambda token: token.start):
        if token.spine and token.text in changed and token.start >= behind:
            pieces += [text[behind : token.start], changed[token.text]]
            behind = token.end
    return "".join((*pieces, text[behind:]))
