"""What people type into the search field becomes a `Query`. Pure: no clock, no index, no recursion.

    words            all of them, in any order       "two words"      next to each other
    -word            not this one                    refund*  recipt~  begins so; written about so
    red OR blue      one of both                     (a b) -(c OR d)  brackets, up to four deep

    from:customer    also agent, bot, me, a name, @id         has:link   also file image note order phone email
    is:open          also closed waiting unassigned, note internal       in:email   also web
    customer:  agent:  chat:  lang:  rating:5        what is said about the chat
    after:2026-03    also before: on: during: with a day, month, year, today, yesterday, 7d       sort:new, old or best

Whatever people type is answered: an operator that we do not know is taken as words, with a hint; only what cannot mean
anything, or too much, is refused, with a sentence that says what would do.
"""

import re
from dataclasses import dataclass, field

from history.errors import Invalid
from search.dates import span
from search.facts import HAS, INTERNAL_TAG, WAYS, name_parts
from search.query import AllOf, AnyOf, ChatIs, Chip, Clause, Not, Query, Sort, Tagged, Words
from search.stems import STEM_MARK, stem_names
from search.words import PAIRED, Token, class_of, tokens

QUERY_LETTERS = 512
CLAUSES = 24
DEPTH = 4
TERMS = 128
"""How many words a query may have in all, those of its phrases included."""

PREFIX_LETTERS = 3
NEAR_LETTERS = ((8, 2), (4, 1))
"""From how many letters on how many of them may be wrong."""

ROLES = ("customer", "agent", "bot")
STATES = ("open", "closed", "waiting", "unassigned")
NOTES = ("note", "internal")
ABOUT_CHATS = ("customer", "agent", "chat", "lang")
SCORES = ("1", "2", "3", "4", "5")
TIMES = ("after", "before", "on", "during")
SORTS: dict[str, Sort] = {"new": "new", "old": "old", "best": "best"}

LEXEME = re.compile(
    r'(?P<close>\))|(?P<no>-)?(?:(?P<open>\()|(?:(?P<name>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"()]+)))'
)
QUOTES = str.maketrans(dict.fromkeys("“”„«»\uff02", '"'))


@dataclass(slots=True)
class Group:
    """A bracket while it is read. `clauses`: what must hold, each with its alternatives."""

    begin: int = 0
    unwanted: bool = False
    clauses: list[list[Clause]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    """Where each of them stands in the text."""
    alternative: bool = False
    """The last word was OR."""

    def add(self, clause: Clause | None, begin: int, end: int) -> None:
        """A null clause is nothing that could be searched for."""
        if clause is None:
            return
        if self.alternative and self.clauses:
            self.clauses[-1].append(clause)
            self.spans[-1] = self.spans[-1][0], end
        else:
            self.clauses.append([clause])
            self.spans.append((begin, end))
        self.alternative = False

    def parts(self) -> list[Clause]:
        return [AnyOf(tuple(dict.fromkeys(each))) if len(set(each)) > 1 else each[0] for each in self.clauses]

    def whole(self) -> Clause | None:
        parts = tuple(dict.fromkeys(self.parts()))
        if not parts:
            return None
        clause = parts[0] if len(parts) == 1 else AllOf(parts)
        return Not(clause) if self.unwanted else clause


@dataclass(slots=True)
class Draft:
    """A query while it is read."""

    text: str
    now_ms: int
    me: str
    groups: list[Group] = field(default_factory=lambda: [Group()])
    after: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    sort: Sort | None = None
    aside: list[tuple[int, int]] = field(default_factory=list)
    """Where times and the order stand in the text."""
    hints: list[str] = field(default_factory=list)


def parse(text: str, now_ms: int, me: str) -> Query:
    """Reads `text`; `me` is the person id that `from:me` stands for. Raises Invalid, and nothing else."""
    if len(text) > QUERY_LETTERS:
        raise Invalid(f"A search is at most {QUERY_LETTERS} characters long")
    text = text.translate(QUOTES)
    draft = Draft(text + '"' * (text.count('"') % 2), now_ms, me)
    number = 0
    for match in LEXEME.finditer(draft.text):
        number += read_lexeme(draft, match)
        if number > CLAUSES:
            raise Invalid(f"A search has at most {CLAUSES} words and conditions")
    while len(draft.groups) > 1:
        draft.text += ")"
        close_group(draft, len(draft.text))
    query = query_of(draft)
    check_query(query)
    return query


def read_lexeme(draft: Draft, match: re.Match[str]) -> bool:
    """True if it is a word or a condition."""
    if match["close"]:
        close_group(draft, match.end())
    elif match["open"]:
        if len(draft.groups) > DEPTH:
            raise Invalid(f"Brackets may stand in brackets at most {DEPTH} deep")
        draft.groups.append(Group(match.start(), match["no"] is not None))
    elif match.group() == "OR":
        draft.groups[-1].alternative = True
    else:
        read_clause(draft, match)
        return True
    return False


def close_group(draft: Draft, end: int) -> None:
    """A bracket that was never opened is a sign like others."""
    if len(draft.groups) > 1:
        group = draft.groups.pop()
        draft.groups[-1].add(group.whole(), group.begin, end)


def read_clause(draft: Draft, match: re.Match[str]) -> None:
    quoted = match["quoted"] is not None
    value = match["quoted"] if quoted else match["plain"]
    name = (match["name"] or "").lower()
    if name in TIMES or name == "sort":
        read_aside(draft, name, value, match)
        return
    clause = words(draft, value) if not name and not quoted else phrase(value) if not name else None
    if name:
        clause = condition(draft, name, value)
        if clause is None:
            if not value.startswith("//"):
                draft.hints.append(f"There is no operator “{match['name']}:”; it was searched for as words.")
            clause = words(draft, f"{name}:{value}") if not quoted else phrase(f"{name} {value}")
    if clause is not None and match["no"]:
        clause = Not(clause)
    draft.groups[-1].add(clause, *match.span())


def read_aside(draft: Draft, name: str, value: str, match: re.Match[str]) -> None:
    """A time or the order, which hold for all of the search."""
    if len(draft.groups) > 1 or draft.groups[-1].alternative:
        raise Invalid(f"{name}: holds for the whole search; please write it outside of brackets, and without OR")
    if name == "sort":
        if value.lower() not in SORTS or match["no"]:
            raise Invalid("Please write new, old or best after sort:")
        draft.sort = SORTS[value.lower()]
    else:
        read_time(draft, name, value, match["no"] is not None)
    draft.aside.append(match.span())


def read_time(draft: Draft, name: str, value: str, unwanted: bool) -> None:
    begin, end = span(name, value, draft.now_ms)
    if name in ("on", "during"):
        if unwanted:
            raise Invalid(f"Please write before: or after: instead of -{name}:")
        draft.after.append(begin)
        draft.before.append(end)
    else:
        late = (name == "after") != unwanted  # not before a moment is after it, and the other way round
        (draft.after if late else draft.before).append(begin)


def query_of(draft: Draft) -> Query:
    group = draft.groups[0]
    parts = group.parts()
    placed: list[tuple[tuple[int, int], Clause | None]] = [*zip(group.spans, parts, strict=True)]
    placed += [(where, None) for where in draft.aside]
    placed.sort(key=lambda each: each[0])
    return Query(
        AllOf(tuple(dict.fromkeys(parts))),
        max(draft.after, default=None),
        min(draft.before, default=None),
        draft.sort,
        tuple(dict.fromkeys(draft.hints)),
        tuple(Chip(draft.text[begin:end], clause) for (begin, end), clause in placed),
    )


def check_query(query: Query) -> None:
    if not query.where.clauses and query.after_ms is None and query.before_ms is None:
        raise Invalid("There is nothing to search for: write a word, or a condition such as from:customer or after:7d")
    if sum(len(words.terms) for words in query.all_words) > TERMS:
        raise Invalid(f"A search has at most {TERMS} words, those between quotes included")


def phrase(text: str) -> Clause | None:
    terms = tuple(token.text for token in tokens(text) if token.spine)
    return Words(terms) if terms else None


def words(draft: Draft, text: str) -> Clause | None:
    """A word as it was typed: it may be a compound, or end with `*` or `~`. Signs alone are nothing."""
    bare = text.rstrip("*~")
    end = text[len(bare) :][:1]
    if "*" in bare.lstrip("*") or (bare.startswith("*") and bare.strip("*")):
        draft.hints.append("A * stands for more letters only at the end of a word.")
    found = tokens(bare)
    spine = tuple(token.text for token in found if token.spine)
    if not spine:
        return None
    whole = name_of_all(found)
    only = whole or (spine[0] if len(spine) == 1 else None)
    if end == "*" and only:
        check_prefix(only)
        return Words((only,), prefix=True)
    if end == "~" and len(spine) == 1 and only:
        return Words((only,), near=near_of(draft, only))
    if len(spine) > 1:
        return Words(spine, whole)
    term = whole or spine[0]
    # One letter of a script that is indexed by pairs stands for all pairs that begin with it.
    if len(term) == 1 and class_of(term) == PAIRED:
        return Words((term,), prefix=True)
    return Words((term,), also=stem_names(term) if term.isalpha() and term.isascii() else ())


def name_of_all(found: list[Token]) -> str | None:
    """The name that a compound has as a whole, if it is all there is."""
    start = min(token.start for token in found if token.spine)
    end = max(token.end for token in found if token.spine)
    names = (token for token in found if not token.spine and not token.text.startswith(STEM_MARK))
    return next((token.text for token in names if token.start <= start and token.end >= end), None)


def check_prefix(letters: str) -> None:
    if len(letters) < PREFIX_LETTERS and class_of(letters[0]) != PAIRED:
        raise Invalid(f"Please write at least {PREFIX_LETTERS} letters before the *")


def near_of(draft: Draft, word: str) -> int:
    near = next((wrong for letters, wrong in NEAR_LETTERS if len(word) >= letters), 0)
    if not near:
        draft.hints.append(f"“{word}” is too short for other spellings; it was searched for as it is.")
    return near


def condition(draft: Draft, name: str, value: str) -> Clause | None:
    """What an operator says; null if there is no such operator. Raises Invalid for a value that it cannot have."""
    match name:
        case "from":
            return author(value, draft.me)
        case "has":
            what = choice(name, value, (*HAS, "note"))
            return Tagged(INTERNAL_TAG if what == "note" else f"has:{what}")
        case "is":
            what = choice(name, value, (*STATES, *NOTES))
            return Tagged(INTERNAL_TAG) if what in NOTES else ChatIs(name, what)
        case "in":
            return Tagged(f"via:{choice(name, value, WAYS)}")
        case "rating":
            return ChatIs(name, choice(name, value, SCORES))
        case _ if name in ABOUT_CHATS:
            if not value.strip():
                raise Invalid(f"Please write a name or an id after {name}:")
            return ChatIs(name, f"@{draft.me}" if value.lower() == "me" else value)
    return None


def author(value: str, me: str) -> Clause:
    """Who wrote it: a role, a person's id, or all words of a name."""
    if value.lower() in ROLES:
        return Tagged(f"role:{value.lower()}")
    if value.lower() == "me":
        return Tagged(f"person:{me}")
    if value.startswith("@") and len(value) > 1:
        return Tagged(f"person:{value[1:]}")
    names = sorted(name_parts(value))
    if not names:
        raise Invalid("Please write who after from:, such as from:customer, from:me or from:alice")
    clauses = tuple(Tagged(f"name:{name}") for name in names)
    return clauses[0] if len(clauses) == 1 else AllOf(clauses)


def choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Raises Invalid if `value` is none of the choices."""
    if value.lower() in choices:
        return value.lower()
    raise Invalid(f"After {name}: stands one of {', '.join(choices)}")
