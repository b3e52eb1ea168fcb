"""Dialogues to import and to search, and words to search for: made from a seed, or read from a file.

Made words follow Zipf's law, as words of a language do, so that rare, middling and common ones exist;
they mean nothing. A file has the form that `stillhere import` takes: a line {"id", "topics", "turns":
[[who, text], ...]} each.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

SEED = 20_261_123
VOCABULARY_WORDS = 12_000
TOPIC_WORDS = 12
TURNS = (8, 30)
WORDS_A_TURN = (4, 24)

ONSETS = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl", "gr")
VOWELS = ("a", "e", "i", "o", "u", "ea", "ou")

RARE_MESSAGES, COMMON_WORDS = 3, 40
MID_SHARE = (0.001, 0.01)
"""A middling word is in this share of all messages."""


@dataclass(frozen=True)
class Dialogue:
    """A chat of the past: who (customer or agent) said what, in order."""

    id: str
    topics: list[str]
    turns: list[tuple[str, str]]


def dialogues(count: int) -> list[Dialogue]:
    """Made dialogues, the same for the same count."""
    chance = random.Random(SEED)
    words = _vocabulary(chance)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    return [_dialogue(chance, words, weights, number) for number in range(count)]


def _vocabulary(chance: random.Random) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < VOCABULARY_WORDS:
        syllables = chance.randint(2, 4)
        words["".join(chance.choice(ONSETS) + chance.choice(VOWELS) for _ in range(syllables))] = None
    return list(words)


def _dialogue(chance: random.Random, words: list[str], weights: list[float], number: int) -> Dialogue:
    turns = [
        (
            ("customer", "agent")[turn % 2],
            " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(*WORDS_A_TURN))).capitalize() + ".",
        )
        for turn in range(chance.randint(*TURNS))
    ]
    return Dialogue(f"dialogue-{number:06}", [words[chance.randrange(TOPIC_WORDS)]], turns)


def read(path: Path) -> list[Dialogue]:
    """The dialogues of a file."""
    lines = (orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip())
    return [Dialogue(line["id"], line["topics"], [(who, text) for who, text in line["turns"]]) for line in lines]


def write(path: Path, talks: Sequence[Dialogue]) -> None:
    """A file to import."""
    path.write_bytes(b"".join(orjson.dumps(asdict(dialogue)) + b"\n" for dialogue in talks))


def texts(talks: Sequence[Dialogue]) -> Iterator[str]:
    """All messages."""
    return (text for dialogue in talks for _, text in dialogue.turns)


def queries(talks: Sequence[Dialogue], count: int) -> Mapping[str, list[str]]:
    """Up to `count` queries of each kind: rare, mid and common words, phrases of two neighbours."""
    said = [_words(text) for text in texts(talks)]
    frequency = Counter(word for words in said for word in set(words))
    low, high = (share * len(said) for share in MID_SHARE)
    chance = random.Random(SEED)
    rare = sorted(word for word, seen in frequency.items() if seen <= RARE_MESSAGES)
    mid = sorted(word for word, seen in frequency.items() if low <= seen <= high)
    phrases = [f'"{first} {second}"' for words in chance.sample(said, count) for first, second in [words[:2]]]
    return {
        "rare word": chance.sample(rare, min(count, len(rare))),
        "mid word": chance.sample(mid, min(count, len(mid))),
        "common word": [word for word, _ in frequency.most_common(min(count, COMMON_WORDS))],
        "phrase": phrases,
    }


def _words(text: str) -> list[str]:
    return [word for word in text.lower().rstrip(".").split() if word.isalpha()]
