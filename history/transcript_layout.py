"""A transcript as a row of blocks to be shown: headings, turns, and lines for what happened. Pure.

Every rendering for people (text, page, mail) is made from these blocks, so all say the same, in one order.
Texts are masked and cleaned here, in one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from babel.numbers import format_decimal

from history.clean import isolated, one_line, readable_lines
from history.local_time import LocalTime
from history.masking import mask
from history.sentences import Language
from history.times import MINUTE_MS
from history.transcript import Entry, Person

SHARED_HEADING_MS = 2 * MINUTE_MS
"""Messages of one sender at most this far apart share a heading."""


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
    """One message: its lines and its files, or the sentence that stands for a removed one."""

    lines: tuple[str, ...]
    removed: bool


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
    """For whom the blocks are made. `own_name` is what the customer is called instead, such as "You"."""

    time: LocalTime
    language: Language
    own_name: str | None = None

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
        """What stands between two entries: a new part, a new day, or a change of the clocks."""
        date = self.time.date(entry.at_ms)
        if has_parts and (before is None or before.thread != entry.thread):
            return [Heading(self.language.say("part", number=entry.thread, date=date), is_part=True)]
        if before is None or self.time.date(before.at_ms) != date:
            return [Heading(date, is_part=False)]
        offset = self.time.offset(entry.at_ms)
        if self.time.offset(before.at_ms) != offset:
            return [Line(self.language.say("clocks", zone=offset), "")]
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
            return Said((self.language.say("removed"),), removed=True)
        lines = readable_lines(mask(entry.data.get("text", "")))
        return Said((*lines, *(self.file(file) for file in entry.data.get("attachments", ()))), removed=False)

    def file(self, file: dict[str, Any]) -> str:
        kilobytes = format_decimal(max(1, round(file["size"] / 1000)), locale=self.time.locale)
        return self.language.say("file", name=isolated(shown_name(file["name"])), size=f"{kilobytes} kB")

    def happened(self, entry: Entry) -> str:
        """The sentence about an entry that is no message; empty where a reader needs none."""
        say, data, name = self.language.say, entry.data, isolated(self.name(entry.by))
        match entry.kind:
            case "join" | "leave" if data["participant"]["role"] != "customer":
                who = isolated(shown_name(data["participant"]["name"]))
                return say("joined" if entry.kind == "join" else "left", name=who)
            case "transfer" if data.get("agent") and entry.by.name:
                return say("passed", name=name)
            case "close" if data["reason"] == "idle":
                return say("closed_idle")
            case "close":
                return say("closed", name=name or isolated(shown_name(data.get("by_name", ""))))
            case "reopen":
                return say("reopened", name=name)
            case "rating":
                comment = " ".join(readable_lines(mask(data.get("comment") or "")))
                rated = say("rated", name=name, score=data["score"])
                return f"{rated}: “{isolated(comment)}”" if comment else rated
            case "notice":
                return isolated(" ".join(readable_lines(mask(data["text"]))))
        return ""

    def name(self, person: Person) -> str:
        if person.role != "customer":
            return shown_name(person.name)
        return self.own_name or shown_name(person.name) or self.language.say("customer")


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
    assert isinstance(turn, Turn) and isinstance(more, Turn)
    return replace(turn, said=turn.said + more.said)
