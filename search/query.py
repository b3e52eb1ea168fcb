"""What is searched for, as values: a tree of clauses, a time, an order. Pure; made by `parser.py`, answered by
engines.

A clause says something about one message, or about its chat. What is said about a chat (`ChatIs`) is looked up in SQL
first and comes to the engine as a set of chats (`InChats`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Sort = Literal["new", "old", "best"]


@dataclass(frozen=True, slots=True)
class Words:
    """A word, or words next to each other, in the order of a message's text."""

    terms: tuple[str, ...]
    whole: str | None = None
    """One more name for all of them: a compound as a whole."""
    also: tuple[str, ...] = ()
    """Terms that a word is found by, too, but that fit less well: its stem (`stems.py`)."""
    prefix: bool = False
    """The only term is the beginning of a word."""
    near: int = 0
    """So many letters of the only term may be wrong, missing, too many, or exchanged with their neighbour."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A fact of the message itself, such as `role:agent` (`facts.py`)."""

    tag: str


@dataclass(frozen=True, slots=True)
class ChatIs:
    """A condition on the chat: is, agent, customer, chat, lang or rating, and what it must be."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class InChats:
    """The message stands in one of these chats (their pk)."""

    chats: frozenset[int]


@dataclass(frozen=True, slots=True)
class Not:
    clause: "Clause"


@dataclass(frozen=True, slots=True)
class AnyOf:
    clauses: tuple["Clause", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Everything, if there is no clause."""

    clauses: tuple["Clause", ...]


Clause = Words | Tagged | ChatIs | InChats | Not | AnyOf | AllOf


class Chip(NamedTuple):
    """A part of a search as it was typed, which can be taken away alone. All, joined by blanks, are the search."""

    text: str
    clause: Clause | None
    """Null for a time or an order."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search. A message is found if `where` holds, and it was written at `after_ms` or later, and before
    `before_ms`.
    """

    where: AllOf
    after_ms: int | None = None
    before_ms: int | None = None
    sort: Sort | None = None
    """Null if the search does not say."""
    hints: tuple[str, ...] = ()
    """Sentences on what was read otherwise than it may have been meant."""
    chips: tuple[Chip, ...] = ()

    @property
    def words(self) -> tuple[Words, ...]:
        """What a snippet marks: the words that are wanted."""
        return words_in(self.where, negated=False)

    @property
    def all_words(self) -> tuple[Words, ...]:
        """Those that are not wanted, too."""
        return words_in(self.where)


def words_in(clause: Clause, negated: bool = True) -> tuple[Words, ...]:
    return tuple(leaf for leaf in leaves_of(clause, negated) if isinstance(leaf, Words))


def leaves_of(clause: Clause, negated: bool = True) -> Iterator[Clause]:
    """The leaves of the tree from left to right; without what is `negated`, only those that make a message wanted."""
    todo: list[Clause] = [clause]
    while todo:
        match todo.pop():
            case AllOf(clauses) | AnyOf(clauses):
                todo += reversed(clauses)
            case Not(inner):
                if negated:
                    todo.append(inner)
            case leaf:
                yield leaf
