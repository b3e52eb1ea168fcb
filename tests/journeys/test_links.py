"""The link in the mail opens the same chat on another device; it works once, and only for who presses the button."""

import re
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from time import monotonic

import pytest

from history.times import new_id
from tests.checker import check
from tests.conftest import Serve
from tests.dump import connected, everything, read_dump, rows
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server
from tests.web import Answer

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
    """The mail, once it is there and its sending is on record."""
    deadline = monotonic() + PATIENCE_S
    while not is_sent(person.server.database_url):
        assert monotonic() < deadline, "no mail came"
        person.hears(0.05)
    (file,) = (folder / "outbox").glob("*.eml")
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def is_sent(database_url: str) -> bool:
    with connected(database_url) as database:
        return bool(database.exec_driver_sql("SELECT 1 FROM outbox_item WHERE state = 'sent'").all())


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link_in(mail: EmailMessage, server: Server) -> str:
    """The part of the link behind the #."""
    found = re.search(rf"{re.escape(server.url)}/link#(\S+)", text_of(mail))
    assert found, text_of(mail)
    return found[1]


def test_the_link_of_the_mail_opens_the_chat_once(prompt: Server, record: Record) -> None:
    ann, robin = ended_chat(prompt, record)
    other = Customer(record, "Ben").starts(prompt, "I am another")
    mail = mail_to(ann, prompt.folder)
    assert mail["To"] == "ann@gmail.com"
    assert "Where is my parcel?" not in text_of(mail), "nothing proves the address"
    assert "At the depot" in text_of(mail)
    link, nonce = link_in(mail, prompt), new_id()

    settled = everything(prompt.database_url)
    for method in ("GET", "HEAD") * 10:
        page = ann.looks_at_link(link, method)
        assert page.status == 200
        assert "Set-Cookie" not in page.headers
    assert everything(prompt.database_url) == settled
    assert check(record.lines, read_dump(prompt.database_url)) == []

    first = ann.redeems(link, nonce)
    assert first.status == 200
    assert first.json["chat"] == ann.chat
    assert ann.redeems(link, nonce).json == first.json
    stranger = ann.redeems(link, new_id())
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
    answer = ann.redeems(link, new_id())
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
    assert "Yes?" in text_of(mail)
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


def presses(ann: Customer, doors: list[Server], link: str, nonces: list[str]) -> list[Answer]:
    """The answers to as many presses of the button as there are nonces, all at the same moment, here and there."""
    with ThreadPoolExecutor(len(nonces)) as threads:
        return list(threads.map(lambda n: ann.redeems(link, nonces[n], doors[n % len(doors)]), range(len(nonces))))


@pytest.fixture
def prompt_doors(prompt: Server, serve: Serve) -> list[Server]:
    """All the servers there may be on a database: two on PostgreSQL, one on SQLite."""
    if prompt.database_url.startswith("sqlite"):
        return [prompt]
    return [prompt, serve(SETTLE_SECONDS="0", PUBLIC_URL=prompt.url)]


def test_of_many_who_press_the_button_at_once_one_gets_in(prompt_doors: list[Server], record: Record) -> None:
    """A scanner that presses every button, and a person with two devices."""
    server = prompt_doors[0]
    ann, _ = ended_chat(server, record)
    link = link_in(mail_to(ann, server.folder), server)
    answers = presses(ann, prompt_doors, link, [new_id() for _ in range(8)])
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert sessions_by_link(server) == 1


def test_a_page_that_presses_again_and_again_gets_one_answer(prompt_doors: list[Server], record: Record) -> None:
    """Answers are lost on the way; even a press that overtakes the first one gets the same."""
    server = prompt_doors[0]
    ann, _ = ended_chat(server, record)
    link, nonce = link_in(mail_to(ann, server.folder), server), new_id()
    answers = presses(ann, prompt_doors, link, [nonce] * 8) + presses(ann, prompt_doors, link, [nonce] * 8)
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert sessions_by_link(server) == 1
    phone = ann.on_another_device(answers[0].json["token"])
    assert phone.texts() == ["Where is my parcel?", "At the depot"]
    assert check(record.lines, read_dump(server.database_url)) == []


def sessions_by_link(server: Server) -> int:
    with connected(server.database_url) as database:
        (found,) = rows(database, "SELECT count(*) AS n FROM session WHERE verified_by = 'link'")
    return int(found["n"])


def test_a_lost_answer_cannot_be_had_again_after_ten_minutes(prompt: Server, record: Record) -> None:
    ann, _ = ended_chat(prompt, record)
    link, nonce = link_in(mail_to(ann, prompt.folder), prompt), new_id()
    assert ann.redeems(link, nonce).status == 200
    with connected(prompt.database_url) as database:
        database.exec_driver_sql(f"UPDATE link SET used_ms = used_ms - {10 * 60 * 1000 + 1}")
        database.commit()
    assert ann.redeems(link, nonce).status == 409


def test_a_scanners_session_reaches_no_other_chat(prompt: Server, record: Record) -> None:
    """What a link opened is one chat, at every door, although its customer has another one."""
    ann, _ = ended_chat(prompt, record)
    begun = ann.asks("POST", "/chats", {"new": True, "message": {"id": "s" * 20, "data": {"text": "My secret"}}})
    other = begun.json["chat"]
    answer = ann.redeems(link_in(mail_to(ann, prompt.folder), prompt), new_id())
    scanner = ann.on_another_device(answer.json["token"])
    assert [resume["chat"] for resume in scanner.welcome["chats"]] == [ann.chat]

    settled = everything(prompt.database_url)
    for frame in (
        {"type": "send", "id": "x" * 20, "prev": None, "data": {"text": "Hi"}},
        {"type": "get", "after": 0},
        {"type": "read", "seq": 1},
        {"type": "typing", "on": True},
        {"type": "act", "id": "x" * 20, "action": "close"},
    ):
        scanner.nacks.clear()
        scanner.tells(chat=other, **frame)
        scanner.until(lambda: bool(scanner.nacks), f"an answer to {frame}")
        assert scanner.nacks[0]["code"] == "forbidden"
    for path in ("", "/events", "/transcript"):
        assert scanner.asks("GET", f"/chats/{other}{path}").status == 404
    for path in ("messages", "actions"):
        body = {"id": "x" * 20, "data": {"text": "Hi"}, "action": "close"}
        assert scanner.asks("POST", f"/chats/{other}/{path}", body).status == 404
    assert scanner.asks("GET", "/search?q=secret").json["items"] == []
    assert scanner.asks("POST", "/chats", {"new": True}).status == 401
    assert everything(prompt.database_url) == settled
    scanner.dials(prompt, {})
    scanner.tells(type="hello", token=scanner.token, chats=[{"chat": other, "have": 0}])
    scanner.is_shut_out(4304)
