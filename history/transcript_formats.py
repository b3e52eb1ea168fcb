"""A transcript as text, as a page to print, and as JSON that proves itself. Pure; for routes and mail."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from history.clean import one_line
from history.local_time import local_time
from history.masking import mask, mask_data
from history.rendering import environment
from history.sentences import language_of
from history.times import rfc3339
from history.transcript import Entry, Transcript
from history.transcript_layout import Block, Heading, Layout, Line, Omitted, Turn

FORMAT = "stillhere.transcript.v1"
RULE = "─" * 8

TEMPLATES = environment(Path(__file__).parent / "templates")


def as_text(transcript: Transcript, brand: str, locale: str, time_zone: str) -> str:
    """The transcript to read anywhere; times in the IANA zone, dates as the locale writes them."""
    layout = Layout(local_time(language_of(locale), time_zone))
    say = layout.language.say
    facts = [
        say("title", brand=one_line(brand)),
        say("people", names=layout.names(transcript.people)),
        say("zone", zone=layout.time.zone_words()),
    ]
    body = text_of(layout, layout.blocks(transcript.entries)) or say("empty")
    return "\n".join(facts) + "\n\n" + body + "\n"


def as_html(transcript: Transcript, brand: str, locale: str, time_zone: str) -> str:
    """A complete page, to read and to print; it loads nothing and runs nothing."""
    layout = Layout(local_time(language_of(locale), time_zone))
    return TEMPLATES.get_template("transcript.html").render(
        language=layout.language,
        say=layout.language.say,
        brand=one_line(brand),
        names=layout.names(transcript.people),
        zone=layout.time.zone_words(),
        blocks=layout.blocks(transcript.entries),
    )


def as_json(transcript: Transcript) -> str:
    """The record itself, for `verify.py`: every event with its salt and the digest of what was written. Where that is
    masked, the event is marked as `masked`; the chain holds, as after a redaction.
    """
    return orjson.dumps(document(transcript), option=orjson.OPT_INDENT_2).decode()


def document(transcript: Transcript) -> dict[str, Any]:
    """The JSON transcript as an object. `previous` is the hash before its first event."""
    return {
        "format": FORMAT,
        "chat": transcript.chat_id,
        "thread": transcript.thread,
        "customer": mask(transcript.customer),
        "participants": [
            {"id": person.id, "role": person.role, "name": mask(person.name)} for person in transcript.people
        ],
        "previous": transcript.previous,
        "hash": transcript.entries[-1].hash if transcript.entries else transcript.previous,
        "events": [event_object(entry) for entry in transcript.entries],
    }


def event_object(entry: Entry) -> dict[str, Any]:
    """An event (protocol 3.2) with what its hash is made of (3.3)."""
    data = mask_data(dict(entry.data))
    return {
        "seq": entry.seq,
        "hash": entry.hash,
        "kind": entry.kind,
        "by": entry.by.id,
        "id": entry.id,
        "thread": entry.thread,
        "at": rfc3339(entry.at_ms),
        "data": data,
        **({} if data == entry.data else {"masked": True}),
        "digest": entry.digest,
        "salt": entry.salt,
    }


def text_of(layout: Layout, blocks: Sequence[Block]) -> str:
    """Blocks as plain text. Lines of messages are indented, so that none can pass for a heading."""
    return "\n\n".join(text_of_block(layout, block) for block in blocks)


def text_of_block(layout: Layout, block: Block) -> str:
    comma = layout.language.say("comma")
    match block:
        case Heading():
            return f"{RULE} {block.text} {RULE}"
        case Line():
            return f"· {block.text}{comma}{block.clock}" if block.clock else f"· {block.text}"
        case Omitted():
            return f"· {block.text}"
        case Turn():
            said = (f"  {line}".rstrip() for one in block.said for line in one.lines)
            return "\n".join([f"{layout.isolated(block.who)}{comma}{block.clock}", *said])
