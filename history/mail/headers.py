"""Header fields as bytes on the wire (RFC 5322, RFC 2047). Pure; called by `compose.py` with lines of `clean.py`.

What is not short, printable ASCII is encoded whole, so nothing in a text can end a line or pass for something else.
The standard library is not asked, because its folding loses blanks between encoded words.
"""

import base64
from collections.abc import Iterator, Mapping

PLAIN_LETTERS = 60
"""ASCII up to here stays as it is, so that no line is longer than 78; anything else becomes encoded words."""

WORD_BYTES = 45
"""Of text in one encoded word: 72 characters of the 75 allowed."""


def header_block(fields: Mapping[str, str]) -> bytes:
    """The fields, in order, each ended by CRLF; values are made by the functions below, or are plain ASCII, or the
    address of a recipient (RFC 6532)."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


def header_text(text: str) -> str:
    """`text` as the value of an unstructured field such as Subject."""
    return text if is_plain(text) else encoded(text)


def mailbox(name: str, address: str) -> str:
    """`name <address>` with the name quoted or encoded, so that nothing in it has a meaning."""
    if not name:
        return address
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{quoted if is_plain(name) else encoded(name)} <{address}>"


def is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and len(text) <= PLAIN_LETTERS and "=?" not in text


def encoded(text: str) -> str:
    return "\r\n ".join(encoded_words(text))


def encoded_words(text: str) -> Iterator[str]:
    """`text` as encoded words; none of them cuts a character in two."""
    chunk = b""
    for letter in text:
        if len(chunk) + len(letter.encode()) > WORD_BYTES:
            yield encoded_word(chunk)
            chunk = b""
        chunk += letter.encode()
    yield encoded_word(chunk)


def encoded_word(chunk: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(chunk).decode()}?="
