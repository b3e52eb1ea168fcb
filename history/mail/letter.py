"""A mail as a value, before it is composed, and what it says around the messages of the chat. Pure.

Made by the worker and the preview; `compose.py` makes bytes of it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from history.clean import one_line, readable_lines
from history.local_time import local_time
from history.masking import mask
from history.sentences import language_of
from history.transcript import Entry, Transcript
from history.transcript_layout import Block, Layout

Kind = Literal["transcript", "away", "copy", "confirm", "code"]

EARLIER_MESSAGES = 3
"""How many messages an away mail shows before those that are news."""

PREHEADER_LETTERS = 80
SUBJECT_LETTERS = 60


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence of the footer, and the address of which it speaks, if it does."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Letter:
    """All that a mail is made of. `resume_url` opens the chat until `link_until_ms`; if that is 0, only for whoever is
    in the chat already. In a mail of kind `confirm`, which tells nothing of the chat, it leads to the page where the
    owner of the address allows a copy. A mail of kind `code`, which tells nothing of it either, has a code instead.
    """

    transcript: Transcript
    recipient: str
    resume_url: str
    link_until_ms: int
    brand: str
    from_address: str
    message_id: str
    locale: str
    time_zone: str
    now_ms: int
    kind: Kind = "transcript"
    reply_address: str = ""
    """Where an answer lands in the chat; empty: nothing can be answered by mail."""
    references: tuple[str, ...] = ()
    """The Message-IDs of the chat's mail thread, oldest first: its root, and the newest of the others, the last of
    which this mail answers or follows."""
    own_words: bool = True
    """Whether the customer's own words and files are in it. Not so if nothing proves the address."""
    new_since: int = 0
    """Messages after this seq are news: an away mail is about them, a transcript marks them; 0: no such mark."""
    is_update: bool = False
    """Whether a transcript of the chat went to this recipient before."""
    is_brief: bool = False
    """Whether what is too long for a page is left out altogether, as the mail was too large for a server before."""
    code: str = ""
    mute_url: str = ""
    """Where a POST ends the away mails of this chat (RFC 8058)."""
    postal_address: str = ""
    privacy_url: str = ""

    @cached_property
    def layout(self) -> Layout:
        time = local_time(language_of(self.locale), self.time_zone)
        return Layout(time, to_customer=True, own_words=self.own_words, new_since=self.new_since)

    @property
    def tells_of_chat(self) -> bool:
        return self.kind not in {"confirm", "code"}

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What of the transcript is in the mail."""
        if not self.tells_of_chat:
            return ()
        entries = self.transcript.entries
        return around_news(entries, self.new_since) if self.kind == "away" else entries

    @cached_property
    def blocks(self) -> list[Block]:
        return self.layout.blocks(self.entries)

    @cached_property
    def brand_line(self) -> str:
        return one_line(self.brand)

    @property
    def subject(self) -> str:
        """At most SUBJECT_LETTERS long: of a long brand the end is left out."""
        subject = self.say("subject")
        too_long = len(subject) - SUBJECT_LETTERS
        if too_long <= 0:
            return subject
        return replace(self, brand=self.brand_line[: -too_long - 1].rstrip() + "…").say("subject")

    def say(self, key: str, **values: str | int) -> str:
        """A sentence of this kind of mail, or of all kinds."""
        language, own = self.layout.language, f"{self.kind}_{key}"
        return language.say(own if own in language.sentences else f"mail_{key}", **(self.known | values))

    @cached_property
    def known(self) -> dict[str, str | int]:
        """What any sentence may name."""
        return {"brand": self.layout.isolated(self.brand_line), "date": self.date}

    @cached_property
    def date(self) -> str:
        """The day on which the newest part began."""
        entries = self.transcript.entries
        newest = (entry.at_ms for entry in entries if entry.thread == entries[-1].thread)
        return self.layout.time.date(next(newest, self.now_ms))

    @property
    def marker(self) -> str:
        """The line above which an answer is to be written; empty where none can be."""
        return self.say("marker") if self.kind == "away" and self.reply_address else ""

    @cached_property
    def purpose(self) -> list[str]:
        """What the mail is, in a sentence or two."""
        updated = [self.say("updated")] if self.is_update and self.kind == "transcript" else []
        withheld = [] if self.own_words or not self.tells_of_chat else [self.say("withheld")]
        if self.kind == "away":
            return [self.say("purpose", count=max(1, sum(map(self.is_answer, self.entries)))), *withheld]
        if self.kind == "transcript" and any(entry.thread > 1 for entry in self.entries):
            return [*updated, self.say("purpose_parts"), *withheld]
        return [*updated, *(withheld or [self.say("purpose")])]

    def is_answer(self, entry: Entry) -> bool:
        return entry.kind == "message" and entry.seq > self.new_since and entry.by.role != "customer"

    @property
    def last_answer(self) -> int | None:
        """The seq of the last message that is news; None if there is none."""
        return max((entry.seq for entry in self.entries if self.is_answer(entry)), default=None)

    @cached_property
    def facts(self) -> list[str]:
        """When and with whom the chat was, how long it is, and in which zone its times are."""
        if not self.tells_of_chat:
            return []
        say = self.layout.language.say
        people = say("people", names=self.layout.names(self.transcript.people))
        zone = say("zone", zone=self.layout.time.zone_words())
        if self.kind == "away":
            return [people, zone]
        messages = sum(entry.kind == "message" for entry in self.entries)
        return [self.date, people, say("length", count=messages), zone]

    @cached_property
    def link_notes(self) -> list[str]:
        """What stands under the button, or the code."""
        if self.code:
            return [self.say("until")]
        until = self.link_until_ms
        note = self.say("link", date=self.layout.time.date(until)) if until else self.say("link_plain")
        return [note, self.say("reply")] if self.reply_address and self.tells_of_chat else [note]

    @cached_property
    def footer(self) -> list[Note]:
        notes = [Note(self.say("why", recipient=self.layout.isolated(one_line(self.recipient))))]
        if not self.reply_address and self.tells_of_chat:
            notes.append(Note(self.say("no_reply", button=self.say("button"))))
        if self.kind != "confirm":
            notes.append(Note(self.say("report", address=self.layout.isolated(self.from_address))))
        if self.mute_url:
            notes.append(Note(self.say("mute"), self.mute_url))
        if self.privacy_url:
            notes.append(Note(self.say("privacy"), self.privacy_url))
        if self.postal_address:
            notes.append(Note(one_line(self.postal_address)))
        return notes

    @property
    def preheader(self) -> str:
        """What a mailbox shows beside the subject: the beginning of the last thing that an agent said."""
        for entry in reversed(self.entries):
            if entry.kind == "message" and entry.by.role == "agent" and not entry.redacted:
                return " ".join(readable_lines(mask(entry.data["text"])))[:PREHEADER_LETTERS]
        return self.purpose[0]


def around_news(entries: tuple[Entry, ...], new_since: int) -> tuple[Entry, ...]:
    """What is news, and the few messages before it in the same part."""
    earlier = [
        entry.seq
        for entry in entries
        if entry.kind == "message" and entry.seq <= new_since and entry.thread == entries[-1].thread
    ]
    first = earlier[-EARLIER_MESSAGES:][0] if earlier else new_since + 1
    return tuple(entry for entry in entries if entry.seq >= first)
