"""`stillhere mail receive`, beside a running server: for mail servers that pipe."""

import subprocess
from email import message_from_bytes
from pathlib import Path

from history.mail.receive.cli import REFUSED
from tests.conftest import Serve
from tests.history.arrivals import mail_of
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import COMMAND, Server, environment

SETTINGS = {"REPLY_ADDRESS": "r+{token}@reply.example.com", "SETTLE_SECONDS": "0"}


def pipes(server: Server, raw: bytes, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Our mail server hands over a mail."""
    return subprocess.run(
        [COMMAND, "mail", "receive", *arguments],
        input=raw,
        env=environment(server.folder, server.settings),
        capture_output=True,
        timeout=60,
    )


def test_a_mail_that_is_piped_in_stands_in_the_chat_at_once(record: Record, serve: Serve, tmp_path: Path) -> None:
    server = serve(**SETTINGS)
    customer = Customer(record, "Alex").starts(server, "The lid is missing", email="alex@example.net")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(customer.chat)
    robin.says("Which colour is it?")
    robin.closes()
    outbox = tmp_path / "outbox"
    robin.until(lambda: any(outbox.glob("*.eml")), "the transcript")
    (transcript,) = outbox.glob("*.eml")
    address = str(message_from_bytes(transcript.read_bytes())["Reply-To"])
    done = pipes(server, mail_of("\nGreen.\n"), "--sender", "alex@example.net", "--recipient", address)
    assert (done.returncode, done.stdout) == (0, b"answer\n"), done.stderr
    robin.sees("Green.")
    refused = pipes(server, mail_of("\nGreen.\n"), "--recipient", "x@reply.example.com")
    assert refused.returncode == REFUSED
    assert b"answer one of our mails" in refused.stderr
