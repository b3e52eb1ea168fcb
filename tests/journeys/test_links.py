"""The link in the mail opens the same chat on another device; it works once, and only for who presses the button."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from time import monotonic

import pytest

from history.times import new_id
from tests.conftest import Serve
from tests.dump import connected, everything, rows
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server
from tests.web import Answer, ask

PATIENCE_S = 15


@pytest.fixture
def prompt(serve: Serve) -> Server:
    """A server that mails a transcript at once."""
    return serve(SETTLE_SECONDS="0")


def ended_chat(server: Server, record: Record) -> tuple[Customer, Agent]:
    ann = Customer(record, "Ann").starts(server, "Where is my parcel?", email="ann@gmail.com")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    robin.says("At the depot")
    ann.sees("At the depot")
    robin.closes()
    ann.sees_status("closed")
    return ann, robin


def mail_to(person: Customer, folder: Path) -> EmailMessage:
    """The mail, once it is there."""
    deadline = monotonic() + PATIENCE_S
    while not (files := list((folder / "outbox").glob("*.eml"))):
        assert monotonic() < deadline, "no mail came"
        person.hears(0.05)
    (file,) = files
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link_in(mail: EmailMessage, server: Server) -> str:
    """The part of the link behind the #."""
    found = re.search(rf"{re.escape(server.url)}/link#(\S+)", text_of(mail))
    assert found, text_of(mail)
    return found[1]


def redeem(server: Server, link: str, nonce: str) -> Answer:
    return ask(server.port, "POST", "/api/v1/links/redeem", {"link": link, "nonce": nonce})


def test_the_link_of_the_mail_opens_the_chat_once(prompt: Server, record: Record) -> None:
    ann, robin = ended_chat(prompt, record)
    other = Customer(record, "Ben").starts(prompt, "I am another")
    mail = mail_to(ann, prompt.folder)
    assert mail["To"] == "ann@gmail.com"
    assert "Where is my parcel?" in text_of(mail)
    assert "At the depot" in text_of(mail)
    link, nonce = link_in(mail, prompt), new_id()

    settled = everything(prompt.database_url)
    for method in ("GET", "HEAD") * 10:
        page = ask(prompt.port, method, "/link")
        assert page.status == 200
        assert "Set-Cookie" not in page.headers
    assert everything(prompt.database_url) == settled

    first = redeem(prompt, link, nonce)
    assert first.status == 200
    assert first.json["chat"] == ann.chat
    assert redeem(prompt, link, nonce).json == first.json
    stranger = redeem(prompt, link, new_id())
    assert (stranger.status, stranger.json["code"]) == (409, "conflict")

    phone = ann.on_another_device(first.json["token"])
    assert phone.texts() == ["Where is my parcel?", "At the depot"]
    assert [chat["chat"] for chat in phone.asks("GET", "/chats").json["items"]] == [ann.chat]
    started = ann.asks("POST", "/chats", {"new": True})
    assert started.status == 201
    for foreign in (other.chat, started.json["chat"]):
        assert phone.asks("GET", f"/chats/{foreign}").status == 404
    assert phone.asks("POST", "/chats", {"new": True}).status == 401
    phone.says("It is here now", reopen=True)
    robin.sees("It is here now")
    robin.sees_status("open", "waiting", thread=2)


def test_a_link_that_is_too_old_opens_nothing(prompt: Server, record: Record) -> None:
    ann, _ = ended_chat(prompt, record)
    link = link_in(mail_to(ann, prompt.folder), prompt)
    with connected(prompt.database_url) as database:
        database.exec_driver_sql("UPDATE link SET expires_ms = 1")
        database.commit()
    answer = redeem(prompt, link, new_id())
    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_a_chat_that_goes_on_is_not_mailed(serve: Serve, record: Record) -> None:
    server = serve(SETTLE_SECONDS="2")
    ann, robin = ended_chat(server, record)
    ann.says("One more thing", reopen=True)
    assert mails(server) == [("cancelled", 1)]
    robin.accepts()
    robin.says("Yes?")
    robin.closes()
    assert mails(server) == [("cancelled", 1), ("ready", 2)]
    mail = mail_to(ann, server.folder)
    assert "One more thing" in text_of(mail)
    assert "cancelled" in {state for state, _ in mails(server)}


def mails(server: Server) -> list[tuple[str, int]]:
    """(state, thread) of what is to be mailed."""
    with connected(server.database_url) as database:
        found = rows(database, "SELECT state, thread FROM outbox_item ORDER BY thread")
    return [(item["state"], item["thread"]) for item in found]


def test_nothing_is_mailed_to_an_address_that_no_agent_answered(prompt: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(prompt, "Hello", email="victim@gmail.com")
    ann.closes()
    assert mails(prompt) == []
