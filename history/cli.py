"""Commands over the record: import dialogues, verify a transcript, erase a chat, manage agents."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click
from tqdm import tqdm

from history import agents
from history.db import Transaction
from history.importer import import_dialogues, read_dialogues
from history.privacy import erase_chat
from history.times import now_ms
from history.verify import check_file
from history.writer import Writer


def make_commands(
    open_writer: Callable[[], AbstractContextManager[Writer]], public_url: Callable[[], str]
) -> list[click.Command]:
    """The commands; `open_writer` brings the database up to date and starts a writer on it, `public_url` tells where
    people reach the service.
    """

    @click.command("import")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    def import_file(file: Path) -> None:
        """Bring in the dialogues of FILE, one JSON object a line, as chats of the last year."""
        dialogues = read_dialogues(file)
        stored = 0
        with open_writer() as writer, tqdm(total=len(dialogues), unit=" dialogues", desc="Importing") as bar:
            for looked_at, messages in import_dialogues(writer, dialogues, now_ms()):
                bar.update(looked_at)
                stored += messages
        click.echo(f"{stored} messages are new in the record; search finds them as soon as they are indexed.")

    @click.command()
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    def verify(file: Path) -> None:
        """Check that the chain of a JSON transcript holds."""
        verdict = check_file(file)
        click.echo(f"The chain holds over all {verdict.events} events." if verdict.holds else verdict.reason)
        if verdict.masked:
            click.echo(f"In {verdict.masked} of them something is masked, so that their words cannot be checked.")
        sys.exit(0 if verdict.holds else 1)

    @click.command()
    @click.argument("chat_id")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def erase(chat_id: str, yes: bool) -> None:
        """Erase all that was said in the chat CHAT_ID, for ever."""
        if not yes:
            click.confirm(f"Erase the chat {chat_id}? This cannot be undone", abort=True)
        with open_writer() as writer:
            receipt = writer.write(lambda transaction: erase_chat(transaction, chat_id))
        click.echo(
            f"Erased: what {receipt.events} events said, and {receipt.names} names. "
            f"Withdrawn mails: {receipt.mails}; ended links: {receipt.links}."
        )

    @click.group()
    def agent() -> None:
        """Add agents and let them in."""

    @agent.command()
    @click.argument("name")
    @click.argument("email")
    def add(name: str, email: str) -> None:
        """Add an agent."""
        with open_writer() as writer:
            writer.write(lambda transaction: agents.add_agent(transaction, name, email))
        click.echo(f"{name} may work at the desk; `stillhere agent sign-in {email}` lets them in.")

    @agent.command("sign-in")
    @click.argument("email")
    def sign_in(email: str) -> None:
        """Print an address that signs an agent in once, within a day."""
        with open_writer() as writer:
            secret = writer.write(lambda transaction: grant(transaction, email, agents.new_sign_in))
        click.echo(f"{public_url()}/desk/sign-in#{secret}")

    @agent.command()
    @click.argument("email")
    def key(email: str) -> None:
        """Print a new API key for an agent's programs; it is shown only now."""
        with open_writer() as writer:
            click.echo(writer.write(lambda transaction: grant(transaction, email, agents.new_key)))

    return [import_file, verify, erase, agent]


def grant(transaction: Transaction, email: str, new: Callable[[Transaction, str], str]) -> str:
    return new(transaction, agents.agent_by_email(transaction, email))
