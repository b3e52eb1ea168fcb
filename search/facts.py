"""What is known of a message besides its words, as tags: who wrote it, by which way it came, what it has in it. Pure.

Made once, when a message is indexed; conditions of a query (`Tagged`) and facets speak of the same tags.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from operator import sub
from typing import Any

from history.models import INTERNAL
from search.words import PHONE_DIGITS, tokens

SHOWN_TAGS = ("role:", "via:", "has:", "stream:")
"""Tags that begin so are counted as facets; the others say who a person is."""

BLANK = "\x1f"
"""Stands between tags that are one word: no tag has it."""

HAS = ("link", "file", "image", "order", "phone", "email")
WAYS = ("web", "email")
INTERNAL_TAG = "stream:internal"

CACHED_NAMES = 4096

DIGIT = re.compile(r"\d")
LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
EMAIL = re.compile(r"[^\s@]{1,64}@[\w-]{1,63}\.\w")
ORDER = re.compile(r"\b[A-Za-z]{2,5}[-_]?[0-9]{4,14}\b|#[0-9]{3,14}\b")
"""As shops number orders: ORD-26274052, AB123456, #10045."""
PHONE = re.compile(r"(?<![\w-])\+?\(?\d[\d ()./-]{5,22}\d(?![\w-])")


def tags_of(stream: int, role: str, person_id: str, name: str, text: str, data: Mapping[str, Any]) -> frozenset[str]:
    """The tags of a message: its stream, its author, its text and the event's data."""
    tags = {f"name:{part}" for part in name_parts(name)}
    tags.add(f"via:{data['via'] if data.get('via') in WAYS else 'web'}")
    tags.update(f"has:{what}" for what in contents(text, data))
    if role:
        tags.add(f"role:{role}")
    if person_id:
        tags.add(f"person:{person_id}")
    if stream == INTERNAL:
        tags.add(INTERNAL_TAG)
    return frozenset(tags)


def customer_tag(customer_id: str) -> str:
    """No query can name it; a scope does."""
    return f"@customer:{customer_id}"


def shown_together(tags: Iterable[str]) -> str:
    """Those of a message's tags that are shown, as one word, by which messages are counted."""
    return BLANK.join(sorted(tag for tag in tags if tag.startswith(SHOWN_TAGS)))


def count_shown(messages: Mapping[str, int]) -> Counter[str]:
    """How many messages have each tag, of how many have the same `shown_together`."""
    counts = Counter[str]()
    for together, count in messages.items():
        counts.update(dict.fromkeys(together.split(BLANK), count))
    return counts


def scaled(counts: Mapping[Any, int], total: int) -> dict[Any, int]:
    """What the counts of a part would be in all, which are so many. Rounded so that what one loses goes to the next:
    some of them together are right, too.
    """
    part = sum(counts.values()) or 1
    ends = [count * total // part for count in accumulate(counts.values())]
    return dict(zip(counts, map(sub, ends, [0, *ends]), strict=False))


@lru_cache(CACHED_NAMES)
def name_parts(name: str) -> frozenset[str]:
    """The words of a person's name."""
    return frozenset(token.text for token in tokens(name) if token.spine)


def contents(text: str, data: Mapping[str, Any]) -> Iterator[str]:
    """What of `HAS` is in it."""
    if LINK.search(text):
        yield "link"
    if "@" in text and EMAIL.search(text):
        yield "email"
    if DIGIT.search(text):
        if any(sum(map(str.isdigit, found)) in PHONE_DIGITS for found in PHONE.findall(text)):
            yield "phone"
        if ORDER.search(text):
            yield "order"
    files = [file for file in data.get("attachments") or () if isinstance(file, dict)]
    if files:
        yield "file"
    if any(str(file.get("type")).startswith("image/") for file in files):
        yield "image"
