"""Made mails of every kind and language, in a made chat: for the preview, for tests and for measurements. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from history.mail.letter import Letter
from history.times import DAY_MS, MINUTE_MS, SECOND_MS
from history.transcript import Entry, Person, Transcript

FILE = Path(__file__).parent / "samples.toml"

BEGIN_MS = int(datetime(2026, 11, 22, 21, 42, tzinfo=UTC).timestamp()) * SECOND_MS
LINK = "https://chat.example.com/link#Vq3bW0yqk2m5bS8nYk0c1o6Qf3r7Tz9uXw4eAi1LdHg"

AFTERWARDS = 2
"""How much happens after the last word: it is rated and closed, which an away mail does not live to see."""

SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "transcript": {},
    "updated": {"is_update": True},
    "away": {"kind": "away", "new_since": 8, "mute_url": "https://chat.example.com/mute/Jm5zR2tYb0x1"},
    "copy": {"kind": "copy"},
    "unproven": {"own_words": False},
    "confirm": {"kind": "confirm", "reply_address": "", "references": ()},
    "code": {"kind": "code", "code": "k7pm-3vqx", "resume_url": "", "reply_address": "", "references": ()},
}
"""What is different in a sample, by its name."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A made chat of one language."""

    locale: str
    time_zone: str
    customer: str
    agent: str
    turns: list[tuple[str, int, str]]


@cache
def chats() -> Mapping[str, Chat]:
    """The made chats, by the code of their language."""
    return {code: Chat(**chat) for code, chat in tomllib.loads(FILE.read_text(encoding="utf-8")).items()}


def sample(name: str, code: str) -> Letter:
    """The sample of that name (of SAMPLES) in a language (of `chats`)."""
    chat = chats()[code]
    transcript = transcript_of(chat)
    letter = Letter(
        transcript=transcript,
        recipient="alex@example.org",
        resume_url=LINK,
        link_until_ms=BEGIN_MS + 30 * DAY_MS,
        brand="Marlow & Finch",
        from_address="chat@example.com",
        message_id=f"<{name}.{code}.5f3a9c1d2b7e4a60c8d1@example.com>",
        locale=chat.locale,
        time_zone=chat.time_zone,
        now_ms=BEGIN_MS + 60 * MINUTE_MS,
        reply_address="r+k3v9mh2q8zt4c7w1x5ypbnjdae@reply.example.com",
        references=("<chat.7c1e5b9a3f2d8e60b4a1@example.com>",),
        postal_address="Marlow & Finch, 12 Mill Lane, Bath BA1 1AA",
        privacy_url="https://www.example.com/privacy",
    )
    if name == "away":
        entries = transcript.entries[:-AFTERWARDS]
        letter = replace(letter, transcript=replace(transcript, head=len(entries), entries=entries))
    return replace(letter, **SAMPLES[name])


def transcript_of(chat: Chat) -> Transcript:
    customer = Person("p_customer", "customer", chat.customer)
    people = {
        "customer": customer,
        "bot": Person("p_bot", "bot", "Finch"),
        "agent": Person("p_agent", "agent", chat.agent),
    }
    entries: list[Entry] = []
    at_ms = BEGIN_MS

    def add(by: Person, kind: str, **data: Any) -> None:
        seq = len(entries) + 1
        entries.append(Entry(seq, kind, f"sample-{seq:010}", by, 1, at_ms, data, "", "", ""))

    for who, minutes, text in chat.turns:
        at_ms += minutes * MINUTE_MS
        if who == "agent" and not any(entry.by.role == "agent" for entry in entries):
            add(people["agent"], "join", participant={"id": "p_agent", "role": "agent", "name": chat.agent})
        add(people[who], "message", text=text)
    add(customer, "rating", score=5)
    add(people["agent"], "close", reason="agent", by_name=chat.agent)
    return Transcript("sample", None, chat.customer, tuple(people.values()), "", len(entries), tuple(entries))
