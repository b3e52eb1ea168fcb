"""A transcript as a row of blocks to be shown: headings, turns, and lines for what happened. Pure.

Every rendering for people (text, page, mail) is made from these blocks, so all say the same, in one order.
Texts are masked and cleaned here, in one place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from history.clean import isolated, one_line, readable_lines
from history.local_time import LocalTime
from history.masking import mask
from history.sentences import Language
from history.times import MINUTE_MS
from history.transcript import Entry, Person

SHARED_HEADING_MS = 2 * MINUTE_MS
"""Messages of one sender at most this far apart share a heading."""

MOST_POINTS = 5
"""Of a rating."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A new day, or a new part (thread) of the chat."""

    type: ClassVar[str] = "heading"
    text: str
    is_part: bool


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened. `clock` is empty where the time says nothing."""

    type: ClassVar[str] = "line"
    text: str
    clock: str


@dataclass(frozen=True, slots=True)
class Said:
    """One message: its lines and its files; or, if `is_absent`, the sentence that stands for what is not shown."""

    lines: tuple[str, ...]
    is_absent: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Messages of one sender in a row. `of_customer` decides the side."""

    type: ClassVar[str] = "turn"
    who: str
    of_customer: bool
    clock: str
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Omitted:
    """Says how many messages were left out here, and where they are."""

    type: ClassVar[str] = "omitted"
    text: str


Block = Heading | Line | Turn | Omitted


@dataclass(frozen=True, slots=True)
class Layout:
    """For whom the blocks are made: in whose language and zone, and whether the customer is addressed as "you"."""

    time: LocalTime
    to_customer: bool = False
    own_words: bool = True
    """Whether what the customer said and is called is shown. Not so where nothing proves who will read it."""
    new_since: int = 0
    """A heading marks what comes after the event of this seq as news; 0: nothing is marked."""

    @property
    def language(self) -> Language:
        return self.time.language

    def blocks(self, entries: Sequence[Entry]) -> list[Block]:
        """The blocks of `entries`, which are those of a transcript, in order."""
        has_parts = any(entry.thread > 1 for entry in entries)
        blocks: list[Block] = []
        before: Entry | None = None
        for entry in entries:
            block = self.block_of(entry)
            if block is None:
                continue
            new = [*self.headings(before, entry, has_parts), block]
            if before is not None and len(new) == 1 and goes_on(before, entry):
                new = [joined(blocks.pop(), block)]
            blocks += new
            before = entry
        return blocks

    def headings(self, before: Entry | None, entry: Entry, has_parts: bool) -> list[Block]:
        """What stands between two entries: the mark of news; a new part, a new day, or a change of the clocks."""
        if before is not None and before.seq <= self.new_since < entry.seq:
            return [Heading(self.language.say("new"), is_part=True), *self.turns_of_time(before, entry, has_parts)]
        return self.turns_of_time(before, entry, has_parts)

    def turns_of_time(self, before: Entry | None, entry: Entry, has_parts: bool) -> list[Block]:
        if has_parts and (before is None or before.thread != entry.thread):
            date = self.time.date(entry.at_ms)
            return [Heading(self.language.say("part", number=entry.thread, date=date), is_part=True)]
        at, at_before = self.time.at(entry.at_ms), None if before is None else self.time.at(before.at_ms)
        if at_before is None or at_before.date() != at.date():
            return [Heading(self.time.date(entry.at_ms), is_part=False)]
        if at_before.utcoffset() != at.utcoffset():
            return [Line(self.language.say("clocks", zone=self.time.offset(entry.at_ms)), "")]
        return []

    def block_of(self, entry: Entry) -> Block | None:
        """What is shown of an entry; nothing of kinds that are not for readers."""
        if entry.kind == "message":
            clock = self.time.clock(entry.at_ms)
            return Turn(self.name(entry.by), entry.by.role == "customer", clock, (self.said(entry),))
        text = self.happened(entry)
        return Line(text, self.time.clock(entry.at_ms)) if text else None

    def said(self, entry: Entry) -> Said:
        if entry.redacted:
            return Said((self.language.say("removed"),), is_absent=True)
        if entry.by.role == "customer" and not self.own_words:
            return Said((self.language.say("withheld"),), is_absent=True)
        lines = readable_lines(mask(entry.data.get("text", "")))
        return Said((*lines, *(self.file(file) for file in entry.data.get("attachments", ()))))

    def file(self, file: dict[str, Any]) -> str:
        kilobytes = self.language.number(max(1, round(file["size"] / 1000)))
        return self.language.say("file", name=self.isolated(shown_name(file["name"])), size=f"{kilobytes} kB")

    def happened(self, entry: Entry) -> str:
        """The sentence about an entry that is no message; empty where a reader needs none."""
        data, name = entry.data, self.isolated(self.name(entry.by))
        match entry.kind:
            case "join" | "leave" if data["participant"]["role"] != "customer":
                who = self.isolated(shown_name(data["participant"]["name"]))
                return self.language.say("joined" if entry.kind == "join" else "left", name=who)
            case "transfer" if data.get("agent") and entry.by.name:
                return self.language.say("passed", name=name)
            case "close" if data["reason"] == "idle":
                return self.language.say("closed_idle")
            case "close":
                return self.did("closed", entry, name=name or self.isolated(shown_name(data.get("by_name", ""))))
            case "reopen":
                return self.did("reopened", entry, name=name)
            case "rating":
                comment = " ".join(readable_lines(mask(data.get("comment") or ""))) if self.own_words else ""
                rated = self.did("rated", entry, name=name, score=data["score"], most=MOST_POINTS)
                return f"{rated}: “{self.isolated(comment)}”" if comment else rated
            case "notice":
                return self.isolated(" ".join(readable_lines(mask(data["text"]))))
        return ""

    def did(self, key: str, entry: Entry, **values: str | int) -> str:
        """What somebody did, told to the customer as "you did" where it was they."""
        is_reader = self.to_customer and entry.by.role == "customer"
        return self.language.say(f"{key}_by_you" if is_reader else key, **values)

    def name(self, person: Person) -> str:
        name = shown_name(person.name)
        if person.role == "customer":
            return self.language.say("you") if self.to_customer else name or self.language.say("customer")
        return self.language.say("bot", name=name) if person.role == "bot" else name

    def isolated(self, text: str) -> str:
        return isolated(text, self.language.direction)

    def names(self, people: Iterable[Person]) -> str:
        """Who took part: the customer first, then the team in the order of joining."""
        shown = [person for person in people if person.name and (self.own_words or person.role != "customer")]
        shown.sort(key=lambda person: person.role != "customer")
        return self.language.say("comma").join(self.isolated(shown_name(person.name)) for person in shown)


def shown_name(name: str) -> str:
    return mask(one_line(name))


def goes_on(before: Entry, entry: Entry) -> bool:
    """Whether two neighbouring entries are messages under one heading."""
    return (
        before.kind == entry.kind == "message"
        and before.by.id == entry.by.id
        and entry.at_ms - before.at_ms <= SHARED_HEADING_MS
    )


def joined(turn: Block, more: Block) -> Turn:
    """Two turns as one. A sentence that stands for what is not shown is said once."""
    assert isinstance(turn, Turn) and isinstance(more, Turn)
    return (
        turn if more.said[0].is_absent and more.said[0] == turn.said[-1] else replace(turn, said=turn.said + more.said)
    )
