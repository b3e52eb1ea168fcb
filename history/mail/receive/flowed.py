"""Text whose lines flow (RFC 3676) as text with whole paragraphs. Called by `reading.py`; pure."""

import re

QUOTE_MARKS = re.compile(r"^(>*)( ?)(.*)$")


def unflow(text: str, *, del_sp: bool) -> str:
    """Joins lines that end in a blank with the next of the same quote depth; with `del_sp` that blank goes away.

    The line before a signature, `-- `, never flows. Marks of quotes come back as `> `.
    """
    lines: list[str] = []
    depth_before, flows = -1, False
    for line in text.split("\n"):
        marks, said = split(line)
        if flows and len(marks) == depth_before and said != "-- ":
            lines[-1] += said
        else:
            lines.append(f"{marks} {said}" if marks else said)
        depth_before, flows = len(marks), said.endswith(" ") and said != "-- "
        if flows and del_sp:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def split(line: str) -> tuple[str, str]:
    """The quote marks of a line, and what it says without the blank that was stuffed in."""
    match = QUOTE_MARKS.match(line)
    return (match[1], match[3]) if match else ("", line)
