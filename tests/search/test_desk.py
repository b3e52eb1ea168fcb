"""The desk over HTTP: its pages, signing in and out, and what agents may know of customers."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from history.access import Viewer
from history.agents import add_agent, agent_of, new_sign_in
from history.times import now_ms
from history.wsgi import answer_errors
from search.desk.pages import COOKIE, make_blueprint
from tests.search.office import Office, viewer_of

HERE = {"Origin": "http://localhost"}
ELSEWHERE = {"Origin": "http://elsewhere.example"}


class Desk:
    """A browser at the desk. `customer` is who asks while nobody is signed in."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.customer: Viewer | None = None
        app = Flask(__name__)
        answer_errors(app)
        app.register_blueprint(
            make_blueprint(office.store, office.writer, office.shelf, "Marlow & Finch", False, self.identify)
        )
        self.browser: FlaskClient = app.test_client()

    def identify(self) -> Viewer:
        if self.customer:
            return self.customer
        with self.office.store.reading() as driver:
            return agent_of(driver, "browser", request.cookies.get(COOKIE, ""), now_ms())

    def link(self, name: str = "Mira") -> str:
        """The secret of a fresh sign-in link."""
        write = self.office.writer.write
        agent_id = write(lambda transaction: add_agent(transaction, name, f"{name.lower()}@example.com"))
        return write(lambda transaction: new_sign_in(transaction, agent_id))

    def signs_in(self, secret: str, headers: dict[str, str] = HERE) -> int:
        return self.browser.post("/desk/sign-in", json={"secret": secret}, headers=headers).status_code


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    yield Desk(office)


def test_a_link_signs_in_once(desk: Desk) -> None:
    secret = desk.link("Mira")
    assert desk.signs_in(secret) == 200
    assert desk.browser.get("/api/v1/me").json["name"] == "Mira"
    desk.browser.delete_cookie(COOKIE)
    assert desk.signs_in(secret) == 401
    assert desk.browser.get("/api/v1/me").status_code == 401


def test_opening_a_link_does_not_use_it_up(desk: Desk) -> None:
    secret = desk.link()
    assert desk.browser.get("/desk/sign-in").status_code == 200
    assert desk.signs_in(secret) == 200


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(desk: Desk) -> None:
    secret = desk.link()
    cookie = desk.browser.post("/desk/sign-in", json={"secret": secret}, headers=HERE).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie


@pytest.mark.parametrize("headers", [ELSEWHERE, {}, {"Origin": "null"}])
def test_other_pages_cannot_sign_in_or_out(desk: Desk, headers: dict[str, str]) -> None:
    secret = desk.link()
    assert desk.signs_in(secret, headers) == 403
    assert desk.signs_in(secret) == 200
    assert desk.browser.post("/desk/sign-out", headers=headers).status_code == 403
    assert desk.browser.get("/api/v1/me").status_code == 200


def test_who_signs_out_is_out_even_with_a_kept_cookie(desk: Desk) -> None:
    desk.signs_in(desk.link())
    kept = desk.browser.get_cookie(COOKIE).value
    assert desk.browser.post("/desk/sign-out", headers=HERE).status_code == 200
    assert desk.browser.get_cookie(COOKIE) is None
    desk.browser.set_cookie(COOKIE, kept)
    assert desk.browser.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("secret", [None, 7, "", "\ud800", "no such secret"])
def test_what_is_no_secret_signs_nobody_in(desk: Desk, secret: object) -> None:
    answer = desk.browser.post("/desk/sign-in", json={"secret": secret}, headers=HERE)
    assert answer.status_code in (401, 422)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/desk", "/desk/sign-in"])
def test_pages_name_the_brand_and_let_only_their_own_scripts_run(desk: Desk, path: str) -> None:
    answer = desk.browser.get(path)
    assert "Marlow &amp; Finch" in answer.text
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*src=)| style=| on[a-z]+=", answer.text)
    again = desk.browser.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_all_that_the_page_names_is_there(desk: Desk) -> None:
    names = re.findall(r'"(/desk/assets/[^"]+)"', desk.browser.get("/desk").text)
    assert len(names) > 3
    for name in names:
        with desk.browser.get(name) as answer:
            assert answer.status_code == 200, name


@pytest.mark.parametrize("name", ["../pages.py", "%2e%2e/pages.py", "missing.js"])
def test_nothing_but_assets_is_handed_out(desk: Desk, name: str) -> None:
    assert desk.browser.get(f"/desk/assets/{name}").status_code == 404


def test_agents_see_a_customer_with_all_chats(desk: Desk) -> None:
    chat = desk.office.starts("hello", name="Alex")
    desk.signs_in(desk.link())
    card = desk.browser.get(f"/api/v1/chats/{chat.chat_id}/customer").json
    assert (card["id"], card["name"]) == (chat.person_id, "Alex")
    assert [state["chat"] for state in card["chats"]] == [chat.chat_id]
    assert card == desk.browser.get(f"/api/v1/customers/{chat.person_id}").json


def test_customers_are_nothing_that_customers_may_ask_for(desk: Desk) -> None:
    chat = desk.office.starts("hello")
    desk.customer = viewer_of(chat)
    assert desk.browser.get(f"/api/v1/customers/{chat.person_id}").status_code == 404
    assert desk.browser.get(f"/api/v1/chats/{chat.chat_id}/customer").status_code == 404


def test_an_unknown_customer_or_chat_is_not_there(desk: Desk) -> None:
    desk.signs_in(desk.link())
    assert desk.browser.get("/api/v1/customers/nobody").status_code == 404
    assert desk.browser.get("/api/v1/chats/nothing/customer").status_code == 404


def test_people_are_found_by_the_beginning_of_a_name(desk: Desk) -> None:
    desk.signs_in(desk.link("Mira"))
    for name in ("Ann Miller", "Émile", "100%", "a_b"):
        desk.office.starts("hello", name)

    def named(beginning: str) -> list[str]:
        return [
            one["name"] for one in desk.browser.get("/api/v1/people", query_string={"name": beginning}).json["items"]
        ]

    assert named("mi") == ["Mira", "Ann Miller"]
    assert (named("émi"), named("100%"), named("a_"), named("%"), named(" ")) == (["Émile"], ["100%"], ["a_b"], [], [])


def test_solved_chats_that_are_alike_are_shown_with_the_words_in_common(desk: Desk) -> None:
    office = desk.office
    solved = office.starts("The thermostat of my radiator drips since yesterday", "Ann")
    office.answers(solved, "Turn the valve and tighten the gasket")
    office.rates(solved, 5)
    office.ends(solved)
    open_chat = office.starts("A radiator with a thermostat that drips", "Bea")
    for number in range(30):
        office.ends(office.starts(f"something else about the parcel {number}"))
    present = office.starts("My radiator drips at the thermostat", "Cleo")
    office.waits()
    desk.signs_in(desk.link())
    (item,) = desk.browser.get(f"/api/v1/chats/{present.chat_id}/similar").json["items"]
    assert (item["chat"], item["customer"]["name"], item["score"]) == (solved.chat_id, "Ann", 5)
    assert set(item["words"]) == {"radiator", "thermostat", "drips"}
    assert item["chat"] != open_chat.chat_id


def test_similar_chats_and_people_are_for_agents_only(desk: Desk) -> None:
    chat = desk.office.starts("hello")
    desk.customer = viewer_of(chat)
    assert desk.browser.get(f"/api/v1/chats/{chat.chat_id}/similar").status_code == 404
    assert desk.browser.get("/api/v1/people?name=a").status_code == 404


def test_nothing_is_similar_to_a_chat_of_no_telling_words(desk: Desk) -> None:
    chat = desk.office.starts("hello")
    desk.office.waits()
    desk.signs_in(desk.link())
    assert desk.browser.get(f"/api/v1/chats/{chat.chat_id}/similar").json == {"items": [], "next": None}
    assert desk.browser.get("/api/v1/chats/nothing/similar").status_code == 404
