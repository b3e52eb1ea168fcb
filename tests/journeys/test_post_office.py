"""By real mail servers: the transcript arrives, its answer stands in the chat, what cannot be delivered comes back."""

import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy

import pytest

from tests.conftest import Serve
from tests.history.arrivals import mail_of
from tests.history.letters import mails
from tests.history.relay import RETURN_PATH, Relay
from tests.history.scene import wait_until
from tests.people import Agent, Customer
from tests.post_office import (
    BOUNCES,
    ELSEWHERE,
    HOME,
    PASSWORD,
    PATIENCE_S,
    REPLIES,
    RESULTS,
    USERS,
    PostOffice,
    open_post_office,
)
from tests.record import Record

ALEX = f"alex@{ELSEWHERE}"
OWN_BOX = USERS[1]


@pytest.fixture(scope="module")
def shared_office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest.fixture
def office(shared_office: PostOffice) -> PostOffice:
    for user in USERS:
        shared_office.empties(user)
    return shared_office


def ended_chat(record: Record, serve: Serve, email: str, **settings: str) -> Agent:
    """A chat that an agent has answered and closed, seen by this agent."""
    server = serve(**settings)
    customer = Customer(record, "Alex").starts(server, "The lid is missing", email=email)
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(customer.chat)
    robin.says("Which colour is it?")
    robin.closes()
    return robin


def mailbox_of(office: PostOffice) -> dict[str, str]:
    """Settings of a server that looks into a mailbox."""
    return {
        "IMAP_HOST": "127.0.0.1",
        "IMAP_PORT": str(office.imap),
        "IMAP_TLS": "none",
        "IMAP_USER": OWN_BOX,
        "IMAP_PASSWORD": PASSWORD,
        "IMAP_SECONDS": "0.1",
    }


def test_the_transcript_is_answered_and_the_answer_stands_in_the_chat(
    record: Record, serve: Serve, office: PostOffice
) -> None:
    robin = ended_chat(record, serve, ALEX, **office.settings)
    mail = message_from_bytes(office.first_mail_of(ALEX), policy=policy.default)
    assert mail["Return-Path"].startswith("<b+") and mail["Return-Path"].endswith(f"@{BOUNCES}>")
    assert str(mail["Reply-To"]).endswith(f"@{REPLIES}")
    body = mail.get_body(("plain",))
    assert body is not None
    quoted = "\n".join(f"> {line}" for line in body.get_content().splitlines())
    text = f"It is dark green.\n\nOn Mon, 23 Nov 2026 at 10:14, {mail['From']} wrote:\n{quoted}\n"
    office.hand_in(ALEX, str(mail["Reply-To"]), text)
    event = robin.sees("It is dark green.")
    assert event["data"]["by_mail"]["proof"] == "proven"
    robin.sees_status("open", "waiting", thread=2)
    office.hand_in(f"kim@{ELSEWHERE}", str(mail["Reply-To"]), "I am not Alex", RESULTS)
    assert robin.sees("I am not Alex")["data"]["by_mail"]["proof"] == "stranger"


def test_no_word_of_a_signed_mail_changes_on_its_way(office: PostOffice) -> None:
    """In any kind and language: nothing in our mails makes a server write them anew, which breaks the signature."""
    relay, sent = Relay.new(), mails()
    with smtplib.SMTP("127.0.0.1", office.smtp) as door:
        for mail in sent.values():
            door.sendmail(RETURN_PATH, [ALEX], relay.sign(mail))
    wait_until(lambda: len(office.mails_of(ALEX)) == len(sent), PATIENCE_S)
    arrived = office.mails_of(ALEX)
    assert all(map(relay.has_signed, arrived))
    assert not relay.has_signed(arrived[0].replace(b"Marlow", b"Marlowe"))


def test_a_mail_that_comes_back_is_shown_to_agents(record: Record, serve: Serve, office: PostOffice) -> None:
    gone = f"gone@{ELSEWHERE}"
    robin = ended_chat(record, serve, gone, **office.settings)

    def told() -> bool:
        texts = [note["data"]["text"] for note in robin.copy.notes.values()]
        return any(gone in text and "5.1.1" in text for text in texts)

    robin.until(told, "a note about the mail that came back", patience_s=30)
    robin.sees_status("closed")


def test_the_answer_is_found_in_a_mailbox(record: Record, serve: Serve, office: PostOffice) -> None:
    only = {"REPLY_ADDRESS": f"replies+{{token}}@{HOME}", "REPLIES_LISTEN": ""}
    robin = ended_chat(record, serve, ALEX, **office.settings | mailbox_of(office) | only)
    mail = message_from_bytes(office.first_mail_of(ALEX), policy=policy.default)
    office.hand_in(ALEX, str(mail["Reply-To"]), "Found in a mailbox")
    robin.sees("Found in a mailbox")
    office.hand_in(ALEX, OWN_BOX, "Without a reply address")
    office.hand_in(ALEX, str(mail["Reply-To"]), "Once more")
    robin.sees("Once more")
    assert robin.texts()[-2:] == ["Found in a mailbox", "Once more"]
    assert office.flagged_of(OWN_BOX) == ["Without a reply address"]


def test_one_answer_that_comes_by_all_ways_is_one_message(record: Record, serve: Serve, office: PostOffice) -> None:
    """By Postfix to our listener, by Dovecot's mailbox, and by the listener once more, whose answer got lost."""
    robin = ended_chat(record, serve, ALEX, **office.settings | mailbox_of(office))
    reply_address = str(message_from_bytes(office.first_mail_of(ALEX), policy=policy.default)["Reply-To"])

    def answer(number: int) -> bytes:
        source = f"From: {ALEX}\nTo: {reply_address}\nMessage-ID: <a.{number}@{ELSEWHERE}>\n\nAnswer {number}\n"
        return mail_of(source)

    for recipient in (reply_address, OWN_BOX, OWN_BOX):
        with smtplib.SMTP("127.0.0.1", office.smtp) as door:
            door.sendmail(ALEX, [recipient], answer(1))
    for _ in range(2):
        with smtplib.LMTP("127.0.0.1", office.stillhere) as listener:
            listener.ehlo()
            listener.sendmail(ALEX, [reply_address], answer(1))
    office.hand_in(ALEX, OWN_BOX, "The last of all")
    robin.until(lambda: office.flagged_of(OWN_BOX) == ["The last of all"], "that the mailbox was read to its end")
    robin.sees("Answer 1")
    with smtplib.LMTP("127.0.0.1", office.stillhere) as listener:
        listener.ehlo()
        listener.sendmail(ALEX, [reply_address], answer(2))
    robin.sees("Answer 2")
    assert [text for text in robin.texts() if text.startswith("Answer ")] == ["Answer 1", "Answer 2"]


def test_an_address_that_we_have_not_made_is_refused_by_our_own_server(
    record: Record, serve: Serve, office: PostOffice
) -> None:
    robin = ended_chat(record, serve, ALEX, **office.settings)
    office.first_mail_of(ALEX)
    office.empties(ALEX)
    office.hand_in(ALEX, f"r+{'a' * 26}@{REPLIES}", "Guessed")
    returned = office.first_mail_of(ALEX)
    assert b"please answer one of our mails" in returned.replace(b"\n    ", b" ")
    assert "Guessed" not in robin.texts()
