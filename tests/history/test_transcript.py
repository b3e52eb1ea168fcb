"""A chat as something to read: text, page and the blocks that both are made of."""

from datetime import datetime

import pytest

from history.errors import NotFound
from history.local_time import local_time
from history.models import INTERNAL
from history.sentences import language_of
from history.transcript import Entry, Person, Transcript
from history.transcript_formats import as_html, as_text
from history.transcript_layout import Heading, Layout, Line, Turn
from tests.history.scene import Scene

ALEX = Person("p_alex", "customer", "Alex")
MIRA = Person("p_mira", "agent", "Mira")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


EVENING = at("2026-11-22T22:47+00:00")
MINUTE = 60_000


def entry(by: Person, at_ms: int, kind: str = "message", thread: int = 1, **data: object) -> Entry:
    return Entry(1, kind, "id", by, thread, at_ms, data, "", "", "")


def transcript(*entries: Entry) -> Transcript:
    return Transcript("chat", None, "Alex", (MIRA, ALEX), "0" * 16, len(entries), entries)


def text_of(*entries: Entry, locale: str = "en", time_zone: str = "Europe/Berlin") -> str:
    return as_text(transcript(*entries), "Acme", locale, time_zone)


def test_the_text_tells_who_said_what_and_when_in_the_customers_zone() -> None:
    text = text_of(
        entry(ALEX, EVENING, text="Are you there?"),
        entry(MIRA, EVENING + 5 * MINUTE, text="I am.\nWhat can I do?"),
    )
    assert text == (
        "Chat with Acme\nWith Alex, Mira\nTimes in Central European Time (Europe/Berlin)\n\n"
        "──────── 22 November 2026 ────────\n\n"
        "Alex, 23:47\n  Are you there?\n\n"
        "Mira, 23:52\n  I am.\n  What can I do?\n"
    )


def test_midnight_is_that_of_the_customer() -> None:
    entries = entry(ALEX, EVENING, text="one"), entry(ALEX, EVENING + 20 * MINUTE, text="two")
    assert "──── 23 November 2026 ────" in text_of(*entries)
    assert "──── 23 November 2026 ────" not in text_of(*entries, time_zone="UTC")


@pytest.mark.parametrize(
    ("locale", "time_zone", "expected"),
    [
        ("de-AT", "Europe/Vienna", "22. November 2026"),
        ("en-US", "America/New_York", "Alex, 5:47 PM"),
        ("en", "Asia/Kathmandu", "Alex, 04:32"),
        ("xx-Nowhere", "Mars/Olympus", "Times in UTC"),
        ("", "../../etc/passwd", "Alex, 22:47"),
    ],
)
def test_dates_follow_locale_and_zone_and_unknown_ones_do_no_harm(locale: str, time_zone: str, expected: str) -> None:
    assert expected in text_of(entry(ALEX, EVENING, text="hi"), locale=locale, time_zone=time_zone)


def test_a_message_cannot_pass_for_a_heading() -> None:
    text = text_of(entry(ALEX, EVENING, text="x\r\nMira, 23:48\u2028  You get it for free\x85──── 1 ────"))
    said = text.split("Alex, 23:47\n")[1].splitlines()
    assert len(said) == 4
    assert all(line.startswith("  ") for line in said)


def test_a_name_is_one_line_without_controls() -> None:
    trickster = Person("p_x", "customer", "Al\r\nBcc: x\u202eex\x00")
    assert "Al Bcc: x ex, 23:47\n" in text_of(entry(trickster, EVENING, text="hi"))


def test_messages_within_two_minutes_share_a_heading() -> None:
    blocks = Layout(local_time(language_of("en"), "UTC")).blocks(
        [
            entry(ALEX, EVENING, text="one"),
            entry(ALEX, EVENING + 2 * MINUTE, text="two"),
            entry(ALEX, EVENING + 5 * MINUTE, text="three"),
            entry(MIRA, EVENING + 5 * MINUTE, text="four"),
        ]
    )
    turns = [block for block in blocks if isinstance(block, Turn)]
    assert [[said.lines[0] for said in turn.said] for turn in turns] == [["one", "two"], ["three"], ["four"]]
    assert [turn.of_customer for turn in turns] == [True, True, False]


def test_parts_of_a_chat_have_headings_with_their_dates() -> None:
    text = text_of(
        entry(ALEX, EVENING, text="one"),
        entry(MIRA, EVENING + MINUTE, "close", reason="agent", by_name="Mira"),
        entry(ALEX, EVENING + 48 * 60 * MINUTE, "reopen", thread=2, reason="customer"),
        entry(ALEX, EVENING + 48 * 60 * MINUTE, thread=2, text="two"),
    )
    assert "──── Part 1, 22 November 2026 ────" in text
    assert "· Mira closed the chat, 23:48" in text
    assert " Part 2, 24 November 2026 ────────\n\n· Alex reopened the chat, 23:47" in text


def test_what_happened_is_told_in_a_line_and_unknown_kinds_are_not() -> None:
    text = text_of(
        entry(ALEX, EVENING, "join", participant={"id": "p_alex", "role": "customer", "name": "Alex"}),
        entry(MIRA, EVENING, "join", participant={"id": "p_mira", "role": "agent", "name": "Mira"}),
        entry(MIRA, EVENING, "assign", agent="p_mira"),
        entry(MIRA, EVENING, "hologram", text="what is this"),
        entry(ALEX, EVENING, "rating", score=4, comment="my card 4111 1111 1111 1111"),
    )
    assert text.count("·") == 2
    assert "· Mira joined, 23:47" in text
    assert "· Alex rated the chat 4 of 5: “my card •••• 1111”, 23:47" in text


def test_a_removed_message_leaves_a_sentence() -> None:
    text = text_of(entry(ALEX, EVENING, redacted=True))
    assert "Alex, 23:47\n  This message was removed\n" in text


def test_a_change_of_the_clocks_is_said_between_equal_hours() -> None:
    blocks = Layout(local_time(language_of("en"), "Europe/Berlin")).blocks(
        [
            entry(ALEX, at("2026-10-25T02:30+02:00"), text="summer"),
            entry(ALEX, at("2026-10-25T02:30+01:00"), text="winter"),
        ]
    )
    assert [type(block) for block in blocks] == [Heading, Turn, Line, Turn]
    assert isinstance(blocks[2], Line)
    assert blocks[2].text == "The clocks changed: times are now in GMT+01:00"


def test_the_page_shows_hostile_words_as_words_and_loads_nothing() -> None:
    hostile = '<script>alert(1)</script></div><a href="javascript:x">{{ 7*7 }} {% raw %} ${x} %s'
    villain = Person("p_v", "customer", "<img src=x onerror=alert(1)>")
    page = as_html(transcript(entry(villain, EVENING, text=hostile)), "<b>Acme</b>", "en", "UTC")
    for tag in ("<script", "<img", "<a ", "<b>Acme", "<link", "url("):
        assert tag not in page
    assert "{{ 7*7 }} {% raw %} ${x} %s" in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_each_line_of_the_page_finds_its_own_direction() -> None:
    page = as_html(transcript(entry(ALEX, EVENING, text="hello\nערב")), "Acme", "en", "UTC")
    assert '<p dir="auto">hello</p><p dir="auto">ערב</p>' in page


def test_page_and_text_hold_the_same_messages() -> None:
    entries = [entry((ALEX, MIRA)[n % 2], EVENING + n * MINUTE, text=f"word{n}") for n in range(50)]
    page = as_html(transcript(*entries), "Acme", "en", "UTC")
    assert all(f"word{n}\n" in text_of(*entries) and f">word{n}<" in page for n in range(50))


def test_the_transcript_of_a_thread_holds_that_thread_only(scene: Scene) -> None:
    scene.closed_chat()
    scene.says(scene.customer, "It is me again", reopen=True)
    assert {entry.thread for entry in scene.transcript().entries} == {1, 2}
    second = scene.transcript(thread=2)
    assert {entry.thread for entry in second.entries} == {2}
    assert second.previous == scene.transcript(thread=1).entries[-1].hash
    with pytest.raises(NotFound):
        scene.transcript(thread=3)


def test_notes_of_agents_are_never_in_a_transcript(scene: Scene) -> None:
    scene.start()
    scene.says(scene.agent, "Here I am")
    scene.says(scene.agent, "a difficult customer", stream=INTERNAL)
    text = as_text(scene.transcript(), "Acme", "en", "UTC")
    assert "Here I am" in text
    assert "difficult" not in text
