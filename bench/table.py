"""The one table: rows as values, printed aligned for a terminal or as Markdown for the README."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("what", "figure", "reference", "ratio", "goal", "ok")


@dataclass(frozen=True)
class Row:
    """One measured thing. `ok` is None where no goal is set; `is_correctness` rows decide the exit code."""

    what: str
    figure: str
    reference: str = ""
    ratio: float | None = None
    goal: str = ""
    ok: bool | None = None
    is_correctness: bool = False

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        ok = "" if self.ok is None else "yes" if self.ok else "NO"
        return (self.what, self.figure, self.reference, ratio, self.goal, ok)


def as_text(rows: Sequence[Row]) -> str:
    """Aligned columns."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([text[0], "-" * max(map(len, text)), *text[1:]])


def as_markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def is_correct(rows: Sequence[Row]) -> bool:
    """Whether nothing was lost, doubled or left out; goals of time do not count."""
    return all(row.ok for row in rows if row.is_correctness)
