"""HTTP for mail: copies on request and what became of mails (protocol 5), and the pages that mails lead to, where the
owner of an address allows a copy, or wants no more mails about a chat. A GET changes nothing.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, request

from history.access import Viewer, place_in
from history.clean import isolated, one_line
from history.db import Store, Transaction
from history.errors import NotFound
from history.mail.causes import confirm_copy, mail_of_secret, put_copy
from history.mail.deliveries import deliveries
from history.mail.events import away_scope, suppress
from history.mail.limits import network_of
from history.outbox import MailPolicy
from history.rendering import environment
from history.start import check_email
from history.writer import Writer
from history.wsgi import json_answer, read_body, reader_language

SECRET_LETTERS = 100
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
TEMPLATES = environment(Path(__file__).parent / "pages")
SCRIPT = Path(__file__).parent / "pages" / "confirm.js"


def make_blueprint(
    store: Store, writer: Writer, policy: MailPolicy, brand: str, identify: Callable[[], Viewer]
) -> Blueprint:
    """`identify` tells who asks, or raises Unauthorized."""
    blueprint = Blueprint("mail", __name__)

    @blueprint.post("/api/v1/chats/<chat>/transcript")
    def ask_for_copy(chat: str) -> Response:
        viewer, email = identify(), check_email(read_body().get("email"), policy.international)
        network = network_of(request.remote_addr)
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
        item_id = writer.write(lambda t: put_copy(t, policy, place.chat_pk, email, network))
        return json_answer({"delivery": item_id}, 202)

    @blueprint.get("/api/v1/chats/<chat>/deliveries")
    def show_deliveries(chat: str) -> Response:
        viewer = identify()
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
            return json_answer({"items": deliveries(driver, place.chat_pk), "next": None})

    @blueprint.post("/api/v1/mail/confirm")
    def confirm() -> Response:
        secret = read_body().get("secret")
        if not isinstance(secret, str):
            raise NotFound("This link is not known")
        writer.write(lambda t: confirm_copy(t, hash_of(secret)))
        return json_answer({"confirmed": True})

    @blueprint.get("/mail/confirm")
    def confirm_page() -> Response:
        return page("confirm.html", brand)

    @blueprint.get("/mail/confirm.js")
    def confirm_script() -> Response:
        return Response(SCRIPT.read_bytes(), mimetype="text/javascript")

    @blueprint.get("/mail/mute/<secret>")
    def mute_page(secret: str) -> Response:
        try:
            with store.reading() as driver:
                mail_of_secret(driver, hash_of(secret))
        except NotFound as error:
            return page("mute.html", brand, error.status, step="lost")
        return page("mute.html", brand, step="ask")

    @blueprint.post("/mail/mute/<secret>")
    def mute(secret: str) -> Response:
        try:
            writer.write(lambda t: mute_chat(t, hash_of(secret)))
        except NotFound as error:
            return page("mute.html", brand, error.status, step="lost")
        return page("mute.html", brand, step="done")

    return blueprint


def mute_chat(transaction: Transaction, secret_hash: str) -> None:
    """No more mails about unread answers of the chat go to the recipient of the mail with this secret."""
    chat_pk, recipient_hash = mail_of_secret(transaction.driver, secret_hash)
    suppress(transaction, recipient_hash, "these mails are not wanted any more", scope=away_scope(chat_pk))


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret[:SECRET_LETTERS].encode()).hexdigest()


def page(template: str, brand: str, status: int = 200, **values: object) -> Response:
    """A page in the reader's language."""
    language = reader_language()
    name = isolated(one_line(brand), language.direction)
    html = TEMPLATES.get_template(template).render(language=language, say=language.say, brand=name, **values)
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(html, status, mimetype="text/html", headers=headers)
