"""Four programs that read mail, none of them ours, read of our mails what we wrote, in every kind and language."""

from collections.abc import Mapping
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from history.mail.compose import html_part, text_part
from history.mail.letter import Letter
from tests.history.letters import LETTERS, mails
from tests.history.readers import READERS, Reading, fast_parts, mblaze_parts, plain, stdlib_parts

MAIL = "transcript-ja"
FAULTS = {
    "the charset": (b'charset="utf-8"', b'charset="iso-8859-1"'),
    "the encoding": (b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: 8bit"),
    "the subject": (b"Subject: =?utf-8?", b"Subject: =?iso-8859-1?"),
}
"""What somebody who writes mails may get wrong, as (what is right, what is put in its place)."""


def written_to(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    for name, content in contents.items():
        (folder / f"{name}.eml").write_bytes(content)
    return [folder / f"{name}.eml" for name in contents]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return written_to(tmp_path_factory.mktemp("mails"), mails())


def wanted_reading(letter: Letter) -> Reading:
    html, is_whole = html_part(letter)
    text = plain(text_part(letter))
    return Reading(
        subject=letter.subject,
        sender=(letter.brand, letter.from_address),
        recipients=(letter.recipient,),
        answers_to=(letter.reply_address,) if letter.reply_address else (),
        message_id=letter.message_id,
        in_reply_to="".join(letter.references[-1:]),
        references=letter.references,
        text=text,
        html=plain(html),
        files=() if is_whole else (("transcript.txt", text),),
    )


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_reads_what_we_wrote(reader: str, files: list[Path]) -> None:
    read = READERS[reader](files)
    assert read.keys() == LETTERS.keys()
    for name, letter in LETTERS.items():
        assert read[name] == wanted_reading(letter), name


def test_all_see_the_same_parts(files: list[Path]) -> None:
    for file in files:
        parts = stdlib_parts(file)
        assert {"multipart/alternative", "text/plain", "text/html"} <= {kind for _, kind in parts}
        assert fast_parts(file) == parts
        assert mblaze_parts(file) == parts


@pytest.mark.parametrize("name", LETTERS)
def test_a_strict_reader_finds_no_fault(name: str) -> None:
    mail = message_from_bytes(mails()[name], policy=policy.strict)
    assert [part.defects for part in mail.walk() if part.defects] == []
    lines = mails()[name].split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    headers_end = lines.index(b"")
    assert max(map(len, lines[:headers_end])) <= 120


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_bites(reader: str, tmp_path: Path) -> None:
    faulty = {fault: mails()[MAIL].replace(*change) for fault, change in FAULTS.items()}
    assert mails()[MAIL] not in faulty.values()
    read = READERS[reader](written_to(tmp_path, faulty))
    assert read.keys() == FAULTS.keys()
    assert wanted_reading(LETTERS[MAIL]) not in read.values()
