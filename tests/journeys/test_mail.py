"""Mail by the doors: copies on request, what became of mails, and the pages that mails lead to."""

import re
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from history.times import new_id
from tests.conftest import Serve
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server
from tests.web import Answer, ask

PATIENCE_S = 20


@pytest.fixture
def prompt(serve: Serve) -> Server:
    """A server that mails a transcript, and an unread answer, at once."""
    return serve(SETTLE_SECONDS="0", AWAY_MAIL_SECONDS="1")


def talk(server: Server, record: Record, **more: Any) -> tuple[Customer, Agent]:
    ann = Customer(record, "Ann").starts(server, "Where is my parcel?", **{"email": "ann@gmail.com", **more})
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    robin.says("At the depot")
    ann.sees("At the depot")
    return ann, robin


def asks(person: Customer | Agent, chat: str, **body: Any) -> Answer:
    path = f"/api/v1/chats/{chat}/transcript"
    return ask(person.server.port, "POST", path, body, person.token)


def deliveries(person: Customer | Agent, chat: str) -> list[dict[str, Any]]:
    answer = ask(person.server.port, "GET", f"/api/v1/chats/{chat}/deliveries", token=person.token)
    assert answer.status == 200, answer
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def delivered(person: Customer | Agent, chat: str, id: str, state: str = "sent") -> dict[str, Any]:
    """The delivery, once it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        (found,) = (item for item in deliveries(person, chat) if item["id"] == id)
        if found["state"] == state:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def mail_of(folder: Path, id: str) -> EmailMessage:
    (file,) = (folder / "outbox").glob(f"*-{id}.eml")
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_copy_is_mailed_when_somebody_asks_and_everybody_sees_what_became_of_it(
    prompt: Server, record: Record
) -> None:
    ann, robin = talk(prompt, record)
    answer = asks(ann, ann.chat)
    assert answer.status == 202
    told = delivered(ann, ann.chat, answer.json["delivery"])
    assert (told["kind"], told["to"], told["attempts"], told["trouble"]) == ("copy", "ann@gmail.com", 1, False)
    assert told["last_answer"]["phase"] == "done"
    assert deliveries(robin, ann.chat) == deliveries(ann, ann.chat)
    again = asks(robin, ann.chat)
    assert again.status == 202 and again.json["delivery"] != told["id"]
    delivered(robin, ann.chat, again.json["delivery"])
    first, second = (mail_of(prompt.folder, id) for id in (told["id"], again.json["delivery"]))
    assert first["Message-ID"] != second["Message-ID"]
    assert second["In-Reply-To"] == first["Message-ID"]
    refused = asks(ann, ann.chat)
    assert (refused.status, refused.json["code"]) == (429, "rate")
    assert "can be downloaded" in refused.json["detail"]


def test_somebody_else_gets_a_copy_only_after_pressing_the_button_of_a_mail(prompt: Server, record: Record) -> None:
    ann, _ = talk(prompt, record)
    copy = asks(ann, ann.chat, email="sam@gmail.com").json["delivery"]
    (question,) = (item for item in deliveries(ann, ann.chat) if item["kind"] == "confirm")
    delivered(ann, ann.chat, question["id"])
    assert delivered(ann, ann.chat, copy, "held")["to"] == "sam@gmail.com"
    text = text_of(mail_of(prompt.folder, question["id"]))
    assert "depot" not in text and "parcel" not in text, "it tells nothing of the chat"
    found = re.search(r"/mail/confirm#([\w-]+)", text)
    assert found is not None
    for method in ("GET", "GET", "HEAD"):
        assert ask(prompt.port, method, "/mail/confirm").status == 200
    assert delivered(ann, ann.chat, copy, "held"), "looking at the page changes nothing"
    assert ask(prompt.port, "POST", "/api/v1/mail/confirm", {"secret": found[1] + "x"}).status == 404
    assert ask(prompt.port, "POST", "/api/v1/mail/confirm", {"secret": found[1]}).status == 200
    delivered(ann, ann.chat, copy)
    text = text_of(mail_of(prompt.folder, copy))
    assert "At the depot" in text and "Where is my parcel?" in text
    assert "/link#" not in text, "the way back into the chat is the customer's only"


def test_an_unread_answer_is_mailed_and_can_be_muted(prompt: Server, record: Record) -> None:
    ann, robin = talk(prompt, record)
    ann.leaves()
    robin.says("It left the depot")
    deadline = time.monotonic() + PATIENCE_S
    while not (away := [item for item in deliveries(robin, ann.chat) if item["state"] == "sent"]):
        assert time.monotonic() < deadline, deliveries(robin, ann.chat)
        time.sleep(0.05)
    mail = mail_of(prompt.folder, away[0]["id"])
    assert away[0]["kind"] == "away" and "It left the depot" in text_of(mail)
    path = str(mail["List-Unsubscribe"]).strip("<>").removeprefix(prompt.url)
    for method in ("GET", "HEAD", "GET"):
        assert ask(prompt.port, method, path).status == 200
    page = ask(prompt.port, "POST", path, {"List-Unsubscribe": "One-Click"})
    assert page.status == 200
    robin.says("It is at your door")
    robin.closes()
    assert ask(prompt.port, "GET", "/mail/mute/nonsense").status == 404


@pytest.mark.parametrize(
    "email",
    [
        "nobody",
        "a@b@gmail.com",
        "a@gmail.com, b@gmail.com",
        '"a b"@gmail.com',
        "a@[127.0.0.1]",
        f"{'a' * 65}@gmail.com",
        "jörg@gmail.com",
        "a@gmail.com\r\nBcc: b@gmail.com",
        ["a@gmail.com"],
    ],
)
def test_a_bad_address_is_refused_at_the_door_and_nothing_is_queued(
    server: Server, record: Record, email: object
) -> None:
    ann, _ = talk(server, record, email="ann@gmail.com")
    answer = asks(ann, ann.chat, email=email)
    assert (answer.status, answer.json["code"]) == (422, "invalid")
    assert "`email`" in answer.json["detail"]
    assert deliveries(ann, ann.chat) == []
    begun = ask(server.port, "POST", "/api/v1/chats", {"email": email})
    assert begun.status == 422


def test_an_address_of_any_alphabet_is_taken_where_the_mail_server_takes_it(serve: Serve, record: Record) -> None:
    server = serve(SETTLE_SECONDS="0", SMTP_UTF8="true")
    ann, robin = talk(server, record, email="jörg@münchen.de")
    robin.closes()
    (item,) = deliveries(ann, ann.chat)
    delivered(ann, ann.chat, item["id"])
    assert "jörg@xn--mnchen-3ya.de" in str(mail_of(server.folder, item["id"])["To"])


def test_a_stranger_sees_and_causes_nothing(server: Server, record: Record) -> None:
    ann, _ = talk(server, record)
    ben = Customer(record, "Ben").starts(server, "Hello")
    assert asks(ben, ann.chat).status == 404
    assert ask(server.port, "GET", f"/api/v1/chats/{ann.chat}/deliveries", token=ben.token).status == 404
    assert ask(server.port, "GET", f"/api/v1/chats/{ann.chat}/deliveries").status == 401


def test_whoever_has_pressed_the_button_of_a_mail_gets_the_own_words_by_mail_too(
    prompt: Server, record: Record
) -> None:
    ann, _ = talk(prompt, record)
    for is_proved in (False, True):
        id = asks(ann, ann.chat).json["delivery"]
        delivered(ann, ann.chat, id)
        text = text_of(mail_of(prompt.folder, id))
        assert ("Where is my parcel?" in text) is is_proved
        link = re.search(r"/link#([\w-]+)", text)
        assert link is not None and ann.redeems(link[1], new_id()).status == 200
