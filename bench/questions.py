"""Messages for an engine, and questions of every kind that people ask, with what they would be in SQLite FTS5."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.corpus import RARE_MESSAGES, SEED, Dialogue
from history.models import PUBLIC
from history.times import DAY_MS
from search.engine import Ask, Document, Key, Scope
from search.facts import tags_of
from search.words import tokens

NOW_MS = 1_790_000_000_000
YEAR_MS = 365 * DAY_MS
TURN_MS = 20_000
AGENTS = 20

CHANGED_WORDS = 12
"""When the dialogues are used again, one in so many of a message's words is another one."""

ORDER_SHARE = 0.03
SAMPLE = 20_000
COMMON_WORDS = 40
MID_SHARE = (0.001, 0.01)

COSTLY = (
    '"' + "i " * 127 + 'i"',
    "-" + '"' + "i you " * 60 + '"',
    '"i i" ' * 24,
    "the* " * 24,
    "-the* " * 24,
    " OR ".join(["i"] * 24),
    "-i " * 24,
    " ".join(f"reservation{number}~" for number in range(24)),
    "a" * 510 + "~",
    "-(-(-(-i))) sort:best",
    "from:customer OR from:agent",
    "-absent",
)
"""Searches that bring down others, or are wide; all within what the parser lets through."""


class Question(NamedTuple):
    text: str
    ask: Ask = Ask()
    scope: Scope = Scope()
    fts: str | None = None
    """The same in FTS5, if it can be asked there."""


def documents(talks: Sequence[Dialogue], count: int) -> Iterator[Document]:
    """The dialogues as messages of one year, again and again with other words in them."""
    return itertools.islice(_endless(talks, count), count)


def _endless(talks: Sequence[Dialogue], count: int) -> Iterator[Document]:
    chance, chat, pace_ms = random.Random(SEED), 0, YEAR_MS * 15 // max(15, count)
    for time in itertools.count():
        for talk in talks:
            chat += 1
            begin_ms = NOW_MS - YEAR_MS + chat * pace_ms % YEAR_MS
            for seq, (who, text) in enumerate(talk.turns, 1):
                role = "customer" if who == "customer" else "agent"
                person = f"customer{chat}" if role == "customer" else f"agent{chat % AGENTS}"
                said = perturbed(chance, text, time)
                tags = tags_of(PUBLIC, role, person, person, said, {})
                yield Document(Key(chat, PUBLIC, seq), begin_ms + seq * TURN_MS, f"customer{chat}", tags, said)


def perturbed(chance: random.Random, text: str, time: int) -> str:
    if chance.random() < ORDER_SHARE:
        text += f" ORD-{chance.randrange(10_000_000, 100_000_000)}"
    if not time:
        return text
    return " ".join(word if chance.randrange(CHANGED_WORDS) else f"{word}{time}" for word in text.split())


def questions(stock: Sequence[Document], count: int) -> dict[str, list[Question]]:
    """`count` of each kind, about what is said in these messages."""
    chance = random.Random(SEED)
    said = [
        [token.text for token in tokens(document.text) if token.spine]
        for document in chance.sample(stock, min(SAMPLE, len(stock)))
    ]
    seen = Counter(word for words in said for word in set(words))
    low, high = (share * len(said) for share in MID_SHARE)
    rare = [word for word, times in seen.items() if times <= RARE_MESSAGES]
    mid = [word for word, times in seen.items() if low <= times <= high and word.isalpha()]
    common = [word for word, _ in seen.most_common(COMMON_WORDS)]
    pairs = [pair for words in said for pair in itertools.pairwise(words)]
    common_pairs = [pair for pair in pairs if set(pair) <= set(common)]
    some = [*mid, *common]

    def each(words: Sequence[str]) -> list[str]:
        return chance.choices(words, k=count)

    def plain(words: Sequence[str], **ask: object) -> list[Question]:
        return [Question(word, Ask(**ask), fts=f'"{word}"') for word in each(words)]  # type: ignore[arg-type]

    def both(words: Sequence[str], form: str) -> list[str]:
        return [form.format(one, other) for one, other in zip(each(words), each(words), strict=True)]

    def scoped(word: str) -> Question:
        return Question(word, scope=Scope(customer_id=chance.choice(stock).customer_id, streams=frozenset({PUBLIC})))

    return {
        "rare word": plain(rare),
        "mid word": plain(mid),
        "common word, newest": plain(common),
        "common word, oldest": plain(common, sort="old"),
        "common word, best": plain(common, sort="best"),
        "two mid words": [Question(text, fts=text) for text in both(mid, "{} {}")],
        "two common words": [Question(text, fts=text) for text in both(common, "{} {}")],
        "two common words, best": [Question(text, Ask(sort="best"), fts=text) for text in both(common, "{} {}")],
        "phrase": [Question(f'"{a} {b}"', fts=f'"{a} {b}"') for a, b in chance.sample(pairs, count)],
        "phrase of common words": [
            Question(f'"{a} {b}"', fts=f'"{a} {b}"') for a, b in chance.choices(common_pairs, k=count)
        ],
        "beginning of 3 letters": [Question(f"{word[:3]}*", fts=f"{word[:3]}*") for word in each(longer(some, 3))],
        "beginning of 4 letters": [Question(f"{word[:4]}*", fts=f"{word[:4]}*") for word in each(longer(some, 4))],
        "a letter wrong": [Question(mistyped(chance, word) + "~") for word in each(longer(mid, 4))],
        "common word of a customer": [scoped(word) for word in each(common)],
        "agent, month, common word": [Question(f"from:agent during:2026-05 {word}") for word in each(common)],
        "one common word or other": [Question(text, fts=text) for text in both(common, "{} OR {}")],
        "one common word, not other": [
            Question(text, fts=text.replace(" -", " NOT ")) for text in both(common, "{} -{}")
        ],
        "common word, with facets": plain(common, facets=True),
        "common word, a hit a chat": plain(common, collapse=True),
        "common word, best, a hit a chat, facets": plain(common, sort="best", collapse=True, facets=True),
    }


def longer(words: Sequence[str], letters: int) -> list[str]:
    return [word for word in words if len(word) > letters and word.isalpha()]


def mistyped(chance: random.Random, word: str) -> str:
    """Two neighbouring letters exchanged."""
    at = chance.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
