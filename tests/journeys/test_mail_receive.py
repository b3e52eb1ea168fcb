"""Mails on their way into a running server: by a pipe, and by LMTP while the server is killed."""

import smtplib
from email import message_from_bytes
from subprocess import CompletedProcess

from history.mail.receive.cli import REFUSED
from tests.conftest import Serve
from tests.history.arrivals import mail_of
from tests.people import Agent, Customer, Person
from tests.record import Record
from tests.servers import Server, free_port, run_command

SENDER = "alex@example.net"
SETTINGS = {"REPLY_ADDRESS": "r+{token}@reply.example.com", "SETTLE_SECONDS": "0"}
MAILS, MAILS_BEFORE_THE_KILL = 40, 15


def ended_chat(record: Record, server: Server) -> tuple[Customer, Agent, str]:
    """A chat whose transcript has gone out: its people, and where it is answered."""
    customer = Customer(record, "Alex").starts(server, "The lid is missing", email=SENDER)
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(customer.chat)
    robin.says("Which colour is it?")
    robin.closes()
    return customer, robin, reply_address_in(server, robin)


def reply_address_in(server: Server, person: Person) -> str:
    """Where the transcript is answered, once it has gone out."""
    outbox = server.folder / "outbox"
    person.until(lambda: any(outbox.glob("*.eml")), "the transcript")
    (transcript,) = outbox.glob("*.eml")
    return str(message_from_bytes(transcript.read_bytes())["Reply-To"])


def pipes(server: Server, raw: bytes, *arguments: str) -> "CompletedProcess[str]":
    """Our mail server hands over a mail."""
    return run_command(server.folder, "mail", "receive", *arguments, input=raw, **server.settings)


def test_a_mail_that_is_piped_in_stands_in_the_chat_at_once(record: Record, serve: Serve) -> None:
    server = serve(**SETTINGS)
    _, robin, address = ended_chat(record, server)
    done = pipes(server, mail_of("\nGreen.\n"), "--sender", SENDER, "--recipient", address)
    assert (done.returncode, done.stdout) == (0, "answer\n"), done.stderr
    robin.sees("Green.")
    refused = pipes(server, mail_of("\nGreen.\n"), "--recipient", "x@reply.example.com")
    assert refused.returncode == REFUSED
    assert "answer one of our mails" in refused.stderr


def numbered(number: int) -> bytes:
    return mail_of(f"Message-ID: <answer.{number}@example.net>\n\nAnswer {number}\n")


def test_a_kill_between_mails_loses_none_and_doubles_none(record: Record, serve: Serve) -> None:
    port = free_port()
    server = serve(REPLIES_LISTEN=f"127.0.0.1:{port}", **SETTINGS)
    customer, _, address = ended_chat(record, server)
    taken = 0

    def hand_over(number: int) -> None:
        nonlocal taken
        with smtplib.LMTP("127.0.0.1", port) as door:
            door.ehlo()
            door.sendmail(SENDER, address, numbered(number))
        taken += 1
        if taken == MAILS_BEFORE_THE_KILL:
            server.kill()

    left = list(range(MAILS))
    for number in left[:]:
        try:
            hand_over(number)
        except OSError:
            break
        left.remove(number)
    assert len(left) == MAILS - MAILS_BEFORE_THE_KILL
    server.start()
    for number in range(MAILS):  # also those that were taken: their servers may not have heard of it
        hand_over(number)
    customer.comes_back()
    customer.sees(f"Answer {MAILS - 1}")
    said = [text for text in customer.texts() if text.startswith("Answer ")]
    assert sorted(said) == sorted(f"Answer {number}" for number in range(MAILS))
