"""A transcript as a PDF, drawn by typst, which the extra `pdf` brings. For the route; never part of a mail.

All that people wrote reaches the template as JSON texts, which typst shows and never reads as its own language. Which
way a line runs is decided here (UAX 9, P2 and P3), because typst would take it from the document.
"""

import logging
import re
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from history.clean import direction_of, one_line
from history.errors import Busy, Invalid, TooBig
from history.local_time import local_time
from history.sentences import language_of
from history.transcript import Transcript
from history.transcript_layout import Block, Heading, Layout, Line, Omitted, Turn

if TYPE_CHECKING:
    import typst

TEMPLATE = (Path(__file__).parent / "templates" / "transcript.typ").read_bytes()

MOST_ENTRIES = 3000
"""These take five seconds of a core and 200 MB; more would be a way to keep the server busy."""

PATIENCE_SECONDS = 10
"""How long a request waits for the PDF before it: one is drawn at a time."""

ACCESSIBLE = "ua-1"
"""PDF/UA-1 (ISO 14289): can be read aloud, and every sign in it is drawn by a font."""

ENDLESS = re.compile(r"[^\s\u2e80-\uffef]{48}")
"""So much without a place to break the line; Chinese and Japanese may break it anywhere."""

NOT_DRAWN = re.compile(r"the text `\"(.+?)\"` could not be displayed", re.DOTALL)

DRAWING = threading.Lock()

log = logging.getLogger("stillhere.pdf")


def as_pdf(transcript: Transcript, brand: str, locale: str, time_zone: str) -> bytes:
    """The transcript as a PDF. Where fonts are missing it says so on its first page, and in the log.

    Raises Invalid if this server cannot make any, TooBig for a transcript that is too long, Busy while others wait.
    """
    if len(transcript.entries) > MOST_ENTRIES:
        raise TooBig(f"A PDF holds {MOST_ENTRIES} entries at the most; ask for one `thread`, or for text or html")
    layout = Layout(local_time(language_of(locale), time_zone))
    content = document_of(transcript, one_line(brand), layout)
    typst = engine()
    made_ms = transcript.entries[-1].at_ms if transcript.entries else 0
    try:
        return draw(content, made_ms, [ACCESSIBLE])
    except typst.TypstError as error:
        not_drawn = NOT_DRAWN.search(str(error))
        if not_drawn is None:
            raise
    log.warning("no font draws %r in a PDF; Debian has fonts-noto-core, -cjk and -color-emoji", not_drawn[1])
    return draw({**content, "note": layout.language.say("pdf_fonts")}, made_ms, [])


def engine() -> Any:
    """The module typst. Raises Invalid without it."""
    try:
        import typst
    except ImportError as error:
        raise Invalid("This server makes no PDF; text and html it has. Operators add it by the extra `pdf`") from error
    return typst


@cache
def fonts() -> "typst.Fonts":
    """The fonts of this machine, which are looked for once."""
    found: typst.Fonts = engine().Fonts()
    return found


def draw(content: dict[str, Any], made_ms: int, standards: list[str]) -> bytes:
    if not DRAWING.acquire(timeout=PATIENCE_SECONDS):
        raise Busy("Other PDFs are being made; please try again")
    try:
        compiler = engine().Compiler(TEMPLATE, font_paths=fonts(), ignore_system_fonts=True)
        drawn: bytes = compiler.compile(
            format="pdf",
            sys_inputs={"content": orjson.dumps(content).decode()},
            timestamp=made_ms // 1000,
            pdf_standards=standards,
        )
    finally:
        DRAWING.release()
    return drawn


def document_of(transcript: Transcript, brand: str, layout: Layout) -> dict[str, Any]:
    """What the template shows."""
    say = layout.language.say
    return {
        "lang": layout.language.code,
        "dir": layout.language.direction,
        "title": say("title", brand=layout.isolated(brand)),
        "note": "",
        "facts": [
            say("people", names=layout.names(transcript.people)),
            say("zone", zone=layout.time.zone_words()),
        ],
        "blocks": [block_object(block, layout) for block in layout.blocks(transcript.entries)],
    }


def block_object(block: Block, layout: Layout) -> dict[str, Any]:
    match block:
        case Heading():
            return {"type": "heading", "text": block.text, "is_part": block.is_part}
        case Line():
            comma = layout.language.say("comma") if block.clock else ""
            return {"type": "line", "text": block.text + comma + block.clock}
        case Omitted():
            return {"type": "line", "text": block.text}
        case Turn():
            said = [
                {
                    "absent": one.is_absent,
                    "lines": [
                        {"text": breakable(line), "dir": direction_of(line, layout.language.direction)}
                        for line in one.lines
                    ],
                }
                for one in block.said
            ]
            who = layout.isolated(block.who)
            return {"type": "turn", "who": who, "clock": block.clock, "own": block.of_customer, "said": said}


def breakable(line: str) -> str:
    """`line` with places to break words that would run out of the page."""
    return ENDLESS.sub(lambda run: run[0] + "\u200b", line)
