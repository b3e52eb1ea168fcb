"""Mails as they came, for agents: behind a message that was cut down there is all that its sender wrote, for a while.
One that was held back can be let through. Also the rule by which they are forgotten. The blueprint and the watch are
made in `app.py`.
"""

from collections.abc import Callable, Iterator

from flask import Blueprint, Response

from history.access import Viewer, check_agent
from history.db import Store, Transaction
from history.errors import NotFound
from history.mail.receive.reading import ReadMail, fields, read_mail
from history.mail.receive.receiver import Receiver
from history.times import now_ms
from history.watch import Watch
from history.writer import Writer
from history.wsgi import json_answer

ORIGINAL = (
    "SELECT m.raw FROM mail_inbound m WHERE m.id = ? AND m.raw_until_ms > ? AND NOT EXISTS (SELECT 1 FROM event e "
    "WHERE e.chat_pk = m.chat_pk AND e.stream = 0 AND e.seq = m.event_seq AND e.digest IS NOT NULL)"
)
"""What was taken out of the chat is not shown here either."""

FORGET = (
    "UPDATE mail_inbound SET raw = NULL WHERE raw IS NOT NULL AND (raw_until_ms <= ? OR EXISTS (SELECT 1 FROM event e "
    "WHERE e.chat_pk = mail_inbound.chat_pk AND e.stream = 0 AND e.seq = mail_inbound.event_seq "
    "AND e.digest IS NOT NULL))"
)
FORGET_EVERY_SECONDS = 3600.0
FORGET_PATIENCE_SECONDS = 60.0

SHOWN = ("From", "To", "Cc", "Date", "Subject", "Message-ID", "Authentication-Results")


def make_blueprint(store: Store, receiver: Receiver, identify: Callable[[], Viewer]) -> Blueprint:
    blueprint = Blueprint("mails", __name__, url_prefix="/desk/mails")

    @blueprint.get("/<mail_id>")
    def show(mail_id: str) -> Response:
        """The mail's text, whole, and what it says of itself."""
        return plain("\n".join(readable(read_mail(original(mail_id)))).encode(), "text/plain; charset=utf-8")

    @blueprint.get("/<mail_id>.eml")
    def download(mail_id: str) -> Response:
        """The mail's bytes, with its files."""
        answer = plain(original(mail_id), "application/octet-stream")
        answer.headers["Content-Disposition"] = f'attachment; filename="{mail_id}.eml"'
        return answer

    @blueprint.post("/<mail_id>/release")
    def release(mail_id: str) -> Response:
        viewer = identify()
        receiver.release(mail_id, original(mail_id), viewer.name)
        return json_answer({"released": True})

    def original(mail_id: str) -> bytes:
        check_agent(identify())
        with store.reading() as driver:
            row = driver.row(ORIGINAL, mail_id, now_ms())
        if row is None or row[0] is None:
            raise NotFound("This mail is not kept any more")
        return bytes(row[0])

    return blueprint


def plain(content: bytes, kind: str) -> Response:
    """A stranger's content, which no browser may take for a page."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, 200, headers, content_type=kind)


def readable(mail: ReadMail) -> Iterator[str]:
    for name in SHOWN:
        yield from (f"{name}: {' '.join(value.split())}" for value in fields(mail.message, name))
    yield from (f"[{file.name}]" for file in mail.files)
    yield ""
    yield mail.text


def forget_originals(transaction: Transaction) -> int:
    """Drops the bytes of mails whose time is up, or whose message was redacted; returns of how many."""
    return transaction.driver.run(FORGET, transaction.now_ms)


def forgetting_watch(writer: Writer) -> Watch:
    def look() -> None:
        writer.write(forget_originals)

    return Watch("originals", look, FORGET_EVERY_SECONDS, FORGET_PATIENCE_SECONDS)
