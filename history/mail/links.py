"""Addresses of pages in a mail: the only way into an `href`, and those in what the team wrote. Pure; for templates.

Words of customers are never linked. A link shows all of its address, and its host in ASCII, so that no letter that
looks like another one can hide where it leads.
"""

import re
from urllib.parse import SplitResult, urlsplit

from markupsafe import Markup, escape

from history.errors import Invalid

ADDRESS = re.compile(r"https?://[^\s<>\"'`\u2066-\u2069]+", re.IGNORECASE)
TRAILING = ".,;:!?)]}»”’…"  # noqa: RUF001
"""What ends the sentence rather than the address."""


def web_address(url: str) -> str:
    """`url`, which must be one of http or https. Raises Invalid: nothing else gets into a mail as a link."""
    if not is_plain(url):
        raise Invalid("A link in a mail must begin with https:// or http://")
    return url


def is_plain(url: str) -> bool:
    """Whether it is the address of a page, with nothing before its host that could be taken for one."""
    parts = split(url)
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def linked(line: str) -> Markup:
    """A line of the team's, escaped, with its addresses as links."""
    shown, end = Markup(), 0
    for found in ADDRESS.finditer(line):
        url = found[0].rstrip(TRAILING)
        if is_plain(url):
            shown += escape(line[end : found.start()]) + link(url)
            end = found.start() + len(url)
    return shown + escape(line[end:])


def link(url: str) -> Markup:
    """The link to a page, or the address as plain text if its host cannot be written in ASCII."""
    parts = urlsplit(url)
    try:
        host = parts.netloc.encode("idna").decode() if not parts.netloc.isascii() else parts.netloc
    except UnicodeError:
        return escape(url)
    address = parts._replace(netloc=host).geturl()
    return Markup('<a class="brand" href="{0}" style="color:#1f6f5c">{0}</a>').format(address)
