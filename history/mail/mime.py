"""The parts of a mail as bytes (RFC 2045, 2046, 2183). Pure; called by `compose.py`.

The standard library is not asked: it makes an object of every header field, which takes longer than all else in a mail.
Nothing here holds words of strangers but the encoded texts, in which no line can pass for a boundary.
"""

import base64
import quopri
import re
from collections.abc import Sequence
from typing import NamedTuple

FROM = re.compile(rb"^From ", re.MULTILINE)
"""What some servers on the way write a `>` before (RFC 4155)."""

BASE64_LINE = 76


class Encoded(NamedTuple):
    """A text as it travels: the name of its content transfer encoding, and its lines, ended by LF."""

    encoding: str
    content: bytes


def text_entity(text: Encoded, subtype: str, file_name: str = "") -> bytes:
    """A text as a part; with a plain ASCII `file_name` as an attached file."""
    fields = [f'Content-Type: text/{subtype}; charset="utf-8"', f"Content-Transfer-Encoding: {text.encoding}"]
    if file_name:
        fields.append(f'Content-Disposition: attachment; filename="{file_name}"')
    return "\r\n".join([*fields, "", ""]).encode() + text.content.replace(b"\n", b"\r\n")


def multipart(kind: str, boundary: str, entities: Sequence[bytes]) -> bytes:
    """The entities as one. Its boundary is to have `=_` in it, which neither encoding can make (RFC 2045 6.7)."""
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    line = b"--" + boundary.encode()
    return head + b"".join(line + b"\r\n" + entity + b"\r\n" for entity in entities) + line + b"--\r\n"


def encoded(text: str) -> Encoded:
    """`text` in the encoding that makes it shorter."""
    plain = text.encode()
    printable = quoted_printable(plain)
    if len(printable) <= base64_bytes(len(plain)):
        return Encoded("quoted-printable", printable)
    return Encoded("base64", base64.encodebytes(plain))


def base64_bytes(length: int) -> int:
    """How long so many bytes are as lines of base64."""
    letters = -(-length // 3) * 4
    return letters + -(-letters // BASE64_LINE)


def quoted_printable(plain: bytes) -> bytes:
    """No line of it begins with `From ` or is a lone dot."""
    printable = quopri.encodestring(plain)
    return FROM.sub(rb"From=\n ", printable) if b"From " in printable else printable
