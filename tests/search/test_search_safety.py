"""Nobody learns by searching what is not theirs, whatever they type and wherever it would show (S34, S36, S38)."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from history.access import Viewer
from history.db import Store
from history.times import new_id
from search.shelf import Shelf
from search.whoosh_engine import WhooshEngine
from tests.search.office import AGENT, PATIENCE_SECONDS, Office, viewer_of

CANARY = "xanthippe"

TRICKS = (
    "coat", "-coat", "coat OR tea", f"{CANARY}", f"{CANARY[:4]}*", f"{CANARY}~", "xantippe", f"-{CANARY}",
    f'"{CANARY} coat"', f"(coat OR {CANARY}) -is:closed", f"from:{CANARY}", f"customer:{CANARY}", f"-customer:{CANARY}",
    f"agent:{CANARY}", "from:agent", "from:customer", "is:note", "-is:note", "has:note", "is:internal", "is:open",
    "is:waiting OR is:closed", "-is:closed", "in:web", "after:2020", "before:2099", "-before:2020", "lang:en",
    "-lang:xx", "rating:1", "-rating:1", "chat:{other}", "-chat:{mine}", "customer:@{owner}", "-customer:me",
    "from:@{owner}", "-from:me", "tenant:B", "tenant:B OR coat", "*:*", ") OR (", "coat) OR (tenant:B",
    "coat OR customer:@{owner}", "-(-customer:@{owner})", "text:coat", "tags:stream:internal", "stream:internal",
    "tags:customer:{owner}", "customer_id:{owner}", "[a TO zzz]", "chat_pk:1", "NOT coat", "coat AND NOT x",
)  # fmt: skip
WAYS = (
    {"facets": "all", "context": "messages"},
    {"collapse": "chat", "context": "messages", "sort": "old"},
    {"sort": "best"},
)


@pytest.fixture(scope="module")
def shared_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One office for all tests that only ask, with one coat that has no other."""
    folder = tmp_path_factory.mktemp("shared")
    store = Store(f"sqlite:///{folder / 'record.db'}")
    store.migrate()
    office = Office(store, folder / "index")
    office.opens()
    office.starts("the only coat of its kind, a kaftan")
    office.waits()
    yield office
    office.stop()
    store.close()


def people_in(office: Office) -> tuple[dict[str, Viewer], dict[str, str]]:
    """Alex with two chats, a link into the first of them, a stranger; and whose chat holds the canary. Ann, the owner
    of the canary, is called so, too; six chats have it, so that it might be suggested."""
    first = office.starts("my red coat", "Alex")
    office.answers(first, "which coat?")
    office.notes(first, f"{CANARY} coat, says the {CANARY}")
    office.says(first, "the red one")
    second = office.starts_another(first, "a coat for the rain")
    owner = office.starts(f"{CANARY} coat", CANARY.capitalize())
    for _ in range(5):
        office.starts_another(owner, f"the {CANARY} coat again")
    agent = office.hires(CANARY.capitalize())
    office.answers(owner, f"a {CANARY} answer about the coat", agent)
    office.rates(owner, 1)
    office.waits()
    alex = viewer_of(first)
    viewers = {
        "alex": alex,
        "link": replace(alex, only_chat=first.chat_id),
        "stranger": Viewer("customer", new_id(), "Stranger"),
    }
    return viewers, {"other": owner.chat_id, "mine": second.chat_id, "owner": owner.person_id}


def secrets_in(answer: dict[str, object], q: str) -> bool:
    """Whether an answer holds what the asker has not typed: chips and hints repeat the search."""
    told = {name: value for name, value in answer.items() if name not in ("chips", "hint", "detail")}
    suggested = str(told.pop("suggestion", ""))
    return CANARY in json.dumps(told).lower() or (CANARY in suggested and CANARY not in q)


@pytest.mark.parametrize("degraded", [False, True])
def test_no_trick_shows_a_customer_what_others_said(office: Office, degraded: bool) -> None:
    viewers, names = people_in(office)
    own = {"alex": {"my red coat", "which coat?", "the red one", "a coat for the rain"}, "stranger": set()}
    own["link"] = own["alex"] - {"a coat for the rain"}
    if degraded:
        office.closes()
        office.shelf = Shelf(office.store, lambda place: WhooshEngine(office.root / f"no {place}", PATIENCE_SECONDS))
    for who, viewer in viewers.items():
        for trick in TRICKS:
            for way in WAYS:
                q = trick.format(**names)
                answer = office.asks(viewer, q, **way)
                assert answer["status"] in (200, 422), (who, q)
                assert not secrets_in(answer, q), (who, q, answer)
                assert answer.get("total", 0) <= len(own[who]), (who, q)
                assert (answer.get("chats") or 0) <= 2, (who, q)  # null where chats are not asked for
                for values in answer.get("facets", {}).values():
                    assert all(value["count"] <= len(own[who]) for value in values), (who, q)
                assert ("degraded" in answer) is (degraded and answer["status"] == 200), (who, q)
    office.shelf.close()


def test_an_agent_finds_what_customers_do_not(office: Office) -> None:
    people_in(office)
    assert office.asks(AGENT, CANARY)["total"] == 8
    assert office.asks(AGENT, f"{CANARY} is:note")["total"] == 1


@pytest.mark.parametrize("name", ["q", "sort", "cursor", "facets", "collapse", "context"])
@pytest.mark.parametrize(
    "value",
    [
        "' OR 1=1 --", '"; DROP TABLE chat; --', '{"$gt": ""}', '{"$ne": null}', "[]", "null", "true", "%", "%25", "_",
        "\x00", "coat\x00", "\ud7ff\uffff", "🤷\u200d♀️", "-1", "1e309", "__proto__", "a" * 500, "../../etc/passwd",
        "{{7*7}}", "${7*7}", "<script>", "\\", "\n", "%s%n", "AAAAAAAAAAAAAAAAAAAAAA==", "==", "\u202e",
    ],
)  # fmt: skip
def test_no_parameter_is_read_as_anything_else(shared_office: Office, name: str, value: str) -> None:
    answer = shared_office.asks(AGENT, **{"q": "coat", name: value})
    assert answer["status"] in (200, 422), answer
    if answer["status"] == 422:
        assert answer["code"] == "invalid" and answer["detail"]
    assert shared_office.asks(AGENT, "kaftan")["total"] == 1


@pytest.mark.parametrize("query", [{"q[$ne]": "1"}, {"q[]": "coat"}, {"q.x": "coat"}, {}])
def test_parameters_of_other_names_are_none(shared_office: Office, query: dict[str, str]) -> None:
    assert shared_office.asks(AGENT, q="", **query)["status"] == 422


def test_a_cursor_leads_nobody_out_of_the_own_chats(office: Office) -> None:
    mine = office.starts("coat 0")
    other = office.starts("coat of others")
    for number in range(25):
        office.says(other, f"coat of others {number}")
        office.says(mine, f"coat {number}")
    office.waits()
    for sort in ("new", "old", "best"):
        for collapse in ({}, {"collapse": "chat"}):
            cursor = office.asks(AGENT, "coat", sort=sort)["next"]
            answer = office.asks(viewer_of(mine), "coat", sort=sort, cursor=cursor, **collapse)
            assert answer["status"] in (200, 422)
            assert {item["chat"] for item in answer.get("items", [])} <= {mine.chat_id}


@pytest.mark.parametrize(
    "text",
    [
        "<mark>coat</mark>", "<b>coat</b>", "coat<script>alert(1)</script>", '"coat" onmouseover="x"', "<coat>",
        "&lt;coat&gt;", "<img src=x onerror=coat>", "coat</mark><script>", "'coat'", "<!-- coat -->",
    ],
)  # fmt: skip
def test_markup_around_and_in_a_hit_is_shown_as_text(shared_office: Office, text: str) -> None:
    """S38, also in what was said around it."""
    office = shared_office
    chat = office.starts(f"{text} before")
    office.says(chat, text)
    office.waits()
    (item,) = office.asks(AGENT, f"coat chat:{chat.chat_id} -before", context="messages")["items"]
    rest = item["snippet"].replace("<mark>", "").replace("</mark>", "")
    assert not set("<>\"'") & set(rest)
    assert item["snippet"].count("<mark>") == item["snippet"].count("</mark>") >= 1
    assert item["before"][0]["text"] == f"{text} before"
