"""A mail's link that opens no more: it was forwarded, used before, or is too old. A code shows who is there."""

import re
from collections.abc import Iterator

import pytest

from history.times import new_id
from tests.conftest import Serve
from tests.dump import connected, everything
from tests.journeys.test_erased import erase
from tests.journeys.test_links import ended_chat, link_in, mail_to
from tests.journeys.test_mail import delivered, mail_of, text_of
from tests.people import Customer
from tests.record import Record
from tests.servers import Server
from tests.web import Answer, ask

CODE = re.compile(r"^[a-z2-7]{4}-[a-z2-7]{4}(?=\r?$)", re.MULTILINE)


@pytest.fixture
def prompt(serve: Serve) -> Server:
    """A server that mails a transcript at once."""
    return serve(SETTLE_SECONDS="0")


@pytest.fixture
def used(prompt: Server, record: Record) -> Iterator[tuple[Customer, str]]:
    """A customer, and the link of their mail, which they have used."""
    ann, _ = ended_chat(prompt, record)
    link = link_in(mail_to(ann, prompt.folder), prompt)
    assert ann.redeems(link, new_id()).status == 200
    yield ann, link


def asks_for_code(server: Server, link: object) -> Answer:
    return ask(server.port, "POST", "/api/v1/links/code", {"link": link})


def code_mailed(ann: Customer, link: str) -> str:
    """The code, once its mail is there."""
    answer = asks_for_code(ann.server, link)
    assert answer.status == 202, answer
    told = delivered(ann, ann.chat, answer.json["delivery"])
    assert (told["kind"], told["to"]) == ("code", "ann@gmail.com")
    mail = mail_of(ann.server.folder, told["id"])
    text = text_of(mail)
    assert "depot" not in text and "parcel" not in text, "it tells nothing of the chat"
    found = CODE.search(text)
    assert found, text
    assert found[0] not in str(mail["Subject"])
    return found[0]


def test_to_whom_a_mail_was_forwarded_needs_the_code_that_goes_to_its_owner(used: tuple[Customer, str]) -> None:
    ann, link = used
    refused = ann.redeems(link, new_id())
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    code, nonce = code_mailed(ann, link), new_id()
    for wrong in ("", "aaaa-aaaa", code[:-1]):
        answer = ann.redeems(f"{link}.{wrong}", new_id())
        assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert ann.redeems(code, new_id()).status == 404, "the code is nothing without the link"
    assert ann.redeems(f"{link[:-1]}.{code}", new_id()).status == 404
    typed = f"{link}. {code.upper().replace('-', ' ')}"
    first = ann.redeems(typed, nonce)
    assert (first.status, first.json["chat"]) == (200, ann.chat)
    for again in (typed, f"{link}.{code}"):
        assert ann.redeems(again, nonce).json == first.json
    assert ann.redeems(f"{link}.{code}", new_id()).status == 409, "it works once"
    phone = ann.on_another_device(first.json["token"])
    assert phone.texts() == ["Where is my parcel?", "At the depot"]
    assert [chat["chat"] for chat in phone.asks("GET", "/chats").json["items"]] == [ann.chat]


def test_a_link_that_is_too_old_is_renewed_by_a_code(prompt: Server, record: Record) -> None:
    ann, _ = ended_chat(prompt, record)
    link = link_in(mail_to(ann, prompt.folder), prompt)
    with connected(prompt.database_url) as database:
        database.exec_driver_sql("UPDATE link SET expires_ms = 1")
        database.commit()
    assert ann.redeems(link, new_id()).status == 404
    assert ann.redeems(f"{link}.{code_mailed(ann, link)}", new_id()).status == 200


def test_a_code_lives_for_minutes(used: tuple[Customer, str]) -> None:
    ann, link = used
    code = code_mailed(ann, link)
    with connected(ann.server.database_url) as database:
        database.exec_driver_sql("UPDATE link SET expires_ms = created_ms WHERE purpose = 'code'")
        database.commit()
    assert ann.redeems(f"{link}.{code}", new_id()).status == 404


def test_only_who_has_a_link_has_a_code_mailed_and_not_without_end(used: tuple[Customer, str]) -> None:
    ann, link = used
    settled = everything(ann.server.database_url)
    for stranger in ("", "x" * 43, 7, None, f"{link}x"):
        assert asks_for_code(ann.server, stranger).status == 404
    assert everything(ann.server.database_url) == settled
    mailed = set()
    while (answer := asks_for_code(ann.server, link)).status == 202:
        mailed.add(answer.json["delivery"])
        delivered(ann, ann.chat, answer.json["delivery"])
    assert (answer.status, answer.json["code"], len(mailed)) == (429, "rate", 3)
    ann.says("One more thing", reopen=True)
    ann.closes()
    told = ann.asks("GET", f"/chats/{ann.chat}/deliveries").json["items"]
    states = {mail["state"] for mail in told if mail["kind"] == "transcript"}
    assert "cancelled" not in states, "codes take no other mail's place"


def test_an_erased_chat_mails_no_code(used: tuple[Customer, str]) -> None:
    ann, link = used
    erase(ann.server, ann.chat)
    assert asks_for_code(ann.server, link).status == 410
