"""HTML of strangers as plain text: blocks are lines, quotes get `> `. What a mail program has marked as a quote of the
mail that is answered, or as a signature, is left out. Called by `reading.py`; pure.

Only what the reader sees counts: no styles, scripts, comments or hidden elements.
"""

import re
from collections import Counter

from history.mail.receive.html_tokens import End, Start, tokens

UNSEEN = {"head", "script", "style", "title", "template", "object", "noscript"}
VOID = {"br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr"}
BLOCKS = {"address", "article", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer"}
BLOCKS |= {"form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol", "p", "pre"}
BLOCKS |= {"section", "table", "tbody", "tfoot", "thead", "tr", "ul"}
CELLS = {"td", "th"}

LEFT_OUT = re.compile(
    r"gmail_attr|moz-cite-prefix|yahoo_quoted|protonmail_quote"
    r"|gmail_signature|moz-signature|ms-outlook-mobile-signature|protonmail_signature"
)
"""In the class or id of an element: mail programs' own names for quotes, the line above them, and signatures."""

HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
BLANKS = re.compile(r"[ \t\r\n\f\u200b]+")
RULE = "-" * 8
DEEPEST = 500


def text_of_html(html: str) -> tuple[str, bool]:
    """The text, and whether it is all of it: false if a quote or a signature was left out."""
    reader = Reader()
    for token in tokens(html):
        if isinstance(token, Start):
            reader.begin(token)
        elif isinstance(token, End):
            reader.end(token.tag)
        else:
            reader.read(token)
    if reader.line:
        reader.end_line()
    return "\n".join(reader.lines), reader.is_whole


class Reader:
    """Goes through the tags and texts; `lines` is what it has read so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line = ""
        self.is_whole = True
        self.open: list[str] = []
        self.counts: Counter[str] = Counter()
        self.left_out_at: int | None = None
        """How deep the element is that is being left out, with all in it."""
        self.gmail_at: int | None = None
        """How deep the element is that holds Gmail's quotes, and perhaps answers between them."""
        self.link = ""
        self.link_from = 0

    def begin(self, start: Start) -> None:
        tag = start.tag
        if tag in BLOCKS and self.line:
            self.end_line()
        if tag not in VOID and len(self.open) < DEEPEST:
            self.open.append(tag)
            self.counts[tag] += 1
        if self.left_out_at is not None:
            return
        if tag not in VOID and self._is_left_out(tag, start.attributes):
            self.left_out_at = len(self.open)
        elif tag == "br":
            self.end_line()
        elif tag == "hr":
            self.lines.append(RULE)
        elif tag == "li":
            self.line = "- "
        elif tag in CELLS and self.line:
            self.line += " "
        elif tag == "a":
            self.link, self.link_from = start.attributes.get("href", ""), len(self.line)

    def _is_left_out(self, tag: str, given: dict[str, str]) -> bool:
        if tag in UNSEEN or "hidden" in given or HIDDEN.search(given.get("style", "")):
            return True
        names = f"{given.get('class', '')} {given.get('id', '')}"
        in_gmail = "gmail_quote" in names or self.gmail_at is not None
        if (tag == "blockquote" and (in_gmail or given.get("type") == "cite")) or LEFT_OUT.search(names):
            self.lines.append("")
            self.is_whole = False
            return True
        if in_gmail and self.gmail_at is None:
            self.gmail_at = len(self.open)
        return False

    def end(self, tag: str) -> None:
        if not self.counts[tag]:
            return
        if self.left_out_at is None and tag == "a":
            self._end_link()
        if tag in BLOCKS and self.line:
            self.end_line()
        self._close(tag)

    def _close(self, tag: str) -> None:
        """Closes the element, and those in it that nobody has closed."""
        last = ""
        while last != tag:
            last = self.open.pop()
            self.counts[last] -= 1
        if self.left_out_at is not None and len(self.open) < self.left_out_at:
            self.left_out_at = None
        if self.gmail_at is not None and len(self.open) < self.gmail_at:
            self.gmail_at = None

    def _end_link(self) -> None:
        """An address that the reader does not see is written behind its words."""
        said, address = self.line[self.link_from :].strip(), self.link
        self.link = ""
        if address.startswith(("https://", "http://")) and said and address.rstrip("/") not in said:
            self.line += f" ({address})"

    def read(self, data: str) -> None:
        if self.left_out_at is not None:
            return
        if self.counts["pre"]:
            first, *others = data.split("\n")
            self.line += first
            for other in others:
                self.end_line()
                self.line = other
            return
        said = BLANKS.sub(" ", data)
        self.line += said.lstrip(" ") if not self.line or self.line.endswith(" ") else said

    def end_line(self) -> None:
        """A line is done; what stands in an unmarked quote is marked."""
        said = self.line.replace("\xa0", " ").rstrip()
        self.lines.append("> " * self.counts["blockquote"] + said)
        self.line = ""
