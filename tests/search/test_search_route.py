"""GET /api/v1/search (protocol 5), for agents and customers."""

from dataclasses import replace

import pytest

from history.access import Viewer
from tests.search.office import AGENT, Office, viewer_of


def test_a_hit_says_where_it_stands_and_who_wrote_it(office: Office) -> None:
    chat = office.starts("My <b>red</b> coat", name="Alex")
    office.waits()
    answer = office.asks(AGENT, "red coat")
    item = answer["items"][0]
    assert item.pop("at").endswith("Z")
    assert item == {
        "chat": chat.chat_id,
        "seq": item["seq"],
        "by": chat.participant,
        "role": "customer",
        "name": "Alex",
        "thread": 1,
        "customer": {"id": chat.person_id, "name": "Alex"},
        "subject": None,
        "status": "waiting",
        "snippet": "My &lt;b&gt;<mark>red</mark>&lt;/b&gt; <mark>coat</mark>",
    }
    assert (answer["total"], answer["next"], answer["facets"], answer["suggestion"]) == (1, None, {}, None)
    assert "hint" not in answer and "partial" not in answer


def test_a_note_says_that_it_is_internal(office: Office) -> None:
    office.notes(office.starts("hello"), "a coat thief")
    office.waits()
    assert office.asks(AGENT, "thief")["items"][0]["stream"] == "internal"


def test_pages_show_all_hits_once_newest_first(office: Office) -> None:
    chat = office.starts("coat 0")
    for number in range(1, 45):
        office.says(chat, f"coat {number}")
    office.waits()
    shown, cursor = [], {}
    for _ in range(3):
        answer = office.asks(AGENT, "coat", **cursor)
        assert answer["total"] == 45
        shown += [item["seq"] for item in answer["items"]]
        cursor = {"cursor": answer["next"]}
    assert cursor == {"cursor": None}
    assert shown == sorted(set(shown), reverse=True) and len(shown) == 45


def test_from_me_is_the_one_who_asks(office: Office) -> None:
    chat = office.starts("my own coat")
    office.answers(chat, "your coat")
    assert office.finds(viewer_of(chat), "coat from:me") == ["my own coat"]
    assert office.finds(AGENT, "coat from:me") == ["your coat"]
    assert office.finds(AGENT, "coat from:mira") == ["your coat"]
    assert office.finds(AGENT, "coat from:customer") == ["my own coat"]


def test_a_links_session_finds_what_is_in_its_one_chat(office: Office) -> None:
    chat, other = office.starts("coat"), office.starts("other coat")
    assert office.finds(replace(viewer_of(chat), only_chat=chat.chat_id), "coat") == ["coat"]
    assert office.finds(replace(viewer_of(chat), only_chat=other.chat_id), "coat") == []
    assert office.finds(replace(viewer_of(chat), only_chat="no chat"), "coat") == []


def test_a_stranger_finds_nothing(office: Office) -> None:
    office.starts("coat")
    assert office.finds(Viewer("customer", "stranger", "Stranger"), "coat") == []


def test_what_was_redacted_a_moment_ago_is_not_shown_though_it_is_indexed(office: Office) -> None:
    chat = office.starts("hello")
    seq = office.says(chat, "canary")
    office.waits()
    office.indexer.stop()
    office.redacts(chat, seq)
    answer = office.asks(AGENT, "canary")
    assert (answer["items"], answer["total"]) == ([], 0)


@pytest.mark.parametrize(
    "asked",
    [
        {"q": ""},
        {"q": "x" * 513},
        {"q": "after:never"},
        {"q": "coat", "sort": "random"},
        {"q": "coat", "facets": "secrets"},
        {"q": "coat", "collapse": "customer"},
        {"q": "coat", "context": "chat"},
        {"q": "coat", "cursor": "not one"},
        {"q": "coat", "cursor": "' OR 1=1 --"},
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(office: Office, asked: dict[str, str]) -> None:
    office.waits()
    answer = office.asks(AGENT, **asked)
    assert (answer["status"], answer["code"]) == (422, "invalid")
    assert answer["detail"]


def test_an_unknown_operator_gives_a_hint(office: Office) -> None:
    office.waits()
    assert "team:" in office.asks(AGENT, "team:blue")["hint"]


def test_other_parameters_do_no_harm(office: Office) -> None:
    office.starts("coat")
    office.waits()
    assert office.asks(AGENT, "coat", facets="agent,month", sort="best")["total"] == 1
