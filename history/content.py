"""What people may put into a chat, checked at the doors before anything is queued. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from history.errors import Invalid, TooBig
from history.events import canonical
from history.models import PUBLIC, STREAM_NAMES

TEXT_BYTES = 16 * 1024
"""The longest text of a message, in UTF-8 bytes."""

NAME_LETTERS = 120
SUBJECT_LETTERS = 200
PAGE_LETTERS = 500

MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{16,36}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def check_message_id(value: Any) -> str:
    """A message id: 16 to 36 characters of A-Z a-z 0-9 _ - (protocol 3.1). Raises Invalid."""
    if not isinstance(value, str) or not MESSAGE_ID.fullmatch(value):
        raise Invalid("`id` must be 16 to 36 characters of A-Z a-z 0-9 _ -")
    return value


def check_optional_id(value: Any) -> str | None:
    """`prev`: a message id, or null for a sender's first message in a tab."""
    return None if value is None else check_message_id(value)


def check_message(data: Any, *, note: bool = False) -> str:
    """The data of a message or a note, as canonical JSON. Raises Invalid or TooBig, naming the field."""
    if not isinstance(data, dict):
        raise Invalid("`data` must be an object with a `text`")
    text = data.get("text")
    if not isinstance(text, str) or not text.strip():
        raise Invalid("`data.text` must be a text that is not blank")
    kept: dict[str, Any] = {"text": text}
    if data.get("attachments"):
        raise Invalid("`data.attachments` names files that were not uploaded to this chat")
    for key in ("reply_to", "after") if note else ("reply_to",):
        if data.get(key) is not None:
            kept[key] = check_seq(data[key], f"data.{key}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise Invalid("`data.text` is not valid Unicode") from error
    if size > TEXT_BYTES:
        raise TooBig(f"`data.text` is {size} bytes long; at most {TEXT_BYTES} are taken")
    return canonical(kept)


def check_seq(value: Any, name: str) -> int:
    """The number of an event: a whole number from 0 up. Raises Invalid."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise Invalid(f"`{name}` must be the number of an event")
    return value


def check_stream(value: Any) -> int:
    """The number of a stream, from its name; the public one if there is no name. Raises Invalid."""
    if value is None:
        return PUBLIC
    if value not in STREAM_NAMES:
        raise Invalid("`stream` must be public or internal")
    return STREAM_NAMES.index(value)


def check_line(value: Any, name: str, letters: int) -> str:
    """One line of plain text, such as a name: trimmed, without control or direction characters. Raises Invalid."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"`{name}` must be a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"`{name}` is not valid Unicode") from error
    line = " ".join(CONTROL.sub(" ", value).split())
    if len(line) > letters:
        raise Invalid(f"`{name}` is longer than {letters} characters")
    return line


def check_action(body: Mapping[str, Any]) -> tuple[str, str, dict[str, Any], int | None]:
    """id, action, data and `expect_rev` of an act, from a frame or a request's body. Raises Invalid."""
    action, data, expect_rev = body.get("action"), body.get("data"), body.get("expect_rev")
    if not isinstance(action, str):
        raise Invalid("`action` must be a word")
    if data is not None and not isinstance(data, dict):
        raise Invalid("`data` must be an object")
    if expect_rev is not None:
        expect_rev = check_seq(expect_rev, "expect_rev")
    return check_message_id(body.get("id")), action, data or {}, expect_rev
