"""Conditions on chats are met by SQL, on both databases, within what the asker may see."""

from dataclasses import replace

import pytest

from history.access import Viewer
from tests.search.office import AGENT, Office, agent_in, viewer_of

CONDITIONS = {
    "is:open": {"waiting", "active"},
    "is:closed": {"closed", "rated"},
    "is:waiting": {"waiting"},
    "is:unassigned": {"waiting"},
    "-is:open": {"closed", "rated"},
    "agent:ada": {"active", "rated"},
    'agent:"ada lund"': {"active", "rated"},
    "agent:o'hara": {"closed", "rated"},
    "agent:ada agent:bob": {"rated"},
    "agent:ad": set(),
    "agent:%": set(),
    "(agent:bob OR is:waiting) -rating:4": {"closed", "waiting"},
    "customer:ann": {"active", "closed"},
    "customer:ANN -customer:miller": {"active"},
    "customer:kathrin": {"closed"},
    "customer:kat": set(),
    "customer:almeida": {"waiting"},
    "customer:Zoe": {"waiting"},
    "customer:林小明": {"rated"},
    "customer:_nn": set(),
    "rating:4": {"rated"},
    "rating:5": set(),
    "lang:en": {"active", "closed"},
    "lang:en-gb": {"active"},
    "lang:de": {"waiting"},
    "lang:zh": {"rated"},
    "-lang:en": {"waiting", "rated"},
    "lang:e%": set(),
    "chat:nothing-of-this-kind": set(),
}
"""A condition → what the chats that meet it say, of the four below."""


def test_a_condition_finds_the_chats_that_meet_it(any_office: Office) -> None:
    """Four chats about coats: waiting, active with Ada, closed by Bob, closed and rated."""
    office = any_office
    ada, bob = office.hires("Ada Lund"), office.hires("Bob O'Hara")
    office.starts("coat waiting", "Zoë Älmeida", "de-AT")
    office.answers(office.starts("coat active", "Ann Smith", "en-GB"), "an answer", ada)
    closed = office.starts("coat closed", "Ann-Kathrin Miller", "en")
    office.answers(closed, "another", bob)
    office.ends(agent_in(closed, bob))
    rated = office.starts("coat rated", "林小明", "zh-Hant-TW")
    office.answers(rated, "a third", ada)
    office.answers(rated, "a fourth", bob)
    office.rates(rated, 4)
    office.ends(rated)
    found = {
        condition: {text.removeprefix("coat ") for text in office.finds(AGENT, f"coat {condition}")}
        for condition in CONDITIONS
    }
    assert found == CONDITIONS


def test_a_language_is_told_though_most_speak_it(any_office: Office) -> None:
    any_office.starts("coat one", locale="en-GB")
    mine = any_office.starts("coat two", locale="en")
    any_office.starts("coat three", locale="de")
    assert set(any_office.finds(AGENT, "coat lang:en")) == {"coat one", "coat two"}
    assert any_office.finds(AGENT, "coat -lang:en") == ["coat three"]
    assert any_office.finds(viewer_of(mine), "coat lang:en") == ["coat two"]
    assert any_office.finds(viewer_of(mine), "coat -lang:en") == []


def test_a_name_is_compared_by_all_of_its_words(any_office: Office) -> None:
    """However long they are, or how written."""
    any_office.starts("coat long", f"{'o' * 70} Ann")
    any_office.starts("coat wide", "ÁNN Lund")
    any_office.starts("coat other", "Anna Ann-Lund2")
    assert any_office.finds(AGENT, f"coat customer:{'o' * 70}") == ["coat long"]
    assert set(any_office.finds(AGENT, "coat customer:ann")) == {"coat long", "coat wide", "coat other"}
    assert any_office.finds(AGENT, "coat customer:lund") == ["coat wide"]


def test_a_chat_is_known_by_its_id_and_by_the_beginning_of_it(any_office: Office) -> None:
    chat = any_office.starts("coat")
    any_office.starts("coat elsewhere")
    assert any_office.finds(AGENT, f"coat chat:{chat.chat_id}") == ["coat"]
    assert any_office.finds(AGENT, f"coat chat:{chat.chat_id[:24]}".upper().replace("CHAT:", "chat:")) == ["coat"]
    assert any_office.finds(AGENT, f"coat -chat:{chat.chat_id}") == ["coat elsewhere"]
    assert any_office.finds(AGENT, f"coat chat:{chat.chat_id[:4]}") == []


def test_me_is_the_one_who_asks(any_office: Office) -> None:
    ada = any_office.hires("Ada")
    helped, other = any_office.starts("coat of mine"), any_office.starts("coat of others")
    any_office.answers(helped, "hello", ada)
    assert any_office.finds(ada, "coat agent:me") == ["coat of mine"]
    assert any_office.finds(viewer_of(other), "coat customer:me") == ["coat of others"]
    assert any_office.finds(AGENT, f"coat customer:@{other.person_id}") == ["coat of others"]


def test_conditions_open_no_chat_that_is_not_the_askers(any_office: Office) -> None:
    mine, other = any_office.starts("coat mine", "Ann"), any_office.starts("coat theirs", "Bea")
    second = any_office.starts_another(mine, "coat again")
    ann = viewer_of(mine)
    for condition in (f"chat:{other.chat_id}", "customer:bea", f"customer:@{other.person_id}", "-customer:ann"):
        assert any_office.finds(ann, f"coat {condition}") == []
    assert set(any_office.finds(ann, "coat -is:closed")) == {"coat mine", "coat again"}
    assert any_office.finds(replace(ann, only_chat=mine.chat_id), f"coat (chat:{second.chat_id} OR is:open)") == [
        "coat mine"
    ]
    assert any_office.finds(Viewer("customer", "stranger", "Stranger"), "coat is:open") == []


@pytest.mark.parametrize("q", ["is:nowhere", "rating:6", "rating:x", 'agent:""', "sort:worst"])
def test_a_condition_that_cannot_be_is_refused_with_a_reason(office: Office, q: str) -> None:
    answer = office.asks(AGENT, q)
    assert (answer["status"], answer["code"]) == (422, "invalid") and answer["detail"]
