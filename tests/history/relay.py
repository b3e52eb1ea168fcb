"""A mail's way to its receiver: the relay signs it, and the receiver's server writes on it from where it came.

relay = Relay.new()           with a key of its own
relay.deliver(mail)           the mail as it lies in the mailbox
relay.has_signed(mail)        is it that which was signed?
relay.records                 what the DNS says, which is what `stillhere mail check` tells to publish
name_server(relay.records)    says so on a port of this machine, and of all other names that there are none
"""

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from functools import cached_property

import dkim

from history.mail.addresses import MailAddresses
from history.mail.domain import dns_records
from tests.history.scene import wait_until
from tests.node import run_node
from tests.servers import free_port
from tests.set_up import DNSMASQ, wanted

MAKE_KEY = """\
const { generateKeyPairSync } = require("node:crypto");
const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const own = privateKey.export({ type: "pkcs1", format: "pem" });
console.log(JSON.stringify([own, publicKey.export({ type: "spki", format: "der" }).toString("base64")]));
"""

DOMAIN, SELECTOR = "example.com", "s1"
HOST, RECEIVING = f"mail.{DOMAIN}", f"mx.{DOMAIN}"
ADDRESS = "198.18.0.25"
"""Of nobody (RFC 2544), and yet none of those that filters hold for made up."""

OUR_ADDRESSES = MailAddresses(
    ("key",), f"chat@{DOMAIN}", reply=f"r+{{token}}@reply.{DOMAIN}", bounce=f"b+{{token}}@bounce.{DOMAIN}"
)
RECIPIENT = "alex@example.org"
RETURN_PATH = OUR_ADDRESSES.envelope_sender("k3v9mh2q8zt4c7w1x5ypbnjdae")

ONCE = ("From", "Subject", "Reply-To", "To", "Date", "Message-ID", "In-Reply-To", "References")
MAYBE_MORE = ("MIME-Version", "Content-Type", "Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post")
SIGNED = [*ONCE, *ONCE, *MAYBE_MORE]
"""What is named once more than it is there cannot be added on the way."""

RECORD = re.compile(r"(\S+)\. IN (TXT|MX) (.+)")

Records = Mapping[str, Mapping[str, list[str]]]
"""Answers by name and type."""


@dataclass(frozen=True)
class Relay:
    private_key: str
    public_key: str

    @classmethod
    def new(cls) -> "Relay":
        return cls(*run_node("-e", MAKE_KEY))

    @cached_property
    def records(self) -> Records:
        records: dict[str, dict[str, list[str]]] = {HOST: {"A": [ADDRESS]}, RECEIVING: {"A": [ADDRESS]}}
        ours = OUR_ADDRESSES
        for line in dns_records(ours.sender, ours.reply, ours.bounce, HOST, (SELECTOR, DOMAIN)):
            found = RECORD.fullmatch(line)
            assert found
            name, kind, told = found.groups()
            for gap, value in self.known_to_operators.items():
                told = told.replace(gap, value)
            records.setdefault(name, {})[kind] = [told.strip('"')]
        return records

    @property
    def known_to_operators(self) -> dict[str, str]:
        """What they put in where the records have angle brackets."""
        return {
            "<the public key of your mail server>": self.public_key,
            "<the server that receives for Stillhere>": RECEIVING,
        }

    def sign(self, mail: bytes) -> bytes:
        signature = dkim.sign(
            mail,
            SELECTOR.encode(),
            DOMAIN.encode(),
            self.private_key.encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name.encode() for name in SIGNED],
        )
        return bytes(signature) + mail

    def has_signed(self, mail: bytes) -> bool:
        """Whether the mail has our signature, and is what was signed, as dkimpy finds."""

        def ask(name: bytes, timeout: int = 5) -> bytes:
            (text,) = self.records[name.decode().rstrip(".")]["TXT"]
            return text.encode()

        return bool(dkim.verify(mail, dnsfunc=ask))

    def deliver(self, mail: bytes) -> bytes:
        return received(self.sign(mail))


def received(mail: bytes, by_way_of: str = ADDRESS) -> bytes:
    """The mail as the receiver's server keeps it, which got it from the machine of that address."""
    date = BytesHeaderParser().parsebytes(mail)["Date"]
    trace = [
        f"Return-Path: <{RETURN_PATH}>",
        f"Received: from {HOST} ({HOST} [{by_way_of}])",
        f"\tby mx.example.org (Postfix) with ESMTPS id 4Wq1xy2Z for <{RECIPIENT}>; {date}",
    ]
    return "".join(f"{line}\r\n" for line in trace).encode() + mail


@contextmanager
def name_server(records: Records) -> Iterator[int]:
    """One on loopback that knows these records and says of all other names that there are none. Gives its port."""
    port = free_port()
    options = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=", "--pid-file="]
    options += ["--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}", "--address=/#/"]
    for name, answers in records.items():
        options += [f"--host-record={name},{address}" for address in answers.get("A", [])]
        options += [f"--txt-record={name},{in_pieces(text)}" for text in answers.get("TXT", [])]
        options += [f"--mx-host={name},{answer.split()[1].rstrip('.')}" for answer in answers.get("MX", [])]
    with running(wanted(DNSMASQ), *options):
        wait_until(lambda: is_open(port))
        yield port


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def running(*command: str, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """The command runs, and is ended."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def in_pieces(text: str) -> str:
    """A text of the DNS, of which no piece is longer than 255 letters, as dnsmasq reads it."""
    pieces = [text[begin : begin + 255] for begin in range(0, len(text), 255)]
    return ",".join(pieces)
