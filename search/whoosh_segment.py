"""A segment of a Whoosh index as we lay it out: flat arrays in one file, made by `whoosh_writer.py`, read by searches.

Whoosh's own form of a segment is walked posting by posting, in Python; over arrays most of a search runs in C. The
documents of a segment stand in the order of their places (time, chat, stream, seq), so the newest are the last and a
time is a range. Each document owns a range of word places, one behind the other with a gap between, so one ascending
array for a word says both in which documents it is and where. Texts are not kept, the log has them.
"""

import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Literal

import orjson

from history.times import DAY_MS
from search.places import PLACE_FORM, freshness
from search.spelling import is_near
from search.stems import STEM_MARK

ARRAYS: Mapping[str, Literal["B", "H", "I", "Q"]] = {
    # a value for each document
    "at_ms": "Q",
    "chat": "Q",
    "stream": "B",
    "seq": "Q",
    "length": "B",
    "kind": "H",
    "begin": "I",
    # for each word, where its part of the next two begins; then documents, how often it is in each; places
    "word_begin": "I",
    "docs": "I",
    "times": "B",
    "place_begin": "I",
    "places": "I",
    # for each tag, where its part of the documents begins
    "tag_begin": "I",
    "tagged": "I",
}
"""The arrays of a file in their order, and their types (of Python's `array`). `begin` is a document's first word place,
`kind` the number of its set of shown tags; both `…begin` and `begin` have one entry more, where the last one ends."""

LISTS = ("words", "tags", "kinds")

HEADER = struct.Struct(">I")
SUM = struct.Struct(">I")

MOST = 255
"""Lengths and numbers of times are not told apart beyond."""

MASK_BITS = 64
CACHED_DAYS = 10_000
NOTHING: Sequence[int] = ()


def pack(arrays: Mapping[str, "array[int]"], lists: Mapping[str, Sequence[Any]]) -> bytes:
    """The content of a segment's file, with a checksum at its end."""
    header = orjson.dumps({"sizes": [len(arrays[name]) for name in ARRAYS], **{name: lists[name] for name in LISTS}})
    content = b"".join([HEADER.pack(len(header)), header, *(arrays[name].tobytes() for name in ARRAYS)])
    return content + SUM.pack(zlib.crc32(content))


class Leaf:
    """A segment that is open for reading."""

    def __init__(self, name: str, content: bytes) -> None:
        """Raises ValueError if the content is not as it was written."""
        self.name = name
        whole = memoryview(content)
        if len(content) < HEADER.size + SUM.size or zlib.crc32(whole[: -SUM.size]) != SUM.unpack(whole[-SUM.size :])[0]:
            raise ValueError(f"segment {name} is not as it was written")
        at = HEADER.size + HEADER.unpack_from(content)[0]
        header = orjson.loads(whole[HEADER.size : at])
        self.arrays: dict[str, memoryview] = {}
        for (array_name, code), size in zip(ARRAYS.items(), header["sizes"], strict=True):
            end = at + size * array(code).itemsize
            self.arrays[array_name] = whole[at:end].cast(code)
            at = end
        self.at_ms, self.chat, self.stream = self.arrays["at_ms"], self.arrays["chat"], self.arrays["stream"]
        self.seq, self.length, self.kind = self.arrays["seq"], self.arrays["length"], self.arrays["kind"]
        self.begin = self.arrays["begin"]
        self.words: list[str] = header["words"]
        self.kinds: list[list[str]] = header["kinds"]
        self.tags: list[str] = header["tags"]
        self.word_numbers = {word: number for number, word in enumerate(self.words)}
        self.tag_numbers = {tag: number for number, tag in enumerate(self.tags)}

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self.at_ms)

    @cached_property
    def fresh(self) -> list[float]:
        """How much more each document is worth for its day."""
        return [day_freshness(at_ms // DAY_MS) for at_ms in self.at_ms]

    def place(self, id: int) -> bytes:
        return PLACE_FORM.pack(self.at_ms[id], self.chat[id], self.stream[id], self.seq[id])

    def first_from(self, place: bytes) -> int:
        """The first document that stands at `place` or behind it."""
        return bisect_left(range(len(self)), place, key=self.place)

    def first_since(self, at_ms: int) -> int:
        """The first document of that time or later."""
        return bisect_left(self.at_ms, at_ms)

    def docs(self, word: str) -> Sequence[int]:
        """The documents with a word, ascending."""
        return self._part("word_begin", "docs", self.word_numbers.get(word))

    def times(self, word: str) -> Sequence[int]:
        """How often the word is in each of its documents."""
        return self._part("word_begin", "times", self.word_numbers.get(word))

    def places(self, word: str) -> Sequence[int]:
        """The places of a word in all documents, ascending."""
        return self._part("place_begin", "places", self.word_numbers.get(word))

    def tagged(self, tag: str) -> Sequence[int]:
        """The documents with a tag, ascending."""
        return self._part("tag_begin", "tagged", self.tag_numbers.get(tag))

    def _part(self, begins: str, values: str, number: int | None) -> Sequence[int]:
        if number is None:
            return NOTHING
        begin = self.arrays[begins]
        return self.arrays[values][begin[number] : begin[number + 1]]

    def beginning(self, letters: str) -> Iterator[str]:
        """The words that begin so."""
        for number in range(bisect_left(self.words, letters), len(self.words)):
            if not self.words[number].startswith(letters):
                return
            yield self.words[number]

    def near(self, word: str, near: int) -> Iterator[str]:
        """The words that are near (`spelling.py`). Only those are compared whose letters are about the same."""
        mask = letters_mask(word)
        for length in range(len(word) - near, len(word) + near + 1):
            words, masks = self._by_length.get(length, ((), ()))
            alike = [other for other, its in zip(words, masks, strict=True) if (its ^ mask).bit_count() <= 2 * near]
            yield from (other for other in alike if is_near(word, other, near))

    @cached_property
    def _by_length(self) -> dict[int, tuple[list[str], list[int]]]:
        """Length → the words that are so long, and their masks."""
        found: dict[int, tuple[list[str], list[int]]] = {}
        for word in self.words:
            if not word.startswith(STEM_MARK):
                words, masks = found.setdefault(len(word), ([], []))
                words.append(word)
                masks.append(letters_mask(word))
        return found


def letters_mask(word: str) -> int:
    """A number with a bit for each letter. A changed letter changes two bits at the most."""
    mask = 0
    for letter in word:
        mask |= 1 << (ord(letter) % MASK_BITS)
    return mask


@lru_cache(CACHED_DAYS)
def day_freshness(day: int) -> float:
    return freshness(day * DAY_MS)
