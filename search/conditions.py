"""Conditions on chats, such as `is:open` or `agent:ada`: SQL finds the chats that meet them, among those that the
viewer may see. Called by `finding.py` before an engine is asked: an engine only ever gets numbers of chats.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from history.access import Viewer
from history.db import Driver
from search.engine import SEARCH_SECONDS
from search.facts import name_parts
from search.query import AllOf, AnyOf, ChatIs, Clause, InChats, Not, Query
from search.words import WORD_LETTERS, fold

NOTHING = InChats(frozenset())

ID_LETTERS = range(8, 37)
"""A chat is known by the beginning of its id, too."""

ID = re.compile(r"[0-9a-f-]+")
ASCII_WORD = re.compile("[a-z0-9]+")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")

NAMES_COMPARED = 20_000
"""So many names, those of the newest people, are compared one by one at most."""

NAMES_SECONDS = SEARCH_SECONDS / 3
CLOCK_EVERY = 1000
"""How many names are compared between two looks at the clock."""

PLAIN = {
    "sqlite": f"(name NOT GLOB '*[^a-zA-Z0-9 ]*' AND length(name) <= {WORD_LETTERS})",
    "postgresql": f"(name !~ '[^a-zA-Z0-9 ]' AND length(name) <= {WORD_LETTERS})",
}
"""Names whose words SQL can tell by the blanks around them."""

LOWER = {"sqlite": "lower(name)", "postgresql": 'lower(name COLLATE "C")'}
"""Of plain letters only, and in Turkey as elsewhere."""

OTHER = {
    "sqlite": "length(name) <> length(CAST(name AS BLOB))",
    "postgresql": "length(name) <> octet_length(name)",
}
"""Names that SQL cannot compare as the tokenizer does: accents, other scripts."""

STATES = {
    "open": "c.status <> 'closed'",
    "waiting": "c.status IN ('open', 'waiting') AND c.waiting_since_ms IS NOT NULL",
    "unassigned": "c.status <> 'closed' AND c.agent_id IS NULL",
}
TOOK_PART = "c.pk IN (SELECT chat_pk FROM participant WHERE role = 'agent' AND person_id IN_LIST)"
RATED = "c.pk IN (SELECT chat_pk FROM thread WHERE score = ?)"
SPEAKERS = "FROM customer WHERE lower(locale) = ? OR lower(locale) LIKE ?"
SPEAKS = f"c.customer_id IN (SELECT id {SPEAKERS})"
ARE_MOST = f"SELECT 2 * count(*) > (SELECT count(*) FROM customer) {SPEAKERS}"  # noqa: S608


@dataclass(slots=True)
class Asker:
    """Who asks, on which snapshot, and until when names may be compared one by one."""

    driver: Driver
    viewer: Viewer
    until: float
    """By `time.monotonic`."""
    cut: bool = False
    """There was no time for all names."""

    def chats(self, where: str, *params: Any) -> InChats:
        """The chats that the viewer may see and of which `where` holds, in SQL over a row `c` of chat."""
        own, right = "", ()
        if self.viewer.role != "agent":
            own = " AND c.customer_id = ? AND c.id = coalesce(?, c.id)"
            right = (self.viewer.person_id, self.viewer.only_chat)  # type: ignore[assignment]
        found = self.driver.rows(f"SELECT c.pk FROM chat c WHERE {where}{own}", *params, *right)  # noqa: S608
        return InChats(frozenset(pk for (pk,) in found))


def resolve(driver: Driver, viewer: Viewer, query: Query) -> tuple[Query, bool]:
    """The query with each condition on chats as the chats that meet it; and whether some chats may be missing, as
    there was no time to compare all names.
    """
    asker = Asker(driver, viewer, time.monotonic() + NAMES_SECONDS)
    where = AllOf(tuple(resolved(asker, clause) for clause in query.where.clauses))
    return replace(query, where=where), asker.cut


def resolved(asker: Asker, clause: Clause) -> Clause:
    match clause:
        case ChatIs(name, value):
            return CONDITIONS[name](asker, value)
        case Not(inner):
            return Not(resolved(asker, inner))
        case AnyOf(clauses):
            return AnyOf(tuple(resolved(asker, each) for each in clauses))
        case AllOf(clauses):
            return AllOf(tuple(resolved(asker, each) for each in clauses))
    return clause


def state(asker: Asker, value: str) -> Clause:
    if value == "closed":
        return Not(asker.chats(STATES["open"]))  # most chats are closed, so the others are sooner told
    return asker.chats(STATES[value])


def agent(asker: Asker, value: str) -> Clause:
    """Chats in which such an agent took part."""
    ids = [value[1:]] if value.startswith("@") else people(asker, "agent", value)
    return asker.chats(TOOK_PART, asker.driver.list_param(ids)) if ids else NOTHING


def customer(asker: Asker, value: str) -> Clause:
    ids = [value[1:]] if value.startswith("@") else [value, *people(asker, "customer", value)]
    return asker.chats("c.customer_id IN_LIST", asker.driver.list_param(ids))


def chat(asker: Asker, value: str) -> Clause:
    beginning = value.lower()
    if len(beginning) not in ID_LETTERS or not ID.fullmatch(beginning):
        return NOTHING
    return asker.chats("c.id LIKE ?", f"{beginning}%")


def language(asker: Asker, value: str) -> Clause:
    tag = value.lower().replace("_", "-")
    if not LANGUAGE.fullmatch(tag):
        return NOTHING
    forms = tag, f"{tag}-%"
    [(are_most,)] = asker.driver.rows(ARE_MOST, *forms)
    if are_most:  # the chats of the others are sooner told
        return Not(asker.chats(f"NOT {SPEAKS}", *forms))
    return asker.chats(SPEAKS, *forms)


def rating(asker: Asker, value: str) -> Clause:
    return asker.chats(RATED, int(value))


CONDITIONS: dict[str, Callable[[Asker, str], Clause]] = {
    "is": state,
    "agent": agent,
    "customer": customer,
    "chat": chat,
    "lang": language,
    "rating": rating,
}


def people(asker: Asker, table: str, name: str) -> list[str]:
    """The ids of the customers or agents whose name has all these words."""
    wanted = name_parts(name)
    if not wanted:
        return []
    driver = asker.driver
    is_plain, is_other, lower = (form[driver.dialect] for form in (PLAIN, OTHER, LOWER))
    has_all = " AND ".join([f"' ' || {lower} || ' ' LIKE ?"] * len(wanted))
    # They are letters and digits only, so nothing in them is a wildcard.
    plain = driver.rows(f"SELECT id FROM {table} WHERE {has_all} AND {is_plain}", *(f"% {word} %" for word in wanted))  # noqa: S608
    found = [id for (id,) in plain]
    longest = max(wanted, key=len)
    others = driver.rows(
        f"SELECT id, name FROM {table} WHERE {is_other} OR ({lower} LIKE ? AND NOT {is_plain}) "  # noqa: S608
        "ORDER BY created_ms DESC LIMIT ?",
        f"%{longest}%",
        NAMES_COMPARED,
    )
    for number, (id, name) in enumerate(others, 1):
        if number == NAMES_COMPARED or (number % CLOCK_EVERY == 0 and time.monotonic() > asker.until):
            asker.cut = True
            break
        if has_words(name, longest, wanted):
            found.append(id)
    return found


def has_words(name: str, longest: str, wanted: frozenset[str]) -> bool:
    """`wanted <= name_parts(name)`, but a hundred times faster for most names."""
    folded, _ = fold(name)
    if folded.isascii():
        return wanted <= {word[:WORD_LETTERS] for word in ASCII_WORD.findall(folded)}
    return longest in folded and wanted <= name_parts(name)
