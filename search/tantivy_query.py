"""A `Query` as one of tantivy's. Called by `tantivy_engine.py`.

It is built from the query's value and nothing else; tantivy's own query parser never sees a text of a person.
Conditions give no score; stems and spellings give less than the word itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import tantivy
from tantivy import Occur

from history.models import INTERNAL, PUBLIC
from search.engine import EXPANSIONS, Scope
from search.facts import customer_tag
from search.query import AllOf, AnyOf, ChatIs, Clause, InChats, Not, Query, Tagged, Words
from search.stems import STEM_MARK
from search.tantivy_documents import (
    AT,
    CHAT,
    LONG_TAGS,
    SCHEMA,
    STEMS,
    STREAM,
    TAGS,
    TEXT,
    as_word,
    length_class,
)

WEAKER = 0.5
"""The score of a word that stands for another, beside the word itself."""

STREAMS = frozenset({PUBLIC, INTERNAL})


@dataclass(slots=True)
class Wording:
    """A searcher for the words that a beginning stands for."""

    searcher: tantivy.Searcher
    cut: bool = False
    """A beginning stood for too many words."""

    def query(self, query: Query, scope: Scope) -> tantivy.Query:
        wanted = [self.clause(query.where)]
        if scope.chats is not None:
            wanted.append(in_chats(scope.chats))
        if scope.customer_id is not None:
            wanted.append(condition(customer_tag(scope.customer_id)))
        if scope.streams != STREAMS:
            wanted.append(in_streams(scope.streams))
        if query.after_ms is not None or query.before_ms is not None:
            wanted.append(between(query.after_ms, query.before_ms))
        return all_of(wanted)

    def clause(self, clause: Clause) -> tantivy.Query:
        match clause:
            case AllOf(clauses):
                wanted = [self.clause(each) for each in clauses if not isinstance(each, Not)]
                unwanted = [self.clause(each.clause) for each in clauses if isinstance(each, Not)]
                return all_of(wanted or [everything()], unwanted)
            case AnyOf(clauses):
                return any_of(self.clause(each) for each in clauses)
            case Not():
                return self.clause(AllOf((clause,)))
            case Tagged(tag):
                return condition(tag)
            case InChats(chats):
                return in_chats(chats)
            case Words():
                return self.words(clause)
            case ChatIs():
                raise ValueError("conditions on chats are looked up in SQL")

    def words(self, words: Words) -> tantivy.Query:
        if words.prefix:
            return self.beginning(words.terms[0])
        if words.near:
            return tantivy.Query.fuzzy_term_query(SCHEMA, TEXT, words.terms[0], words.near)
        names = [words.whole] if words.whole else []
        found = [phrase(words.terms)] if len(words.terms) > 1 else [term(words.terms[0])]
        found += map(term, names)
        found += (tantivy.Query.boost_query(term(name), WEAKER) for name in words.also)
        return any_of(found)

    def beginning(self, letters: str) -> tantivy.Query:
        found = [word for word, _ in self.searcher.terms_with_prefix(TEXT, letters, limit=EXPANSIONS + 1)]
        self.cut = self.cut or len(found) > EXPANSIONS
        return tantivy.Query.term_set_query(SCHEMA, TEXT, found[:EXPANSIONS])


def term(name: str) -> tantivy.Query:
    """A word or a stem."""
    return tantivy.Query.term_query(SCHEMA, STEMS if name.startswith(STEM_MARK) else TEXT, name)


def phrase(terms: tuple[str, ...]) -> tantivy.Query:
    together = tantivy.Query.phrase_query(SCHEMA, TEXT, list(terms))
    longest = length_class(len(terms))
    return all_of([together, condition(LONG_TAGS[longest - 1])]) if longest else together


def all_of(wanted: Sequence[tantivy.Query], unwanted: Sequence[tantivy.Query] = ()) -> tantivy.Query:
    if len(wanted) == 1 and not unwanted:
        return wanted[0]
    parts = [(Occur.Must, each) for each in wanted] + [(Occur.MustNot, each) for each in unwanted]
    return tantivy.Query.boolean_query(parts)


def any_of(clauses: Iterable[tantivy.Query]) -> tantivy.Query:
    found = list(clauses)
    return found[0] if len(found) == 1 else tantivy.Query.boolean_query([(Occur.Should, each) for each in found])


def unscored(query: tantivy.Query) -> tantivy.Query:
    return tantivy.Query.const_score_query(query, 0.0)


def everything() -> tantivy.Query:
    """All messages; not the document of the edition."""
    return in_streams(STREAMS)


def in_streams(streams: Iterable[int]) -> tantivy.Query:
    return unscored(tantivy.Query.term_set_query(SCHEMA, STREAM, list(streams)))


def in_chats(chats: Iterable[int]) -> tantivy.Query:
    return unscored(tantivy.Query.term_set_query(SCHEMA, CHAT, list(chats)))


def condition(tag: str) -> tantivy.Query:
    return unscored(tantivy.Query.term_query(SCHEMA, TAGS, as_word(tag)))


def between(after_ms: int | None, before_ms: int | None) -> tantivy.Query:
    """At `after_ms` or later, and before `before_ms`."""
    of_time = tantivy.Query.range_query(
        SCHEMA, AT, tantivy.FieldType.Unsigned, after_ms, before_ms, include_upper=before_ms is None
    )
    return unscored(of_time)
