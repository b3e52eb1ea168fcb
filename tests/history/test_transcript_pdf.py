"""A transcript as a PDF: what another program reads in it, and what it says where fonts or the extra are missing."""

import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import typst

from history import transcript_pdf
from history.errors import Busy, Invalid, TooBig
from history.mail.samples import chats, sample
from history.sentences import language_of
from history.transcript_pdf import MOST_ENTRIES, as_pdf
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server
from tests.set_up import NOTO, POPPLER, find, wanted


def pdf_of(code: str, *texts: str) -> bytes:
    """The sample chat of a language, or one in which the customer says `texts`."""
    letter = sample("transcript", code)
    entries = letter.transcript.entries
    said = tuple(replace(entries[0], seq=number, data={"text": text}) for number, text in enumerate(texts, 1))
    transcript = replace(letter.transcript, entries=said or entries)
    return as_pdf(transcript, letter.brand, letter.locale, letter.time_zone)


def read(pdf: bytes) -> str:
    """The words of a PDF, letters of presentation forms written as plain ones."""
    text = subprocess.run([wanted(POPPLER), "-", "-"], input=pdf, capture_output=True, check=True, timeout=60).stdout
    return unicodedata.normalize("NFKC", text.decode())


def flat(text: str) -> str:
    """`text` without blanks and signs that have no width, which readers of PDFs put in and leave out."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign.isalnum())


@pytest.mark.parametrize("code", [code for code in chats() if code != "ar"])
def test_another_program_reads_every_word_and_no_secret_number(code: str) -> None:
    wanted(NOTO)
    text = flat(read(pdf_of(code)))
    for _, _, said in chats()[code].turns:
        for line in said.splitlines():
            assert flat(line) in text or "4111" in line
    assert "4111" not in text and "1111" in text


def test_arabic_is_drawn_with_the_words_in_their_order() -> None:
    wanted(NOTO)
    text = read(pdf_of("ar"))
    for word in ("المصباح", "اليوم", "الطرد", "model X-200", "الخميس"):
        assert flat(word) in flat(text), word


def test_emoji_and_other_scripts_are_drawn(tmp_path: Path) -> None:
    wanted(NOTO)
    wanted(POPPLER)
    pdf = pdf_of("en", "family 👩‍👩‍👧 🎉 🇯🇵", "עברית X-200", "ภาษาไทย", "日本語")
    assert language_of("en").say("pdf_fonts")[:20] not in read(pdf)
    (tmp_path / "page.pdf").write_bytes(pdf)
    subprocess.run(
        [str(find("pdftoppm")), "-r", "40", tmp_path / "page.pdf", tmp_path / "page"], check=True, timeout=60
    )
    picture = (tmp_path / "page-1.ppm").read_bytes()
    pixels = {picture[at : at + 3] for at in range(20, len(picture) - 3, 3)}
    assert any(max(pixel) - min(pixel) > 100 for pixel in pixels), "emoji have colours"


def test_words_of_people_are_shown_and_never_run() -> None:
    hostile = ['#panic("x")', "*b* _i_ $x$ `r` <a> @b \\ #let y = 1", '"}]} // /* ', '#read("/etc/passwd")']
    text = flat(read(pdf_of("en", *hostile)))
    assert all(flat(line) in text for line in hostile)


def test_endless_words_stay_on_the_page() -> None:
    pdf = pdf_of("en", "x" * 5000)
    assert flat(read(pdf)).count("x") >= 5000


def test_without_fonts_it_says_so_on_the_first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    only_embedded = typst.Fonts(include_system_fonts=False)
    monkeypatch.setattr(transcript_pdf, "fonts", lambda: only_embedded)
    assert flat("this server has no font for them") in flat(read(pdf_of("en", "日本語")))
    assert flat("has no font") not in flat(read(pdf_of("en", "plain words")))


def test_a_chat_that_would_keep_the_server_busy_is_refused() -> None:
    with pytest.raises(TooBig, match="one `thread`"):
        pdf_of("en", *["x"] * (MOST_ENTRIES + 1))


def test_one_is_drawn_at_a_time_and_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript_pdf, "PATIENCE_SECONDS", 0)
    with transcript_pdf.DRAWING, pytest.raises(Busy):
        pdf_of("en")
    assert pdf_of("en").startswith(b"%PDF-")


def test_without_the_extra_it_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(Invalid, match="makes no PDF"):
        pdf_of("en")


def test_who_is_in_the_chat_gets_it_by_http(server: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(server, "Where is my parcel?")
    robin = Agent(record, "Robin").signs_in(server)
    for person in (ann, robin):
        answer = person.asks("GET", f"/chats/{ann.chat}/transcript?format=pdf")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.body.startswith(b"%PDF-")
    assert (
        Customer(record, "Bob").starts(server, "Hi").asks("GET", f"/chats/{ann.chat}/transcript?format=pdf").status
        == 404
    )
