"""The transcript as a mail: its headers, its parts, its size, and what hostile words cannot do."""

import re
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest

from history.clean import one_line
from history.errors import Invalid
from history.mail.compose import HTML_LIMIT_BYTES, compose
from history.mail.letter import SUBJECT_LETTERS, Letter
from history.mail.mime import encoded
from history.times import DAY_MS
from history.transcript import Entry, Person, Transcript
from tests.history.mail_server import part_of, read
from tests.history.scene import ADDRESS

ALEX = Person("p_alex", "customer", "Alex")
MIRA = Person("p_mira", "agent", "Mira")
EVENING = int(datetime.fromisoformat("2026-11-22T22:47+00:00").timestamp() * 1000)
LINK = "https://chat.example.com/r#one.secret"


def say(number: int, by: Person, text: str) -> Entry:
    return Entry(number, "message", "id", by, 1, EVENING + number * 1000, {"text": text}, "", "", "")


def letter_of(*texts: str, brand: str = "Acme", name: str = "Alex", **other: object) -> Letter:
    """A chat in which Alex and Mira say `texts` in turn."""
    alex = replace(ALEX, name=name)
    entries = tuple(say(number, (alex, MIRA)[number % 2], text) for number, text in enumerate(texts))
    transcript = Transcript("chat", None, name, (alex, MIRA), "", len(entries), entries)
    letter = Letter(
        transcript=transcript,
        recipient=ADDRESS,
        resume_url=LINK,
        link_until_ms=EVENING + 30 * DAY_MS,
        brand=brand,
        from_address="chat@example.com",
        message_id="<transcript.0123456789@example.com>",
        locale="en",
        time_zone="Europe/Berlin",
        now_ms=EVENING + DAY_MS,
    )
    return replace(letter, **other)  # type: ignore[arg-type]


def header(content: bytes, name: str) -> str:
    """A header's text, read by the older of the two parsers: the newer one puts blanks between encoded words."""
    return str(make_header(decode_header(message_from_bytes(content)[name])))


def test_the_headers_say_what_it_is_and_that_a_machine_wrote_it() -> None:
    mail = read(compose(letter_of("hi", "hello")))
    assert dict(mail.items()) == {
        "Date": "Mon, 23 Nov 2026 22:47:00 +0000",
        "From": "Acme <chat@example.com>",
        "To": ADDRESS,
        "Subject": "Your chat with Acme, 22 November 2026",
        "Message-ID": "<transcript.0123456789@example.com>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "MIME-Version": "1.0",
        "Content-Type": mail["Content-Type"],
    }
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_equal_letters_give_equal_bytes() -> None:
    assert compose(letter_of("hi", "hello")) == compose(letter_of("hi", "hello"))


def test_both_parts_hold_every_message_the_link_and_its_date() -> None:
    texts = [f"sentence number {number}" for number in range(60)]
    mail = read(compose(letter_of(*texts)))
    text, html = part_of(mail, "plain"), part_of(mail, "html")
    for number, sentence in enumerate(texts):
        assert f"\n  {sentence}\n" in text
        assert re.search(f'<div [^>]*dir="auto"[^>]*>{sentence}</div>', html), number
    assert f"\n{LINK}\n" in text
    assert html.count(f'href="{LINK}"') == html.count("href=") == 1
    assert "until 22 December 2026" in text and "until 22 December 2026" in html
    assert "Times in Central European Time (Europe/Berlin)" in text
    assert "You, 23:47" in text and '<b dir="auto">You</b> 23:47' in html


def test_the_button_comes_before_the_messages() -> None:
    html = part_of(read(compose(letter_of("hello there"))), "html")
    assert html.index("<h1") < html.index(LINK) < html.index("hello there")


def test_hostile_words_stay_words_and_nothing_is_loaded() -> None:
    hostile = "</div></td><a href=https://evil>Continue this chat</a><img src=x>{{ config }} {% raw %}"
    mail = read(compose(letter_of(hostile, "no", name="<script>x</script>")))
    html = part_of(mail, "html")
    assert html.count("<a ") == 1
    for tag in ("<img", "<script", "<link", "<form", "url(", "@import", "@font-face"):
        assert tag not in html
    assert "{{ config }} {% raw %}" in html
    assert hostile in part_of(mail, "plain")


def test_secret_numbers_are_masked_in_both_parts_and_the_preheader() -> None:
    mail = read(compose(letter_of("4111 1111 1111 1111", "You said 4111 1111 1111 1111?")))
    assert "4111 1111" not in part_of(mail, "plain") + part_of(mail, "html")
    assert part_of(mail, "html").index("You said •••• 1111?") < part_of(mail, "html").index("<h1")


@pytest.mark.parametrize(
    "brand",
    [
        "Acme\r\nBcc: everybody@example.com",
        "A\x00c\x0bm\x0ce\x85\u2028",
        "lone \ud800 surrogate",
        "=?utf-8?q?evil?= =?us-ascii?b?ZXZpbA==?=",
        "\u202eemcA\u2066",
        '"Acme, Inc." <evil@example.com>',
        "Zoë " + "\u0301" * 1000,
        "日本語の会社" * 30,
        "",
    ],
)
def test_no_name_can_break_or_forge_a_header(brand: str) -> None:
    content = compose(letter_of("hi", "hello", brand=brand, name=brand))
    shown = one_line(brand)
    assert len(read(content).keys()) == 9
    subject = header(content, "Subject")
    begin, end = "Your chat with ", ", 22 November 2026"
    assert subject.startswith(begin) and subject.endswith(end) and len(subject) <= SUBJECT_LETTERS
    in_subject = subject.removeprefix(begin).removesuffix(end)
    assert in_subject == shown or shown.startswith(in_subject.removesuffix("…"))
    assert parseaddr(header(content, "From")) == (shown, "chat@example.com")


def test_words_of_the_customer_are_in_no_header() -> None:
    mail = read(compose(letter_of("sesame", "hello", name="Ali Baba")))
    headers = "".join(f"{name}: {value}" for name, value in mail.items())
    assert "sesame" not in headers and "Ali" not in headers


@pytest.mark.parametrize("script", ["short {}", "коротко {}", "短い {}", "مرحبا {}"])
def test_a_long_chat_keeps_its_ends_and_moves_into_a_file(script: str) -> None:
    texts = [script.format(number) for number in range(3000)]
    mail = read(compose(letter_of(*texts)))
    html = part_of(mail, "html")
    (file,) = mail.iter_attachments()
    assert len(encoded(html).content) <= HTML_LIMIT_BYTES
    assert f">{texts[0]}<" in html and f">{texts[-1]}<" in html and f">{texts[1500]}<" not in html
    assert "messages stand in the attached file transcript.txt" in html
    assert file.get_filename() == "transcript.txt"
    lines = set(file.get_content().splitlines())
    assert all(f"  {text}" in lines for text in texts)


@pytest.mark.parametrize("count", [3, 20])
def test_even_a_few_endless_messages_fit(count: int) -> None:
    mail = read(compose(letter_of(*["<&>\"'" * 3000] * count)))
    assert f"{count} messages stand in the attached file" in part_of(mail, "html")
    assert len(encoded(part_of(mail, "html")).content) <= HTML_LIMIT_BYTES
    assert LINK in part_of(mail, "html")


def test_an_everyday_mail_is_small() -> None:
    texts = ["Could you look at my order again, please?"] * 25
    assert len(compose(letter_of(*texts))) <= 16_000


def test_lines_that_look_like_mail_syntax_survive() -> None:
    tricky = ".\n..\nFrom me\n--=_boundary--\n-- \n=20=\n\tindented"
    text = part_of(read(compose(letter_of(tricky))), "plain")
    assert "  .\n  ..\n  From me\n  --=_boundary--\n  --\n  =20=\n  \tindented\n" in text


def test_a_domain_of_other_letters_is_written_in_ascii() -> None:
    assert read(compose(letter_of("hi", recipient="a@müller.de")))["To"] == "a@xn--mller-kva.de"


@pytest.mark.parametrize("recipient", ["", "nobody", "a@b@c", "a@x.de\r\nBcc: b@x.de"])
def test_an_address_that_cannot_be_written_to_is_refused_in_words(recipient: str) -> None:
    with pytest.raises(Invalid):
        compose(letter_of("hi", recipient=recipient))
