"""Text of strangers made harmless: for one line, for a header, for reading. Pure; used by all renderings."""

import re
import unicodedata

LINE_LIMIT = 120
"""Characters of a name or subject; longer ones are cut."""

BIDI_CONTROLS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
CONTROLS = "\x00-\x1f\x7f-\x9f"
NOT_IN_A_LINE = re.compile(f"[{CONTROLS}{BIDI_CONTROLS}\u2028\u2029\ud800-\udfff]+")
NOT_IN_A_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]+")


def one_line(text: str) -> str:
    """`text` as one line: NFC, without controls, bidi controls and lone surrogates, cut at LINE_LIMIT."""
    plain = unicodedata.normalize("NFC", NOT_IN_A_LINE.sub(" ", text))
    return " ".join(plain.split())[:LINE_LIMIT].rstrip()


def readable_lines(text: str) -> tuple[str, ...]:
    """The lines of a message, whatever breaks them, without controls."""
    return tuple(line.rstrip() for line in NOT_IN_A_TEXT.sub("", text).strip().splitlines())


def isolated(text: str, direction: str) -> str:
    """`text` so that it does not turn a sentence that runs in `direction` (ltr or rtl) around it, if it has letters
    that run the other way (FSI and PDI, UAX 9).
    """
    other = {"R", "AL"} if direction == "ltr" else {"L", "EN"}
    turns = any(unicodedata.bidirectional(sign) in other for sign in text)
    return f"\u2068{text}\u2069" if turns else text


def direction_of(text: str, otherwise: str) -> str:
    """Which way a line runs by its first letter that says so (UAX 9, P2 and P3): ltr or rtl."""
    for sign in text:
        kind = unicodedata.bidirectional(sign)
        if kind in {"L", "R", "AL"}:
            return "ltr" if kind == "L" else "rtl"
    return otherwise
