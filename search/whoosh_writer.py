"""Writing to a Whoosh index: its writer, lock and table of contents, with segments of our own form
(`whoosh_segment.py`). Called by `whoosh_engine.py`.

A segment in which something is deleted is rewritten without it in the same commit, so that words that were taken back
are on no disk any more. Small segments are merged when there are many of about one size, so each message is rewritten
a few times only.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from whoosh import fields
from whoosh.codec.base import Codec
from whoosh.codec.whoosh3 import W3Segment
from whoosh.writing import SegmentWriter

from search.engine import Document
from search.facts import SHOWN_TAGS, customer_tag
from search.names import cuts
from search.places import PLACE_FORM
from search.whoosh_segment import ARRAYS, MOST, Leaf, pack

SCHEMA = fields.Schema()
"""Whoosh wants one; our segments say themselves what is in them."""

FILE_ENDING = ".seg"

MERGED_SEGMENTS = 8
MERGED_DOCUMENTS = 4096
"""Eight segments of about one size become one, unless they have grown to this size."""

numbers = partial(array, "I")


def chat_tag(chat_pk: int) -> str:
    return f"@chat:{chat_pk}"


class Draft:
    """A segment in the making, from new documents and from what is left of other segments: each with the documents that
    were deleted in it."""

    def __init__(self, documents: Sequence[Document], leaves: Sequence[tuple[Leaf, frozenset[int]]]) -> None:
        self.arrays = {name: array(code) for name, code in ARRAYS.items()}
        self.words: dict[str, array[int]] = defaultdict(numbers)
        """The places of each word."""
        self.tags: dict[str, array[int]] = defaultdict(numbers)
        """The documents with each tag."""
        self.kinds: dict[tuple[str, ...], int] = {}
        self.owner = numbers()
        """The document that each place belongs to."""
        sources: list[tuple[bytes, int, int]] = []
        sources += ((PLACE_FORM.pack(doc.at_ms, *doc.key), -1, number) for number, doc in enumerate(documents))
        for source, (leaf, deleted) in enumerate(leaves):
            sources += ((leaf.place(id), source, id) for id in range(len(leaf)) if id not in deleted)
        moved: list[dict[int, int]] = [{} for _ in leaves]
        for id, (place, source, number) in enumerate(sorted(sources)):
            self._begin(place)
            if source < 0:
                self._add(id, documents[number])
            else:
                moved[source][number] = id
                self._make_room(id, leaves[source][0], number)
        self.arrays["begin"].append(len(self.owner))
        for (leaf, _), ids in zip(leaves, moved, strict=True):
            self._take(leaf, ids)

    def __len__(self) -> int:
        return len(self.arrays["at_ms"])

    def _begin(self, place: bytes) -> None:
        for name, value in zip(("at_ms", "chat", "stream", "seq"), PLACE_FORM.unpack(place), strict=True):
            self.arrays[name].append(value)
        self.arrays["begin"].append(len(self.owner))

    def _add(self, id: int, document: Document) -> None:
        first = begin = len(self.owner)
        for cut in cuts(document.text):
            for word, position in cut.names:
                self.words[word].append(begin + position)
            begin += cut.length
        self._own(
            id, begin - first, self._kind(tuple(sorted(tag for tag in document.tags if tag.startswith(SHOWN_TAGS))))
        )
        for tag in (*document.tags, customer_tag(document.customer_id), chat_tag(document.key.chat_pk)):
            self.tags[tag].append(id)

    def _make_room(self, id: int, leaf: Leaf, number: int) -> None:
        length = leaf.begin[number + 1] - leaf.begin[number] - 1
        self._own(id, length, self._kind(tuple(leaf.kinds[leaf.kind[number]])))

    def _own(self, id: int, length: int, kind: int) -> None:
        """The document's range of places, with the gap that ends it, so that no phrase reaches into the next one."""
        self.owner.extend([id] * (length + 1))
        self.arrays["length"].append(min(length, MOST))
        self.arrays["kind"].append(kind)

    def _kind(self, tags: tuple[str, ...]) -> int:
        return self.kinds.setdefault(tags, len(self.kinds))

    def _take(self, leaf: Leaf, ids: dict[int, int]) -> None:
        """Words and tags of the documents that come from another segment: its ids → ours."""
        begin = self.arrays["begin"]
        target = [-1] * leaf.begin[len(leaf)]
        for number, id in ids.items():
            target[leaf.begin[number] : leaf.begin[number + 1]] = range(begin[id], begin[id + 1])
        for word in leaf.words:
            places = [place for old in leaf.places(word) if (place := target[old]) >= 0]
            if places:
                self.words[word].extend(places)
        for tag in leaf.tags:
            docs = [ids[number] for number in leaf.tagged(tag) if number in ids]
            if docs:
                self.tags[tag].extend(docs)

    def content(self) -> bytes:
        """The segment's file."""
        arrays, words, tags = self.arrays, sorted(self.words), sorted(self.tags)
        document_of = self.owner.__getitem__
        for word in words:
            arrays["word_begin"].append(len(arrays["docs"]))
            arrays["place_begin"].append(len(arrays["places"]))
            places = sorted(self.words[word])
            arrays["places"].extend(places)
            counted = Counter(map(document_of, places))
            arrays["docs"].extend(counted)
            times = counted.values()
            arrays["times"].extend(times if len(places) <= MOST else (min(often, MOST) for often in times))
        for tag in tags:
            arrays["tag_begin"].append(len(arrays["tagged"]))
            arrays["tagged"].extend(sorted(self.tags[tag]))
        arrays["word_begin"].append(len(arrays["docs"]))
        arrays["place_begin"].append(len(arrays["places"]))
        arrays["tag_begin"].append(len(arrays["tagged"]))
        return pack(arrays, {"words": words, "tags": tags, "kinds": list(self.kinds)})


class FlatSegment(W3Segment):  # type: ignore[misc]
    """What the table of contents says of a segment. Whoosh need not put its files together: there is one."""

    def should_assemble(self) -> bool:
        return False


class NoWriter:
    """Stands where Whoosh has writers of its own form."""

    is_closed = True


class FlatCodec(Codec):  # type: ignore[misc]
    length_stats = False

    def new_segment(self, storage: Any, indexname: str) -> FlatSegment:
        return FlatSegment(self, indexname)

    def per_document_writer(self, storage: Any, segment: Any) -> NoWriter:
        return NoWriter()

    def field_writer(self, storage: Any, segment: Any) -> NoWriter:
        return NoWriter()


class Writer(SegmentWriter):  # type: ignore[misc]
    """One commit: what was added, and the segments that it takes in."""

    def __init__(self, index: Any, leaves: dict[str, Leaf]) -> None:
        """`leaves`: those of the index's segments, by name."""
        super().__init__(index, codec=FlatCodec())
        self.leaves = leaves
        self.documents: list[Document] = []
        self.taken: list[tuple[Leaf, frozenset[int]]] = []

    def add(self, documents: Iterable[Document]) -> None:
        self.documents += documents
        self._added = bool(self.documents)

    def take(self, segment: Any) -> None:
        """Has the segment rewritten into the new one."""
        self.taken.append((self.leaves[segment.segment_id()], frozenset(segment.deleted_docs())))
        self._added = True

    def _flush_segment(self) -> None:
        draft = Draft(self.documents, self.taken)
        self.docnum = len(draft)
        file = self.newsegment.create_file(self.storage, FILE_ENDING)
        file.write(draft.content())
        file.close()


def merge_equals(writer: Writer, segments: list[Any]) -> list[Any]:
    """Has segments taken in by the writer. Returns those that stay. (Whoosh's hook for merge policies.)"""
    classes = defaultdict(list)
    for segment in segments:
        if segment.doc_count_all() < MERGED_DOCUMENTS:
            classes[size_class(segment)].append(segment)
    full = max((size for size, members in classes.items() if len(members) >= MERGED_SEGMENTS), default=-1)
    taken = [segment for size, members in classes.items() if size <= full for segment in members]
    taken += [segment for segment in segments if segment not in taken and segment.has_deletions()]
    for segment in taken:
        writer.take(segment)
    return [segment for segment in segments if segment not in taken]


def size_class(segment: Any) -> int:
    """0 for fewer than 8 documents, 1 for fewer than 64, and so on."""
    return (int(segment.doc_count_all()).bit_length() - 1) // 3
