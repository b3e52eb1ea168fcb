"""What an answer tells besides the hits: counts, chats, what was said around, facets, and what may have been meant."""

from pathlib import Path

import pytest

from history.access import Viewer
from search.engine import Facets
from search.facets import facets_of
from search.tantivy_engine import TantivyEngine
from tests.search.office import AGENT, Office, viewer_of

WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


def texts(said: list[dict[str, str]]) -> list[str]:
    return [each["text"] for each in said]


def facet(office: Office, viewer: Viewer, q: str, name: str) -> dict[str, int]:
    office.waits()
    values = office.asks(viewer, q, facets="all")["facets"].get(name, [])
    for value in values:  # each facet leads to exactly what it counts
        assert office.asks(viewer, f"{q} {value['filter']}")["total"] == value["count"], value
    return {value["label"]: value["count"] for value in values}


def test_a_hit_comes_with_two_messages_before_and_after_it(office: Office) -> None:
    chat = office.starts("first")
    for word in WORDS[1:]:
        office.says(chat, word)
    office.notes(chat, "a note between")
    office.waits()
    (item,) = office.asks(AGENT, "fourth", context="messages")["items"]
    assert (texts(item["before"]), texts(item["after"])) == (["second", "third"], ["fifth", "sixth"])
    (item,) = office.asks(AGENT, "first", context="messages")["items"]
    assert (texts(item["before"]), texts(item["after"])) == ([], ["second", "third"])
    assert "before" not in office.asks(AGENT, "first")["items"][0]


def test_what_was_redacted_is_not_said_around_a_hit(office: Office) -> None:
    chat = office.starts("first")
    seq = office.says(chat, "canary")
    office.says(chat, "third")
    office.redacts(chat, seq)
    office.waits()
    (item,) = office.asks(AGENT, "third", context="messages")["items"]
    assert texts(item["before"]) == ["first"]


def test_a_note_comes_with_what_was_said_in_public_around_it(office: Office) -> None:
    chat = office.starts("first")
    office.notes(chat, "remarkable", after=office.says(chat, "second"))
    office.says(chat, "third")
    office.waits()
    (item,) = office.asks(AGENT, "remarkable", context="messages")["items"]
    assert texts(item["before"]) + texts(item["after"]) == ["first", "second", "third"]


def test_notes_are_not_said_around_what_a_customer_finds(office: Office) -> None:
    chat = office.starts("first")
    office.notes(chat, "canary")
    office.says(chat, "second")
    office.waits()
    answer = office.asks(viewer_of(chat), "second", context="messages", facets="all")
    assert "canary" not in str(answer) and texts(answer["items"][0]["before"]) == ["first"]


def test_one_hit_of_each_chat_says_how_many_more_there_are(office: Office) -> None:
    chat, other = office.starts("coat"), office.starts("another coat")
    office.says(chat, "my coat")
    office.says(chat, "the coat again")
    office.waits()
    answer = office.asks(AGENT, "coat", collapse="chat")
    assert [(item["chat"], item["count"]) for item in answer["items"]] == [(chat.chat_id, 3), (other.chat_id, 1)]
    assert (answer["total"], answer["chats"]) == (4, 2)
    assert office.asks(AGENT, "coat")["chats"] is None
    assert office.asks(AGENT, f"coat chat:{chat.chat_id}")["total"] == 3


@pytest.mark.parametrize("sort", ["new", "old"])
def test_pages_of_chats_show_each_once_in_order(office: Office, sort: str) -> None:
    chats = [office.starts(f"coat {number}").chat_id for number in range(45)]
    office.waits()
    shown: list[str] = []
    cursor: dict[str, str] = {}
    while cursor != {"cursor": None}:
        answer = office.asks(AGENT, f"coat sort:{sort}", collapse="chat", **cursor)
        shown += [item["chat"] for item in answer["items"]]
        cursor = {"cursor": answer["next"]}
    assert shown == (chats if sort == "old" else chats[::-1])


def test_a_page_goes_on_behind_what_is_gone(office: Office) -> None:
    chat = office.starts("coat 0")
    seqs = [office.says(chat, f"coat {number}") for number in range(1, 60)]
    office.waits()
    office.indexer.stop()
    for seq in seqs[5:]:
        office.redacts(chat, seq)
    answer = office.asks(AGENT, "coat")
    assert [item["seq"] for item in answer["items"]] == [*seqs[4::-1], seqs[0] - 1]
    assert answer["next"] is None


def test_facets_count_all_that_was_found(any_office: Office) -> None:
    office = any_office
    ada, bob = office.hires("Ada"), office.hires("Bob")
    for number in range(30):
        chat = office.starts(f"coat {number}", "Ann")
        office.answers(chat, "which coat?", ada)
        if number % 2:
            office.answers(chat, "what coat?", bob)
        if number % 3 == 0:
            office.rates(chat, 5 - number % 2)
        office.notes(chat, "a coat of hers")
    assert facet(office, AGENT, "coat", "agent") == {"Ada": 105, "Bob": 60}
    assert facet(office, AGENT, "coat", "kind") == {"Customers": 30, "Agents": 45, "Notes": 30}
    assert facet(office, AGENT, "coat", "rating") == {"5": 15, "4": 20}
    assert facet(office, AGENT, "coat", "channel") == {"Web": 105}
    assert sum(facet(office, AGENT, "coat", "month").values()) == 105
    assert facet(office, AGENT, "which", "agent") == {"Ada": 30, "Bob": 15}
    assert facet(office, AGENT, '"coat 27"', "agent") == {"Ada": 1, "Bob": 1}  # in few of all chats
    assert facet(office, AGENT, '"coat 27"', "rating") == {"4": 1}
    assert facet(office, AGENT, '"coat 28"', "rating") == {}


def test_facets_tell_a_customer_of_own_chats_only(office: Office) -> None:
    ada, bob = office.hires("Ada"), office.hires("Bob")
    mine, other = office.starts("coat"), office.starts("coat")
    office.answers(mine, "a coat", ada)
    office.answers(other, "a coat", bob)
    office.notes(mine, "coat")
    office.rates(other, 1)
    viewer = viewer_of(mine)
    assert facet(office, viewer, "coat", "agent") == {"Ada": 2}
    assert facet(office, viewer, "coat", "rating") == {}
    assert facet(office, viewer, "coat", "kind") == {"Customers": 1, "Agents": 1}


def test_only_the_facets_asked_for_are_counted(office: Office) -> None:
    office.starts("coat")
    office.waits()
    assert set(office.asks(AGENT, "coat", facets="month,kind")["facets"]) == {"month", "kind"}


@pytest.mark.parametrize(
    ("q", "marked"),
    [
        ("parcel", "<mark>parcels</mark> delivered to the neighbour"),
        ("deliv*", "parcels <mark>delivered</mark> to the neighbour"),
        ("nieghbour~", "parcels delivered to the <mark>neighbour</mark>"),
        ('"delivered to"', "parcels <mark>delivered to</mark> the neighbour"),
        ("(parcels OR nothing)", "<mark>parcels</mark> delivered to the neighbour"),
        ("neighbour -nothing", "parcels delivered to the <mark>neighbour</mark>"),
    ],
)
def test_what_was_found_is_marked_however_it_was_found(office: Office, q: str, marked: str) -> None:
    office.starts("parcels delivered to the neighbour")
    office.waits()
    assert office.asks(AGENT, q)["items"][0]["snippet"] == marked


def test_a_typing_error_leads_to_a_word_that_several_chats_have(office: Office) -> None:
    for number in range(5):
        office.starts(f"where is my refund {number}")
    office.waits()
    assert office.asks(AGENT, "wher is my refnud")["suggestion"] == "where is my refund"
    assert (
        office.asks(AGENT, 'refnud -coat from:customer "is my"')["suggestion"] == 'refund -coat from:customer "is my"'
    )
    assert office.asks(AGENT, "refund")["suggestion"] is None
    assert office.asks(AGENT, "zzzzzzzz")["suggestion"] is None


def test_no_word_of_few_chats_is_suggested(office: Office) -> None:
    for _ in range(4):
        office.starts("canary")
    office.waits()
    assert office.asks(AGENT, "canaary")["suggestion"] is None


def test_nothing_is_suggested_that_the_asker_cannot_find(office: Office) -> None:
    mine = office.starts("where is my coat")
    for number in range(6):
        office.notes(office.starts(f"canary {number}"), "parakeet")
    office.waits()
    assert office.asks(viewer_of(mine), "canarry")["suggestion"] is None
    assert office.asks(viewer_of(mine), "parakeat")["suggestion"] is None
    assert office.asks(AGENT, "canarry")["suggestion"] == "canary"


def test_the_parts_of_a_search_are_told_as_chips(office: Office) -> None:
    office.waits()
    chips = office.asks(AGENT, 'red -blue from:ann after:7d "a b" (is:open OR agent:ada) sort:best')["chips"]
    assert [chip["text"] for chip in chips if chip["condition"]] == [
        "from:ann", "after:7d", "(is:open OR agent:ada)", "sort:best"
    ]  # fmt: skip
    assert [chip["text"] for chip in chips if not chip["condition"]] == ["red", "-blue", '"a b"']


def test_best_first_prefers_what_says_more_of_it(office: Office) -> None:
    chat = office.starts("a coat, a coat, nothing but a coat")
    office.says(chat, "one coat among many words that are about other things, such as the weather and the parcel")
    office.waits()
    assert office.asks(AGENT, "coat sort:best")["items"][0]["snippet"].startswith("a <mark>coat</mark>, a")
    assert office.asks(AGENT, "coat")["items"][0]["snippet"].startswith("one")


def test_facets_of_very_many_messages_say_that_they_are_estimated(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("search.tantivy_page.EXACT_HITS", 3)
    office.closes()
    office.opens(lambda engine: TantivyEngine(tmp_path / "tantivy"))
    chat = office.starts("coat")
    for number in (2, 3, 4):
        office.waits()
        answer = office.asks(AGENT, "coat", facets="all")
        assert answer["total"] == number - 1 and "estimated" not in answer
        office.says(chat, "coat")
    office.waits()
    answer = office.asks(AGENT, "coat", facets="all")
    assert answer["total"] == 4 and answer["estimated"] is True
    assert "estimated" not in office.asks(AGENT, "coat")


def test_no_channel_has_less_than_nothing(office: Office) -> None:
    counted = Facets({}, {"2023-11": 11}, {"via:email": 11}, estimated=True)
    with office.store.reading() as driver:
        told = facets_of(driver, counted, ("channel", "month"))
    assert [(value["label"], value["count"]) for value in told["channel"]] == [("E-mail", 11)]
