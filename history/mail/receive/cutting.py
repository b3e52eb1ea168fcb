"""What is new in an answer: the mail that is answered, which programs quote in a hundred ways and languages, is cut
off, signatures are folded away. Called by `receiver.py`; pure. Whoever cuts shows that something was cut.

No language is known here. A quote is known by what is ours in it: one of our addresses, our name, the address of our
links, or the line above which answers are to be written. It is then one of these:

    marked    lines with `>`, and the line above them with our name and a time; words below and between them stay
    headed    a block of lines such as `From: …`, one of them with our name; all below it is history
    opened    a line with our name, a date and a time, and a colon at its end; all below it is history
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from history.clean import BIDI_CONTROLS
from history.mail.addresses import TOKEN_PLACE
from history.mail.receive.phone_lines import is_phone_line

QUOTED = re.compile(r"^\s{0,2}>")
UNSEEN = re.compile(f"[{BIDI_CONTROLS}\u200b\u200c\ufeff*]|&nbsp;")
CLOCK = re.compile(r"\d{1,2}[:.]\d{2}")
LABELLED = re.compile(r"^[^\s:<>@\d][^:<>@\d]{0,30}:(?!//)")
ENDS_OPENING = re.compile(r"(?::|-{2,})$")
RULE = re.compile(r"^\W*[-_=\u2013\u2014\u2500]{4}")
SIGNATURE = re.compile(r"^--\s?$")

MOST_OPENING_LINES = 3
FEWEST_HEADERS, MOST_HEADERS = 3, 5
"""Among so many, the header with our name is found."""

FEWEST_DIGITS = 6
"""A day, a year or a month, and a time, without which a line that names us is somebody's own."""


@dataclass(frozen=True, slots=True)
class Ours:
    """By what quotes of our mails are known, in lines as `plain` makes them."""

    known: re.Pattern[str]
    """Finds one of our addresses or names."""
    markers: frozenset[str]
    """The lines above which answers are to be written."""

    def stands_in(self, line: str) -> bool:
        """Whether a plain line names us."""
        return self.known.search(line) is not None


def ours(addresses: Iterable[str], names: Iterable[str], markers: Iterable[str] = ()) -> Ours:
    """From what people write. An address may have `{token}` in it, which stands for any token."""
    known = [re.escape(plain(said)) for said in (*addresses, *names) if plain(said)]
    any_of = "|".join(known).replace(re.escape(TOKEN_PLACE), "[a-z2-7]+")
    return Ours(
        re.compile(rf"(?<![\w.+-])(?:{any_of})(?!\w|[.-]\w)" if known else r"(?!)"), frozenset(map(plain, markers))
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """What is new. `is_whole` is false if anything was taken away."""

    text: str
    is_whole: bool


def cut(text: str, ours: Ours) -> Cut:
    """The words of whoever answered."""
    lines = text.split("\n")
    plains = [plain(line) for line in lines]
    kept = kept_lines(plains, ours)
    segments = [without_signature([lines[at] for at in segment]) for segment in in_a_row(kept)]
    said = "\n\n".join(filter(None, map(tidy, segments)))
    return Cut(said, letters(said) == letters(text))


def plain(line: str) -> str:
    """A line for comparing: without what cannot be seen, stars, and the differences between wide and narrow signs."""
    seen = UNSEEN.sub("", unicodedata.normalize("NFKC", line))
    return " ".join(seen.split()).casefold()


def letters(text: str) -> str:
    return "".join(text.split())


def kept_lines(plains: list[str], ours: Ours) -> list[int]:
    """The numbers of the lines that are not history."""
    end = next((at for at in range(len(plains)) if begins_history(plains, at, ours)), len(plains))
    end = without_rule(plains, end)
    history = marked_history(plains[:end], ours)
    return [at for at in range(end) if at not in history]


def begins_history(plains: list[str], at: int, ours: Ours) -> bool:
    """Whether all from this line on is a quote without marks."""
    line = plains[at]
    if not line or QUOTED.match(line):
        return False
    return line in ours.markers or heads_history(plains, at, ours) or opens_history(plains, at, ours)


def heads_history(plains: list[str], at: int, ours: Ours) -> bool:
    """Whether a block of header lines begins here, one of which names us."""
    if not LABELLED.match(plains[at]):
        return False
    block = list(takewhile(LABELLED.match, plains[at : at + MOST_HEADERS]))
    return len(block) >= FEWEST_HEADERS and any(map(ours.stands_in, block))


def opens_history(plains: list[str], at: int, ours: Ours) -> bool:
    """Whether this line, perhaps with the next ones, tells when we wrote, and no marked lines follow."""
    for count in range(1, MOST_OPENING_LINES + 1):
        said = plains[at : at + count]
        if not all(said) or len(said) < count or any(map(QUOTED.match, said[1:])):
            return False
        if ENDS_OPENING.search(said[-1]):
            following = next((plains[one] for one in range(at + count, len(plains)) if plains[one]), "")
            return is_opening(" ".join(said), ours) and not QUOTED.match(following)
    return False


def is_opening(said: str, ours: Ours) -> bool:
    return ours.stands_in(said) and bool(CLOCK.search(said)) and sum(map(str.isdigit, said)) >= FEWEST_DIGITS


def without_rule(plains: list[str], at: int) -> int:
    """Where the history that begins here begins when the rule above it is taken for a part of it."""
    above = at
    while above and not plains[above - 1]:
        above -= 1
    return above - 1 if at < len(plains) and above and RULE.match(plains[above - 1]) else at


def marked_history(plains: list[str], ours: Ours) -> set[int]:
    """The numbers of marked lines that quote us, and of those above that introduce them. Once we were quoted, any
    marked line is a quote of the same mail."""
    history: set[int] = set()
    for block in in_a_row([at for at, line in enumerate(plains) if QUOTED.match(line)]):
        introduction = introduced_by(plains, block[0], ours)
        if history or introduction or any(quotes_us(plains[at], ours) for at in block):
            first = introduction[0] if introduction else block[0]
            history.update(range(without_rule(plains, first), block[-1] + 1))
    return history


def quotes_us(line: str, ours: Ours) -> bool:
    return ours.stands_in(line) or line.lstrip("> ") in ours.markers


def introduced_by(plains: list[str], at: int, ours: Ours) -> range:
    """The lines right above `at` that tell who wrote what follows, if that was us; up to one with a time if there is
    one."""
    last = at
    while last and not plains[last - 1]:
        last -= 1
    found = range(0)
    for first in range(last - 1, max(-1, last - 1 - MOST_OPENING_LINES), -1):
        if not plains[first] or QUOTED.match(plains[first]):
            break
        said = " ".join(plains[first:last])
        if ours.stands_in(said):
            if CLOCK.search(said):
                return range(first, last)
            if not found and ENDS_OPENING.search(said):
                found = range(first, last)
    return found


def in_a_row(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Numbers that follow one another, as lists."""
    row: list[int] = []
    for number in numbers:
        if row and number != row[-1] + 1:
            yield row
            row = []
        row.append(number)
    if row:
        yield row


def without_signature(lines: list[str]) -> list[str]:
    """The lines up to a signature, unless there is nothing else."""
    at = next((at for at, line in enumerate(lines) if SIGNATURE.match(line)), len(lines))
    above = lines[:at] if any(line.strip() for line in lines[:at]) else lines
    while above and not above[-1].strip():
        above = above[:-1]
    alone = len(above) > 1 and not above[-2].strip()
    return above[:-1] if alone and is_phone_line(above[-1]) else above


def tidy(lines: list[str]) -> str:
    """The lines without blanks at their ends and around them, at most one empty line in a row."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()
