"""The desk, where agents work: its pages and assets, signing in and out, and what it asks about people and chats.

The pages are static and the same for everybody; what they show comes over the live connection and HTTP, as it does for
any client. `app.py` wires the blueprint.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request, send_from_directory

from history import agents
from history.access import Viewer, check_agent, place_in
from history.db import Store
from history.errors import Invalid
from history.rendering import environment
from history.times import SECOND_MS, now_ms
from history.writer import Writer
from history.wsgi import check_same_origin, json_answer, read_body
from search.desk.customers import customer_card, customer_of
from search.desk.people import people_named
from search.engine import Engine
from search.similar import similar_chats

COOKIE = "stillhere_desk"
FOLDER = Path(__file__).parent
TEMPLATES = environment(FOLDER / "html")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_blueprint(
    store: Store, writer: Writer, engine: Engine, brand: str, secure_cookies: bool, identify: Callable[[], Viewer]
) -> Blueprint:
    """`identify` tells who asks, or raises Unauthorized. With `secure_cookies` the cookie travels over HTTPS only."""
    blueprint = Blueprint("desk", __name__)
    cookie: dict[str, Any] = {"path": "/", "secure": secure_cookies, "httponly": True, "samesite": "Strict"}
    desk_page = TEMPLATES.get_template("desk.html").render(brand=brand)
    sign_in_page = TEMPLATES.get_template("sign_in.html").render(brand=brand)

    @blueprint.before_request
    def check_caller() -> None:
        check_same_origin()

    @blueprint.after_request
    def guard(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @blueprint.get("/desk")
    def show_desk() -> Response:
        return page(desk_page)

    @blueprint.get("/desk/sign-in")
    def show_sign_in() -> Response:
        return page(sign_in_page)

    @blueprint.post("/desk/sign-in")
    def sign_in() -> Response:
        secret = read_body().get("secret")
        if not isinstance(secret, str):
            raise Invalid("`secret` must be the text behind the # of a sign-in link")
        value = writer.write(lambda transaction: agents.sign_in(transaction, secret))
        response = json_answer({})
        response.set_cookie(COOKIE, value, max_age=agents.BROWSER_LIFE_MS // SECOND_MS, **cookie)
        return response

    @blueprint.post("/desk/sign-out")
    def sign_out() -> Response:
        value = request.cookies.get(COOKIE)
        if value:
            writer.write(lambda transaction: agents.sign_out(transaction, value))
        response = json_answer({})
        response.delete_cookie(COOKIE, **cookie)
        return response

    @blueprint.get("/desk/assets/<name>")
    def asset(name: str) -> Response:
        return send_from_directory(FOLDER / "assets", name)

    @blueprint.get("/api/v1/me")
    def show_me() -> Response:
        viewer = identify()
        return json_answer({"id": viewer.person_id, "name": viewer.name, "role": viewer.role})

    @blueprint.get("/api/v1/customers/<customer>")
    def show_customer(customer: str) -> Response:
        check_agent(identify())
        with store.reading() as driver:
            return json_answer(customer_card(driver, customer, now_ms()))

    @blueprint.get("/api/v1/chats/<chat>/customer")
    def show_customer_of(chat: str) -> Response:
        viewer = identify()
        check_agent(viewer)
        with store.reading() as driver:
            customer = customer_of(driver, place_in(driver, viewer, chat))
            return json_answer(customer_card(driver, customer, now_ms()))

    @blueprint.get("/api/v1/chats/<chat>/similar")
    def show_similar(chat: str) -> Response:
        viewer = identify()
        check_agent(viewer)
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
        return json_answer({"items": similar_chats(store, engine, viewer, place), "next": None})

    @blueprint.get("/api/v1/people")
    def show_people() -> Response:
        check_agent(identify())
        with store.reading() as driver:
            return json_answer({"items": people_named(driver, request.args.get("name", "")), "next": None})

    return blueprint


def page(html: str) -> Response:
    """A static page, which browsers ask about each time and fetch when it has changed."""
    response = Response(html, headers={"Cache-Control": "no-cache"})
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]
