"""HTML as a row of tags and texts, in time that grows with its length only, whatever it looks like: the standard
library's parser takes minutes for a quarter of a megabyte of `<!--`. Called by `html_text.py`; pure.

As in browsers, what is never closed, a comment, a tag or a script, reaches to the end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

TAG = re.compile(r"""<([a-zA-Z][^\s/>]*+)((?:[^>"']|"[^"]*+"|'[^']*+')*+)>""")
ATTRIBUTE = re.compile(r"""([^\s=/"'>]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>]+))?""")
RAW = ("script", "style", "title", "textarea", "xmp", "noembed", "noframes", "iframe")
"""Elements in which nothing but their own end counts."""


@dataclass(frozen=True, slots=True)
class Start:
    tag: str
    source: str
    """The attributes as they are written."""

    @property
    def attributes(self) -> dict[str, str]:
        """Lower-case names and what they stand for."""
        found = ATTRIBUTE.findall(self.source)
        return {name.lower(): unescape(value[1:-1] if value[:1] in "\"'" else value) for name, value in found}


@dataclass(frozen=True, slots=True)
class End:
    tag: str


Token = Start | End | str


def tokens(html: str) -> Iterator[Token]:
    """The tags, and the texts between them, in order."""
    lower, at = html.lower(), 0
    while at < len(html):
        opened = html.find("<", at)
        if opened < 0:
            yield unescape(html[at:])
            return
        if opened > at:
            yield unescape(html[at:opened])
        token, at = tag_at(html, opened)
        if token is not None:
            yield token
        if isinstance(token, Start) and token.tag in RAW:
            end = lower.find(f"</{token.tag}", at)
            at = end if end >= 0 else len(html)


def tag_at(html: str, at: int) -> tuple[Token | None, int]:
    """The tag that begins here, if it counts, and where it ends."""
    following = html[at + 1 : at + 4]
    if following.startswith("!--"):
        return None, past(html, "-->", at + 4)
    if following[:1] in ("!", "?"):
        return None, past(html, ">", at)
    if following[:1] == "/":
        end = past(html, ">", at)
        name = html[at + 2 : end - 1].split(maxsplit=1)
        return (End(name[0].lower()) if name else None), end
    if not following[:1].isalpha():
        return "<", at + 1
    tag = TAG.match(html, at)
    return (Start(tag[1].lower(), tag[2]), tag.end()) if tag else (None, len(html))


def past(html: str, mark: str, at: int) -> int:
    found = html.find(mark, at)
    return found + len(mark) if found >= 0 else len(html)
