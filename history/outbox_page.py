"""The local outbox: what was mailed, as a mail program would show it, for demos and development.

Mails carry keys to chats, so it answers only to somebody at this very machine: a loopback client that came
through no proxy, asking for a local name (which keeps out foreign pages whose name was pointed here).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from babel import Locale
from flask import Blueprint, Response, abort, request
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from history.db import Store
from history.local_time import local_time
from history.mail.compose import compose
from history.mail.samples import SAMPLES, chats, sample
from history.mail.tables import OutboxItem
from history.rendering import environment
from history.sentences import language_of
from history.times import SECOND_MS, now_ms

MOST_ITEMS = 100
LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
UNDER_WAY = {"ready", "leased", "started"}
FILE_NAME = re.compile(r"[0-9TZ]+-[0-9a-f-]+\.eml")
SAMPLE_NAME = re.compile(r"sample-([a-z]+)-([a-z]{2})\.eml")
VIEWS = ("html", "text", "source")
KINDS = {
    "transcript": "Transcript",
    "away": "Answer while away",
    "copy": "Copy",
    "confirm": "Question to an address",
    "code": "Code",
}
HEADERS = ("From", "To", "Date", "Subject")

PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

TEMPLATES = environment(Path(__file__).parent / "templates")
STYLE = Path(__file__).parent / "templates" / "outbox.css"


@dataclass(frozen=True, slots=True)
class Listed:
    """An outbox item as a line of the list. `file` is empty while there is none."""

    kind: str
    at: str
    recipient: str
    subject: str
    state: str
    words: str
    """The state in words, with when and why."""
    file: str


def make_blueprint(store: Store, outbox_folder: Path) -> Blueprint:
    """The pages under `/outbox`, over the mails in `outbox_folder`."""
    blueprint = Blueprint("outbox", __name__, url_prefix="/outbox")
    blueprint.before_request(check_local)
    blueprint.after_request(keep_out_of_caches)

    @blueprint.get("")
    def list_of_mails() -> Response:
        with store.session() as db:
            mails = list(listed(db, outbox_folder))
        return page("outbox.html", mails=mails, waiting=any(mail.state in UNDER_WAY for mail in mails))

    @blueprint.get("/outbox.css")
    def style() -> Response:
        return Response(STYLE.read_bytes(), mimetype="text/css")

    @blueprint.get("/samples")
    def samples() -> Response:
        return page("outbox_samples.html", kinds=SAMPLES, languages={code: endonym(code) for code in chats()})

    @blueprint.get("/<name>")
    def mail(name: str) -> Response:
        content = read_mail(outbox_folder, name)
        view = request.args.get("view", VIEWS[0])
        if view not in VIEWS:
            abort(404)
        parsed = parse(content)
        headers = [(header, str(parsed[header])) for header in HEADERS]
        text = part(parsed, "plain") if view == "text" else content.decode("utf-8", "replace")
        return page("outbox_mail.html", name=name, headers=headers, view=view, views=VIEWS, text=text)

    @blueprint.get("/<name>/html")
    def html(name: str) -> Response:
        content = part(parse(read_mail(outbox_folder, name)), "html")
        shown = content.replace("<head>", '<head><base target="_blank">', 1)
        return Response(shown, headers={"Content-Security-Policy": MAIL_POLICY})

    return blueprint


def check_local() -> None:
    """Absent for everybody but a browser on this machine."""
    name = re.sub(r":\d+$", "", request.host)
    at_this_machine = request.remote_addr in {"127.0.0.1", "::1"} and name in LOCAL_NAMES
    if not at_this_machine or "X-Forwarded-For" in request.headers:
        abort(404)


def keep_out_of_caches(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def listed(db: DbSession, folder: Path) -> Iterator[Listed]:
    """The newest items, each with its file if it has one."""
    files = {path.stem.partition("-")[2]: path for path in folder.glob("*.eml")}
    time = local_time(language_of("en"), "UTC")
    newest = select(OutboxItem).order_by(col(OutboxItem.created_ms).desc()).limit(MOST_ITEMS)
    for item in db.exec(newest):
        file = files.get(item.id)
        at_ms = item.done_ms or item.due_ms
        yield Listed(
            kind=KINDS.get(item.kind, item.kind),
            at=f"{time.date(at_ms)}, {time.clock(at_ms)}",
            recipient=item.recipient,
            subject=str(parse(file.read_bytes())["Subject"]) if file else "",
            state=item.state,
            words=state_words(item, now_ms()),
            file=file.name if file else "",
        )


def state_words(item: OutboxItem, at_ms: int) -> str:
    if item.state == "ready":
        seconds = max(0, item.due_ms - at_ms) // SECOND_MS
        again = f" again, after: {item.reason}" if item.reason else ""
        return f"goes out in {seconds} s{again}"
    return f"{item.state}: {item.reason}" if item.reason else item.state


def page(template: str, **values: Any) -> Response:
    html = TEMPLATES.get_template(template).render(**values)
    return Response(html, headers={"Content-Security-Policy": PAGE_POLICY})


def endonym(code: str) -> str:
    """What a language is called by those who speak it."""
    return str(Locale(code).get_display_name())


def read_mail(folder: Path, name: str) -> bytes:
    """A mail of the folder, or a made one that is called `sample-{kind}-{language}.eml`."""
    made = SAMPLE_NAME.fullmatch(name)
    if made and made[1] in SAMPLES and made[2] in chats():
        return compose(sample(made[1], made[2]))
    path = folder / name
    if not FILE_NAME.fullmatch(name) or not path.is_file():
        abort(404)
    return path.read_bytes()


def parse(content: bytes) -> EmailMessage:
    parsed = message_from_bytes(content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body((subtype,))
    return "" if body is None else str(body.get_content())
