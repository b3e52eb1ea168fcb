"""The parts of a mail as bytes (RFC 2045, 2046, 2183). Pure; called by `compose.py`.

The standard library is not asked: it makes an object of every header field, which takes longer than all else in a mail.
Nothing here holds words of strangers but the encoded texts, in which no line can pass for a boundary.
"""

import base64
import quopri
import re
from collections.abc import Sequence

FROM = re.compile(rb"^From ", re.MULTILINE)
"""What some servers on the way write a `>` before (RFC 4155)."""


def text_entity(text: str, subtype: str, file_name: str = "") -> bytes:
    """`text` as a part, in the shorter encoding; with a plain ASCII `file_name` as an attached file."""
    encoding, content = shorter_encoding(text)
    fields = [f'Content-Type: text/{subtype}; charset="utf-8"', f"Content-Transfer-Encoding: {encoding}"]
    if file_name:
        fields.append(f'Content-Disposition: attachment; filename="{file_name}"')
    return "\r\n".join([*fields, "", ""]).encode() + content.replace(b"\n", b"\r\n")


def multipart(kind: str, boundary: str, entities: Sequence[bytes]) -> bytes:
    """The entities as one. Its boundary is to have `=_` in it, which neither encoding can make (RFC 2045 6.7)."""
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    line = b"--" + boundary.encode()
    return head + b"".join(line + b"\r\n" + entity + b"\r\n" for entity in entities) + line + b"--\r\n"


def shorter_encoding(text: str) -> tuple[str, bytes]:
    """Name and result of the content transfer encoding that makes `text` shorter; its lines end with LF."""
    plain = text.encode()
    printable, based = quoted_printable(plain), base64.encodebytes(plain)
    return ("quoted-printable", printable) if len(printable) <= len(based) else ("base64", based)


def quoted_printable(plain: bytes) -> bytes:
    """No line of it begins with `From ` or is a lone dot."""
    return FROM.sub(rb"From=\n ", quopri.encodestring(plain))
