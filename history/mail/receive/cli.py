"""`stillhere mail receive`: a mail on standard input, for mail servers that pipe. `app.py` hands in the receiver."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import click

from history.errors import StillhereError
from history.mail.receive.reading import MOST_BYTES
from history.mail.receive.receiver import Receiver

TRY_AGAIN, REFUSED = 75, 69
"""Exit codes (sysexits.h) that mail servers know: keep it and come again; tell the sender."""


def make_command(open_receiver: Callable[[], AbstractContextManager[Receiver]]) -> click.Command:
    @click.command()
    @click.option("--sender", help="The envelope's sender; empty for a bounce.")
    @click.option("--recipient", default="", help="The envelope's recipient; otherwise the mail's own fields tell.")
    def receive(sender: str | None, recipient: str) -> None:
        """Take a mail from standard input, as the listener would. Exit code 75: try again later; 69: refused."""
        raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        try:
            with open_receiver() as receiver:
                click.echo(receiver.receive(raw, sender, recipient))
        except StillhereError as refusal:
            click.echo(refusal.detail, err=True)
            sys.exit(TRY_AGAIN if refusal.retry else REFUSED)

    return receive
