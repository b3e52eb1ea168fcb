"""What was found, counted by who helped, channel, month, rating and kind. Called by `finding.py`.

The engine counts messages by chat, month and tag, within the asker's scope; SQL tells what is known of those chats.
Each value comes with the condition that narrows the search to exactly the messages counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from history.db import Driver
from search.engine import Facets

MOST_VALUES = 12
"""How many values of a facet are told; the most frequent ones."""

HELPERS = (
    "SELECT p.person_id, a.name, p.chat_pk FROM participant p JOIN agent a ON a.id = p.person_id "
    "WHERE p.role = 'agent' AND p.chat_pk IN_LIST"
)
RATINGS = "SELECT DISTINCT chat_pk, score FROM thread WHERE chat_pk IN_LIST AND score IS NOT NULL"

KINDS = (
    ("from:customer", "role:customer", "Customers"),
    ("from:agent", "role:agent", "Agents"),
    ("is:note", "stream:internal", "Notes"),
)
EMAIL = "via:email"

FACETS = ("agent", "channel", "month", "rating", "kind")

Value = dict[str, Any]


def facets_of(driver: Driver, counted: Facets, total: int, names: tuple[str, ...]) -> dict[str, list[Value]]:
    """Of these facets, each with its values as {filter, label, count}; without values that hold nothing."""
    count: dict[str, Callable[[], list[Value]]] = {
        "agent": lambda: agents(driver, counted.by_chat),
        "channel": lambda: channels(counted.by_tag, total),
        "month": lambda: months(counted.by_month),
        "rating": lambda: ratings(driver, counted.by_chat),
        "kind": lambda: kinds(counted.by_tag),
    }
    return {name: values for name in names if (values := count[name]())}


def agents(driver: Driver, by_chat: Mapping[int, int]) -> list[Value]:
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for person_id, name, chat_pk in driver.rows(HELPERS, driver.list_param(list(by_chat))):
        names[person_id] = name
        counts[person_id] += by_chat[chat_pk]
    return [value(f"agent:@{id}", names[id], count) for id, count in counts.most_common(MOST_VALUES)]


def ratings(driver: Driver, by_chat: Mapping[int, int]) -> list[Value]:
    counts: Counter[int] = Counter()
    for chat_pk, score in driver.rows(RATINGS, driver.list_param(list(by_chat))):
        counts[score] += by_chat[chat_pk]
    return [value(f"rating:{score}", str(score), counts[score]) for score in sorted(counts, reverse=True)]


def channels(by_tag: Mapping[str, int], total: int) -> list[Value]:
    mailed = by_tag.get(EMAIL, 0)
    return some([value("in:web", "Web", total - mailed), value("in:email", "E-mail", mailed)])


def months(by_month: Mapping[str, int]) -> list[Value]:
    return [value(f"during:{month}", month, by_month[month]) for month in sorted(by_month, reverse=True)[:MOST_VALUES]]


def kinds(by_tag: Mapping[str, int]) -> list[Value]:
    return some(value(condition, label, by_tag.get(tag, 0)) for condition, tag, label in KINDS)


def value(condition: str, label: str, count: int) -> Value:
    return {"filter": condition, "label": label, "count": count}


def some(values: Iterable[Value]) -> list[Value]:
    return [each for each in values if each["count"]]
