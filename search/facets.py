"""What was found, counted by who helped, channel, month, rating and kind. Called by `finding.py`.

The engine counts messages by chat, month and tag, within the asker's scope; SQL tells what is known of those chats.
Each value comes with the condition that narrows the search to exactly the messages counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any

import orjson

from history.db import Driver
from search.engine import Facets

MOST_VALUES = 12
"""How many values of a facet are told; the most frequent ones."""

CHATS = {"sqlite": "json_group_array(chat_pk)", "postgresql": "json_agg(chat_pk)::text"}
HELPERS = "SELECT person_id, {chats} FROM participant WHERE role = 'agent'{among} GROUP BY person_id"
RATINGS = (
    "SELECT score, {chats} FROM (SELECT DISTINCT score, chat_pk FROM thread WHERE score IS NOT NULL{among}) AS rated "
    "GROUP BY score"
)
AMONG = " AND chat_pk IN_LIST"
NAMES = "SELECT id, name FROM agent WHERE id IN_LIST"

LAST_CHAT = "SELECT coalesce(max(pk), 0) FROM chat"
MOST_CHATS_SHARE = 0.25
"""If the hits are in more of all chats, who helped in each chat is read from the index in one go, which is faster than
to look each of them up.
"""

KINDS = (
    ("from:customer", "role:customer", "Customers"),
    ("from:agent", "role:agent", "Agents"),
    ("is:note", "stream:internal", "Notes"),
)
EMAIL = "via:email"

FACETS = ("agent", "channel", "month", "rating", "kind")

Value = dict[str, Any]


def facets_of(driver: Driver, counted: Facets, names: tuple[str, ...]) -> dict[str, list[Value]]:
    """Of these facets, each with its values as {filter, label, count}; without values that hold nothing."""
    count: dict[str, Callable[[], list[Value]]] = {
        "agent": lambda: agents(driver, counted.by_chat),
        "channel": lambda: channels(counted.by_tag, sum(counted.by_month.values())),
        "month": lambda: months(counted.by_month),
        "rating": lambda: ratings(driver, counted.by_chat),
        "kind": lambda: kinds(counted.by_tag),
    }
    return {name: values for name in names if (values := count[name]())}


def agents(driver: Driver, by_chat: Mapping[int, int]) -> list[Value]:
    counts = count_up(driver, HELPERS, by_chat).most_common(MOST_VALUES)
    names = dict(driver.rows(NAMES, driver.list_param([id for id, _ in counts])))
    return [value(f"agent:@{id}", names[id], count) for id, count in counts if id in names]


def ratings(driver: Driver, by_chat: Mapping[int, int]) -> list[Value]:
    counts = count_up(driver, RATINGS, by_chat)
    return [value(f"rating:{score}", str(score), counts[score]) for score in sorted(counts, reverse=True)]


def count_up(driver: Driver, statement: str, by_chat: Mapping[int, int]) -> Counter[Any]:
    """The hits in the chats of each group, of a statement that tells groups and their chats; without empty groups."""
    [(last,)] = driver.rows(LAST_CHAT)
    among, params = AMONG, [driver.list_param(list(by_chat))]
    if len(by_chat) > MOST_CHATS_SHARE * last:
        among, params = "", []
    groups = driver.rows(statement.format(chats=CHATS[driver.dialect], among=among), *params)
    hits = ((group, sum(map(by_chat.get, orjson.loads(chats), repeat(0)))) for group, chats in groups)
    return Counter({group: count for group, count in hits if count})


def channels(by_tag: Mapping[str, int], total: int) -> list[Value]:
    mailed = by_tag.get(EMAIL, 0)
    return some([value("in:web", "Web", total - mailed), value("in:email", "E-mail", mailed)])


def months(by_month: Mapping[str, int]) -> list[Value]:
    newest = sorted(by_month, reverse=True)[:MOST_VALUES]
    return some(value(f"during:{month}", month, by_month[month]) for month in newest)


def kinds(by_tag: Mapping[str, int]) -> list[Value]:
    return some(value(condition, label, by_tag.get(tag, 0)) for condition, tag, label in KINDS)


def value(condition: str, label: str, count: int) -> Value:
    return {"filter": condition, "label": label, "count": count}


def some(values: Iterable[Value]) -> list[Value]:
    return [each for each in values if each["count"]]
