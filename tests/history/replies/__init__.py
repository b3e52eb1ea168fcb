"""Answers as people's mail programs write them, each with what its writer has said. Written for these tests.

A case is `#### name`, what was said, `----`, and the mail's text, or its HTML where the name begins with `html:`. `@q`
stands for our mail as a marked quote, `@p` without marks, `@i` indented, `@h` as HTML; a word behind it names which
of `ours.txt`. `{B}` is our name, `{A}` our address, `{R}` a reply address.

`tuned` was looked at while the cutter was made; `heldout` was written before it, and only judges it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
BRAND, ADDRESS = "Marlow & Finch", "chat@marlow.example"
REPLY_ADDRESS = "r+{token}@reply.marlow.example"
WORDS = {"{B}": BRAND, "{A}": ADDRESS, "{R}": REPLY_ADDRESS.format(token="abcde23456" * 2 + "kk7xyz")}
MARKER = "write your answer above this line"

CASE = re.compile(r"^#### (.*)\n", re.MULTILINE)
QUOTE = re.compile(r"@([qpih])(a|(?: \w+)?)$", re.MULTILINE)
ESCAPE = re.compile(r"\\u([0-9a-f]{4})")


@dataclass(frozen=True)
class Reply:
    name: str
    said: str
    text: str

    @property
    def is_html(self) -> bool:
        return self.name.startswith("html:")


def filled(text: str) -> str:
    for place, word in WORDS.items():
        text = text.replace(place, word)
    return ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def sections(file: Path) -> Iterator[tuple[str, str]]:
    _, *parts = CASE.split(file.read_text())
    return zip(parts[::2], map(filled, parts[1::2]), strict=True)


OURS = {name: text.strip() for name, text in sections(FOLDER / "ours.txt")}


def quoted(match: re.Match[str]) -> str:
    which = {"": "en", "a": "away"}.get(match[2], match[2].strip())
    mark = {"q": "> ", "p": "", "i": "    "}[match[1]]
    return "\n".join((mark + line).rstrip() for line in OURS[which].split("\n"))


def replies(part: str) -> list[Reply]:
    """The cases of `tuned` or `heldout`."""
    return [reply_of(name, body) for file in sorted((FOLDER / part).glob("*.txt")) for name, body in sections(file)]


def reply_of(name: str, body: str) -> Reply:
    said, text = f"\n{body}".split("\n----\n", 1)
    text = text.replace("@h", OURS["html"]) if name.startswith("html:") else QUOTE.sub(quoted, text)
    return Reply(name, said.strip(), text)
