"""The pages of our mails before judges that are not ours: whether their HTML is well formed, and what mail programs do
not know of it.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from history.mail.compose import html_part
from tests.history.letters import LETTERS
from tests.node import ask_judge
from tests.set_up import TIDY, wanted

ENHANCEMENTS = {
    "<bdi> element",
    "<body> element",
    "<style> element",
    "@media",
    "Class selector",
    "border-radius",
    "color-scheme CSS property",
    "color-scheme meta tag",
    "display:none",
    "max-height property",
    "overflow",
    "overflow-wrap",
    "role attribute",
    "system-ui, ui-serif, ui-sans-serif, ui-rounded, ui-monospace",
    "table-layout",
    "word-break",
}
"""What some mail programs do not know, and a mail reads well without."""


LAYOUT = {'Warning: <td> attribute "align" not allowed for HTML5'}
"""By which mail programs lay out, though pages have styles for it."""


def judged(folder: Path, pages: Mapping[str, str]) -> dict[str, Any]:
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return ask_judge("check_html.mjs", *(folder / f"{name}.html" for name in pages))


def tidied(page: str) -> set[str]:
    """What tidy finds in a page, without the places."""
    command = [wanted(TIDY), "-quiet", "-errors", "-utf8"]
    run = subprocess.run(command, input=page, capture_output=True, text=True, encoding="utf-8", timeout=60)
    return {line.partition(" - ")[2] for line in run.stderr.splitlines()}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    return judged(tmp_path_factory.mktemp("pages"), {name: html_part(letter)[0] for name, letter in LETTERS.items()})


@pytest.mark.parametrize("name", LETTERS)
def test_the_html_is_well_formed_and_needs_nothing_that_mail_programs_lack(
    name: str, verdicts: Mapping[str, Any]
) -> None:
    assert verdicts[name]["faults"] == []
    assert set(verdicts[name]["unknown"]) <= ENHANCEMENTS


@pytest.mark.parametrize("name", LETTERS)
def test_tidy_finds_nothing_to_tidy(name: str) -> None:
    page, _ = html_part(LETTERS[name])
    assert tidied(page) <= LAYOUT


@pytest.mark.parametrize(
    "fault",
    ["<p><p>no</p></p>", "<table><tr>no</tr></table>", '<img src="x">', '<p unknown="x">no</p>', "<i><b>no</i></b>"],
)
def test_tidy_bites(fault: str) -> None:
    page, _ = html_part(LETTERS["transcript-en"])
    assert tidied(page.replace("<h1", f"{fault}<h1", 1)) - LAYOUT


def test_the_judges_of_html_bite(tmp_path: Path) -> None:
    page, _ = html_part(LETTERS["transcript-en"])
    bad = page.replace("<h1", '<p><p id="x"><div id="x" style="position:fixed">no</div></p></p><h1', 1)
    verdict = judged(tmp_path, {"bad": bad})["bad"]
    assert len(verdict["faults"]) >= 2
    assert "position" in " ".join(verdict["unknown"])
