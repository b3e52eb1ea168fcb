"""What people type into the search field becomes a `Query` value. Pure: no clock, no index, no recursion.

    words            all of them must be in the message        "two words"     next to each other
    -word            must not be in it                         refund*         begins so
    from:customer    also agent, bot, me, or a name            after:2026-03   before:yesterday, after:7d

Whatever people type is answered: an operator that we do not know is taken as words, with a hint; only what
cannot mean anything is refused, with a sentence that says what would. Days are those of UTC.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from history.errors import Invalid
from history.times import DAY_MS
from search.words import PAIRED, Token, class_of, tokens

QUERY_LETTERS = 512
CLAUSES = 24
TERMS = 128
"""How many words a query may have in all, those of its phrases included."""

PREFIX_LETTERS = 3
ROLES = ("customer", "agent", "bot")


@dataclass(frozen=True, slots=True)
class Words:
    """Words that follow each other. `whole`: one more name for all of them; `prefix`: the word only begins so."""

    terms: tuple[str, ...]
    whole: str | None = None
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it: a role, a person's id, or words of a name; those that are set must all be true."""

    role: str | None = None
    person_id: str | None = None
    names: tuple[str, ...] = ()


Clause = Words | Author


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search. A message is found if all of `wanted` and none of `unwanted` hold, and it was written
    at `after_ms` or later, and before `before_ms`.
    """

    wanted: tuple[Clause, ...]
    unwanted: tuple[Clause, ...] = ()
    after_ms: int | None = None
    before_ms: int | None = None
    hints: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[Words, ...]:
        """What a snippet marks."""
        return tuple(clause for clause in self.wanted if isinstance(clause, Words))


CLAUSE = re.compile(r'(?P<no>-)?(?:(?P<name>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"]+))')
QUOTES = str.maketrans(dict.fromkeys("“”„«»\uff02", '"'))


@dataclass(slots=True)
class Draft:
    """A query while it is read."""

    now_ms: int
    me: str
    wanted: list[Clause]
    unwanted: list[Clause]
    after: list[int]
    before: list[int]
    hints: list[str]


def parse(text: str, now_ms: int, me: str) -> Query:
    """Reads `text`; `me` is the person id that `from:me` stands for. Raises Invalid, and nothing else."""
    if len(text) > QUERY_LETTERS:
        raise Invalid(f"A search is at most {QUERY_LETTERS} characters long")
    draft = Draft(now_ms, me, [], [], [], [], [])
    found = list(CLAUSE.finditer(text.translate(QUOTES)))
    if not found:
        raise Invalid("There is nothing to search for: write a word, or from:, after: or before:")
    if len(found) > CLAUSES:
        raise Invalid(f"A search has at most {CLAUSES} words and conditions")
    for match in found:
        read_clause(draft, match)
    query = Query(
        tuple(dict.fromkeys(draft.wanted)),
        tuple(dict.fromkeys(draft.unwanted)),
        max(draft.after, default=None),
        min(draft.before, default=None),
        tuple(draft.hints),
    )
    check_query(query)
    return query


def read_clause(draft: Draft, match: re.Match[str]) -> None:
    name, quoted, plain = match["name"], match["quoted"], match["plain"]
    value = plain if quoted is None else quoted
    unwanted = match["no"] is not None
    side = draft.unwanted if unwanted else draft.wanted
    match (name or "").lower():
        case "from":
            side.append(author(value, draft.me))
        case "after" | "before" as name:
            late = (name == "after") != unwanted  # not before a moment is after it, and the other way round
            (draft.after if late else draft.before).append(moment(name, value, draft.now_ms))
        case "":
            side += words(value) if quoted is None else phrase(value)
        case _:
            if not value.startswith("//"):
                draft.hints.append(f"There is no operator “{name}:”; it was searched for as words.")
            side += words(f"{name}:{value}") if quoted is None else [*words(name), *phrase(value)]


def check_query(query: Query) -> None:
    clauses = query.wanted + query.unwanted
    if not clauses and query.after_ms is None and query.before_ms is None:
        raise Invalid("There is no word in this search: signs alone are not searched for")
    if sum(len(clause.terms) for clause in clauses if isinstance(clause, Words)) > TERMS:
        raise Invalid(f"A search has at most {TERMS} words, those between quotes included")


def phrase(text: str) -> list[Clause]:
    terms = tuple(token.text for token in tokens(text) if token.spine)
    return [Words(terms)] if terms else []


def words(text: str) -> list[Clause]:
    """A word as it was typed: it may be a compound, or end with `*`. Signs alone are no clause."""
    found = tokens(text.rstrip("*"))
    spine = tuple(token.text for token in found if token.spine)
    if not spine:
        return []
    whole = name_of_all(found)
    only = whole or (spine[0] if len(spine) == 1 else None)
    if text.endswith("*") and only:
        check_prefix(only)
        return [Words((only,), prefix=True)]
    if len(spine) == 1:
        term = whole or spine[0]
        # One letter of a script that is indexed by pairs stands for all pairs that begin with it.
        return [Words((term,), prefix=len(term) == 1 and class_of(term) == PAIRED)]
    return [Words(spine, whole)]


def name_of_all(found: list[Token]) -> str | None:
    """The name that a compound has as a whole, if it is all there is."""
    start = min(token.start for token in found if token.spine)
    end = max(token.end for token in found if token.spine)
    return next((token.text for token in found if not token.spine and token.start <= start and token.end >= end), None)


def check_prefix(letters: str) -> None:
    if len(letters) < PREFIX_LETTERS and class_of(letters[0]) != PAIRED:
        raise Invalid(f"Please write at least {PREFIX_LETTERS} letters before the *")


def author(value: str, me: str) -> Author:
    if value.lower() in ROLES:
        return Author(role=value.lower())
    if value.lower() == "me":
        return Author(person_id=me)
    names = tuple(token.text for token in tokens(value) if token.spine)
    if not names:
        raise Invalid("Please write who after from:, such as from:customer, from:me or from:alice")
    return Author(names=names)


def moment(name: str, value: str, now_ms: int) -> int:
    """The moment at which a day, month or year begins, or so many days before now; 1970 at the earliest.

    Raises Invalid.
    """
    for begin in (relative_moment(value.lower(), now_ms), *calendar_moments(value)):
        if begin is not None:
            return max(0, begin)
    raise Invalid(f"Please write a day after {name}:, such as 2026-03-31, 2026-03, today, yesterday or 7d")


def relative_moment(value: str, now_ms: int) -> int | None:
    today_ms = now_ms - now_ms % DAY_MS
    if value in ("today", "yesterday"):
        return today_ms - DAY_MS * (value == "yesterday")
    if re.fullmatch(r"[0-9]{1,4}d", value):
        return now_ms - int(value[:-1]) * DAY_MS
    return None


def calendar_moments(value: str) -> Iterator[int]:
    for length, form in ((4, "%Y"), (7, "%Y-%m"), (10, "%Y-%m-%d")):
        if len(value) == length and value.isascii():
            try:
                begin = datetime.strptime(value, form).replace(tzinfo=UTC)
            except ValueError:
                return
            yield (begin - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
