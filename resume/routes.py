"""HTTP for the way in and back: start a chat and get a token, redeem a link, or have a code mailed where it opens no
more.
"""

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, request

from history.access import Place, Viewer, chats_of, place_in
from history.chats import Send
from history.db import Store, Transaction
from history.errors import Invalid, Unauthorized
from history.mail.causes import put_code
from history.mail.limits import network_of
from history.outbox import MailPolicy
from history.start import (
    NewChat,
    check_new_chat,
    claim_beginning,
    new_customer,
    renew_customer,
    start_chat,
    unanswered_place,
)
from history.state import chat_state
from history.times import new_id, now_ms
from history.writer import Writer
from history.wsgi import json_answer, read_body
from resume.links import Links, chat_of
from resume.sessions import Sessions


def make_blueprint(
    store: Store,
    writer: Writer,
    policy: MailPolicy,
    sessions: Sessions,
    links: Links,
    identify: Callable[[], Viewer],
    check_pace: Callable[[Viewer], None],
) -> Blueprint:
    """`identify` tells who asks, or raises Unauthorized; `check_pace` raises RateLimited for who writes too quickly."""
    blueprint = Blueprint("resume", __name__, url_prefix="/api/v1")

    @blueprint.post("/chats")
    def begin() -> Response:
        body = read_body()
        new = check_new_chat(body, network_of(request.remote_addr), international=policy.international)
        viewer = identify() if "Authorization" in request.headers else None
        if viewer is None:
            place, token, is_new = writer.write(partial(welcome, new, device()))
            return json_answer(begun(place, token), 201 if is_new else 200)
        if viewer.role != "customer":
            raise Invalid("Customers start chats")
        check_pace(viewer)
        known = None if body.get("new") is True else newest_place(viewer)
        if known is None:
            check_may_start(viewer)
        place, is_new = (known, False) if known else writer.write(partial(again, new, viewer))
        if new.message and not is_new:
            writer.append(Send(place, new.message[0], None, new.message[1], reopen=True))
        return json_answer(begun(place, None), 201 if is_new else 200)

    @blueprint.post("/links/redeem")
    def redeem() -> Response:
        body = read_body()
        here = device()  # the request is known on its own thread only
        token, chat = writer.write(
            lambda transaction: links.redeem(transaction, body.get("link"), body.get("nonce"), here)
        )
        return json_answer({"token": token, "chat": chat})

    @blueprint.post("/links/code")
    def ask_for_code() -> Response:
        with store.reading() as driver:
            chat_pk = chat_of(driver, read_body().get("link"))
        return json_answer({"delivery": writer.write(lambda t: put_code(t, policy, chat_pk))}, 202)

    def welcome(new: NewChat, device: str, transaction: Transaction) -> tuple[Place, str, bool]:
        """The chat of somebody whom we do not know, a token for it, and whether it is new."""
        chat_id = new_id()
        claimed = claim_beginning(transaction, new, chat_id)
        if claimed == chat_id:
            customer_id = new_customer(transaction, new)
            place, _ = start_chat(transaction, policy, customer_id, new.name, new, chat_id)
        else:
            place = unanswered_place(transaction, new, claimed)
        return place, sessions.create(transaction, place.person_id, device), claimed == chat_id

    def again(new: NewChat, viewer: Viewer, transaction: Transaction) -> tuple[Place, bool]:
        """One more chat of a customer, and whether it is new."""
        chat_id = new_id()
        claimed = claim_beginning(transaction, new, chat_id)
        if claimed != chat_id:
            return place_in(transaction.driver, viewer, claimed), False
        name = viewer.name or renew_customer(transaction, viewer.person_id, new)
        return start_chat(transaction, policy, viewer.person_id, name, new, chat_id)[0], True

    def newest_place(viewer: Viewer) -> Place | None:
        with store.reading() as driver:
            newest = chats_of(driver, viewer, now_ms() + 1, 1)
            return place_in(driver, viewer, newest[0][1]) if newest else None

    def begun(place: Place, token: str | None) -> dict[str, object]:
        with store.reading() as driver:
            state = chat_state(driver, place.chat_pk, place.role, now_ms())
        return {"chat": place.chat_id, "token": token or bearer(), "state": state, "me": place.participant}

    return blueprint


def check_may_start(viewer: Viewer) -> None:
    """A link's session is for its one chat. Raises Unauthorized."""
    if viewer.only_chat is not None:
        raise Unauthorized("This device may only continue the one chat")


def device() -> str:
    """What a browser says of itself, for the list of devices."""
    return request.headers.get("User-Agent", "")


def bearer() -> str:
    """The token that the request came with."""
    return request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
