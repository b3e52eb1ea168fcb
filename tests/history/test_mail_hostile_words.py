"""What strangers and chance put into chats, and what mails make of it: injection, and content that breaks layouts."""

import re
from dataclasses import replace
from datetime import datetime
from email.header import decode_header, make_header
from email.utils import parseaddr
from html.parser import HTMLParser
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history.clean import one_line
from history.errors import Invalid
from history.mail.compose import HTML_LIMIT_BYTES, compose
from history.mail.headers import header_text, mailbox
from history.mail.letter import Letter
from history.mail.mime import encoded
from history.mail.samples import SAMPLES, chats, sample
from history.transcript import Entry, Person, Transcript
from tests.history.mail_server import part_of, read
from tests.history.test_mail_compose import header

CUSTOMER, AGENT = Person("p_customer", "customer", "Alex"), Person("p_agent", "agent", "Mira")
RULE, BREAK = "─" * 8, re.compile(r"[\s\u2066-\u2069]+")


class Words(HTMLParser):
    """The texts, links and tags of a page's body."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(html[html.index("<body") :])

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attributes if name == "href"]
        assert not [name for name, _ in attributes if name.startswith("on") or name in {"src", "action"}]

    def handle_data(self, data: str) -> None:
        self.texts += [data] if data.strip() else []


def at(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def letter_of(*entries: tuple[Person, str, int, dict[str, object]], **changes: object) -> Letter:
    """A mail about a chat with these events: who, kind, when, data."""
    numbers = count(1)
    said = tuple(Entry(next(numbers), kind, "id", by, 1, at_ms, data, "", "", "") for by, kind, at_ms, data in entries)
    people = tuple({entry.by.id: entry.by for entry in said}.values())
    transcript = Transcript("chat", None, people[0].name if people else "", people, "", len(said), said)
    return replace(sample("transcript", "en"), transcript=transcript, time_zone="Europe/Berlin", **changes)  # type: ignore[arg-type]


def says(by: Person, *texts: str) -> list[tuple[Person, str, int, dict[str, object]]]:
    return [(by, "message", at("2026-11-22T21:00Z") + number, {"text": text}) for number, text in enumerate(texts)]


def parts_of(letter: Letter) -> tuple[str, Words]:
    mail = read(compose(letter))
    return part_of(mail, "plain"), Words(part_of(mail, "html"))


HOSTILE_NAMES = [
    "Al\r\nBcc: everybody@example.com",
    "A\x00l\x0be\x0cx\x85\u2028\u2029",
    "lone \ud800 surrogate",
    "\u202exela\u2066\u202d",
    "a" + "\u0301" * 1000,
    "=?utf-8?q?evil?= =?us-ascii?b?ZXZpbA==?=",
    '"Mira, of Acme" <evil@example.com>',
    "</td></table><script>alert(1)</script>",
    "{{ config }}{% include '/etc/passwd' %}",
    "x" * 5000,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_persons_name_is_a_word_in_the_body_and_nothing_elsewhere(name: str) -> None:
    people = replace(CUSTOMER, name=name), replace(AGENT, name=name)
    letter = letter_of(*says(people[0], "hi"), *says(people[1], "hello"))
    mail = read(compose(letter))
    assert set(mail.keys()) == set(read(compose(sample("transcript", "en"))).keys())
    text, html = parts_of(letter)
    assert f"{one_line(name)}, 22:00" in BREAK.sub(" ", text)
    assert "script" not in html.tags and len(html.links) == 2


@pytest.mark.parametrize(
    "text",
    [
        "</td><a href=https://evil.example>Continue this chat</a>",
        "<img src=x onerror=alert(1)><svg onload=alert(1)>",
        "{{ config }} {% raw %} ${7*7} #{7*7} %s %(x)s {0} {name}",
        ".\n..\nFrom x\n--=_boundary--\n-- \n",
        "javascript:alert(1) data:text/html,<b>x</b> vbscript:x",
        "https://brand@evil.example/ https://xn--80ak6aa92e.com https://аррӏе.com",  # noqa: RUF001
        "a\x00b\x08c\x1bd\u2028e\u2029f\x85g\ud800h",
    ],
)
def test_words_of_customers_stay_words(text: str) -> None:
    plain, html = parts_of(letter_of(*says(CUSTOMER, text), *says(AGENT, "no")))
    assert html.links == [sample("transcript", "en").resume_url, sample("transcript", "en").privacy_url]
    assert html.tags <= {"body", "div", "table", "tr", "td", "p", "bdi", "h1", "h2", "br", "a", "b"}
    for line in re.sub("[\x00\x08\x1b\ud800]", "", text).split():
        assert line in plain.split() and line in " ".join(html.texts).split()


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.com/a?b=1&c=2.", ["https://example.com/a?b=1&c=2"]),
        ("(http://example.com/x)", ["http://example.com/x"]),
        ("https://brand@evil.example/", []),
        ("javascript:alert(1) data:text/html,x ftp://x.example", []),
        ("https://аррӏе.com/login", ["https://xn--80ak6aa92e.com/login"]),  # noqa: RUF001
        ('https://x.example/"onmouseover="alert(1)', ["https://x.example/"]),
        ("https://[::1", []),
        ("https://", []),
    ],
)
def test_what_the_team_links_leads_where_it_says(text: str, links: list[str]) -> None:
    letter = letter_of(*says(AGENT, text))
    html = part_of(read(compose(letter)), "html")
    found = [link for link in Words(html).links if link not in (letter.resume_url, letter.privacy_url)]
    assert found == links
    for link in links:
        assert f">{link.replace('&', '&amp;')}</a>" in html, "the address is shown in full"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https://a@b.example", ""]
)
def test_nothing_but_a_page_gets_behind_the_button(url: str) -> None:
    with pytest.raises(Invalid):
        compose(letter_of(*says(AGENT, "hi"), resume_url=url))


@pytest.mark.parametrize(
    "name", ['a"b/..\\c\r\nX: y.pdf', "x" * 300 + ".pdf", "חשבונית.pdf", "\u202efdp.exe", "<b>.pdf"]
)
def test_a_files_name_is_one_short_line(name: str) -> None:
    file = {"id": "f", "name": name, "type": "application/pdf", "size": 12_345}
    letter = letter_of((CUSTOMER, "message", at("2026-11-22T21:00Z"), {"text": "", "attachments": [file]}))
    text, html = parts_of(letter)
    (line,) = [line for line in text.splitlines() if "File: " in line]
    assert line.replace("\u2068", "").replace("\u2069", "") == f"  File: {one_line(name)} (12 kB)"
    assert line.strip() in html.texts
    assert len(line) < 150 and "b" not in html.tags - {"b"}


@pytest.mark.parametrize(
    "texts",
    [["x" * 5000], ["y" * 16_000] * 10, ["é<&>\u3042" * 20_000], [f"number {n}" for n in range(3000)]],
    ids=["a long word", "long messages", "100 kB at once", "3,000 messages"],
)
def test_however_much_was_said_the_mail_can_be_read_and_holds_it_all(texts: list[str]) -> None:
    mail = read(compose(letter_of(*says(CUSTOMER, *texts))))
    text, html = part_of(mail, "plain"), part_of(mail, "html")
    assert len(encoded(html).content) <= HTML_LIMIT_BYTES
    lines = set(text.splitlines())
    assert all(f"  {one}" in lines for one in texts)
    shown = all(one in Words(html).texts for one in texts)
    assert shown or [file.get_filename() for file in mail.iter_attachments()] == ["transcript.txt"]


@pytest.mark.parametrize(
    ("zone", "first", "second", "shown"),
    [
        ("Europe/Berlin", "2026-10-25T00:30Z", "2026-10-25T01:30Z", ["02:30", "The clocks changed", "02:30"]),
        (
            "Europe/Berlin",
            "2026-12-31T22:59Z",
            "2026-12-31T23:01Z",
            ["31 December 2026", "23:59", "1 January 2027", "00:01"],
        ),
        ("Asia/Kathmandu", "2026-11-22T18:14Z", "2026-11-22T18:16Z", ["22 November", "23:59", "23 November", "00:01"]),
        ("Mars/Olympus", "2026-11-22T18:14Z", "2026-11-22T18:20Z", ["Times in UTC", "18:14", "18:20"]),
    ],
)
def test_times_are_those_of_the_customer_however_their_clocks_run(
    zone: str, first: str, second: str, shown: list[str]
) -> None:
    letter = letter_of(
        (CUSTOMER, "message", at(first), {"text": "one"}), (AGENT, "message", at(second), {"text": "two"})
    )
    text, _ = parts_of(replace(letter, time_zone=zone))
    place = 0
    for words in shown:
        place = text.index(words, place) + len(words)


@pytest.mark.parametrize("locale", ["ar-EG", "ja", "en"])
def test_many_scripts_in_one_chat_each_keep_their_line(locale: str) -> None:
    texts = [
        "مرحبا، رقم الطلب 4711",
        "שלום X-200",
        "日本語のメッセージ",
        "ภาษาไทยไม่มีช่องว่าง",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
        "plain",
    ]
    letter = letter_of(*says(replace(CUSTOMER, name="ليلى"), *texts), *says(AGENT, *texts), locale=locale)
    text, html = parts_of(letter)
    for one in texts:
        assert text.count(f"\n  {one}\n") == 2
        assert html.texts[1:].count(one) == 2, "the first is what mailboxes show beside the subject"
    assert "\u2068Mira\u2069" in text if locale == "ar-EG" else "Mira" in text


@pytest.mark.parametrize("kind", ["events", "files", "nothing"])
def test_a_chat_without_a_word_is_a_mail_still(kind: str) -> None:
    moment = at("2026-11-22T21:00Z")
    file = {"id": "f", "name": "plan.pdf", "type": "application/pdf", "size": 1}
    chosen = {
        "events": [(AGENT, "close", moment, {"reason": "agent", "by_name": "Mira"})],
        "files": [(CUSTOMER, "message", moment, {"text": "", "attachments": [file]})],
        "nothing": [],
    }
    text, html = parts_of(letter_of(*chosen[kind]))
    expected = {"events": "Mira closed the chat", "files": "plan.pdf (1 kB)", "nothing": "Nothing was written"}
    assert expected[kind] in text
    assert expected[kind] in " ".join(html.texts) or kind == "nothing"


@pytest.mark.parametrize("code", chats())
@pytest.mark.parametrize("name", SAMPLES)
def test_the_text_part_tells_all_that_the_page_tells(name: str, code: str) -> None:
    letter = sample(name, code)
    text, html = parts_of(letter)
    flat = BREAK.sub("", text)
    comma = letter.layout.language.say("comma").strip()
    for words in html.texts:
        assert BREAK.sub("", words).strip(comma) in flat or words == letter.preheader or words.isspace(), words
    assert all(link in text for link in html.links)
    assert not re.search(r"<[a-z/]|&(amp|lt|gt|quot|#\d+);|\*\*|__|\]\(", text)
    assert max(len(line.encode()) for line in text.splitlines()) <= 998


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_survives_a_header_and_stays_in_it(text: str) -> None:
    """The standard library's own folding puts in empty words and loses commas (cpython#136052, #121284)."""
    line = one_line(text)
    subject, sender = header_text(line), mailbox(line, "chat@example.com")
    content = f"Subject: {subject}\r\nFrom: {sender}\r\n\r\n".encode("ascii")
    assert header(content, "Subject") == line
    name, address = parseaddr(sender.replace("\r\n", ""))
    assert (str(make_header(decode_header(name))), address) == (line, "chat@example.com")
    assert "?b??=" not in subject
    assert max(map(len, content.split(b"\r\n"))) <= 120


def test_no_line_of_a_mail_begins_as_the_envelope_of_a_mailbox_does() -> None:
    """Wherever the encoding breaks a line."""
    for length in range(60, 80):
        text = f"{'x' * length} From here on"
        content = compose(letter_of(*says(CUSTOMER, text)))
        assert b"\nFrom " not in content, length
        assert max(len(line) for line in content.split(b"\r\n")) <= 78
        assert text in part_of(read(content), "plain")
