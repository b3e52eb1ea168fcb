"""Commands about mail: look at one, send one, check what a receiver made of it. `app.py` hands in what they need."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from history.db import Driver, Store
from history.errors import Invalid, NotFound
from history.mail.compose import compose, html_part, text_part, wire_address
from history.mail.domain import ADVICE, dns_records, verdict_on
from history.mail.letter import Letter
from history.mail.prepare import House
from history.mail.samples import SAMPLES, chats, sample
from history.mail.send import Carrier, Mail
from history.times import new_id, now_ms
from history.transcript import load_transcript

CHAT = "SELECT c.pk, u.email, u.locale, u.time_zone FROM chat c JOIN customer u ON u.id = c.customer_id WHERE c.id = ?"


@dataclass(frozen=True, slots=True)
class Post:
    """What mails are made of and leave by: the house, the way out, the name of the mail server, and the record."""

    house: House
    open_carrier: Callable[[], Carrier]
    mail_server: str
    store: Store


def make_command(open_post: Callable[[], Post]) -> click.Group:
    """The group `mail`; `open_post` reads the settings."""
    kind = click.option("--kind", type=click.Choice(list(SAMPLES)), default="transcript", show_default=True)
    language = click.option("--language", type=click.Choice(sorted(chats())), default="en", show_default=True)

    @click.group()
    def mail() -> None:
        """Look at mails, send one, check how it arrived."""

    @mail.command()
    @click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
    @kind
    @language
    @click.option("--chat", metavar="CHAT-ID", help="Of this chat, in its customer's language, instead of a made one.")
    def preview(file: Path, kind: str, language: str, chat: str | None) -> None:
        """Write a mail to FILE: whole (.eml), or only its HTML (.html) or its text (.txt).

        While the service runs, samples of all kinds and languages are at /outbox/samples, too.
        """
        post = open_post()
        letter = of_house(sample(kind, language), post.house)
        if chat is not None:
            with post.store.reading() as driver:
                letter = about_chat(driver, letter, chat)
        file.write_bytes(content_for(file, letter))
        click.echo(f"{file}: {letter.subject}")

    @mail.command("send-test")
    @click.argument("address")
    @kind
    @language
    def send_test(address: str, kind: str, language: str) -> None:
        """Send a made mail to ADDRESS, the way all mails go, and tell how far it came."""
        post = open_post()
        token, now = new_id(), now_ms()
        letter = replace(
            of_house(sample(kind, language), post.house),
            recipient=address,
            message_id=f"<test.{token}@{post.house.domain}>",
            references=(),
            now_ms=now,
        )
        recipient = wire_address(address)
        mail = Mail(token, now, post.house.addresses.envelope_sender(token), recipient, token, compose(letter))
        carrier = post.open_carrier()
        result = carrier.send(mail, lambda: True)
        carrier.close()
        assert result is not None, "nothing holds a test back"
        if result.fate != "sent":
            raise click.ClickException(f"Not sent; it came as far as `{result.phase}`: {result.answer}")
        click.echo(f"Sent: {result.answer}")
        click.echo("Save it as it arrives, with all its headers, and let `stillhere mail check FILE` read it.")

    @mail.command()
    @click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    def check(file: Path | None) -> None:
        """Tell what the receiver of the mail in FILE found, and what to publish in the DNS."""
        post = open_post()
        verdict = verdict_on(file.read_bytes()) if file else None
        if verdict is not None:
            click.echo(f"As {verdict.receiver or 'the receiver'} saw it:")
            for finding in verdict.findings:
                click.echo(f"  {finding.method:5}  {finding.result:9}  {finding.about}".rstrip())
            for method in verdict.lacking:
                click.echo(f"  {ADVICE[method]}")
            click.echo()
        click.echo("To publish:")
        addresses, signer = post.house.addresses, verdict.signer if verdict else None
        for line in dns_records(addresses.sender, addresses.reply, addresses.bounce, post.mail_server, signer):
            click.echo(f"  {line}")
        sys.exit(1 if verdict is not None and verdict.lacking else 0)

    return mail


def of_house(letter: Letter, house: House) -> Letter:
    """A sample as this service would send it."""
    return replace(
        letter,
        brand=house.brand,
        from_address=house.addresses.sender,
        resume_url=f"{house.public_url}/link#sample",
        mute_url=f"{house.public_url}/mail/mute/sample" if letter.mute_url else "",
        reply_address=letter.reply_address if house.addresses.reply else "",
        postal_address=house.postal_address,
        privacy_url=house.privacy_url,
    )


def about_chat(driver: Driver, letter: Letter, chat_id: str) -> Letter:
    """The letter about a chat of the record, but with its links to nowhere. Raises NotFound."""
    row = driver.row(CHAT, chat_id)
    if row is None:
        raise NotFound(f"There is no chat {chat_id}")
    chat_pk, email, locale, time_zone = row
    transcript = load_transcript(driver, chat_pk)
    own = [entry.seq for entry in transcript.entries if entry.by.role == "customer"]
    return replace(
        letter,
        transcript=transcript,
        recipient=email or letter.recipient,
        locale=locale,
        time_zone=time_zone,
        new_since=max(own, default=0) if letter.kind == "away" else 0,
    )


def content_for(file: Path, letter: Letter) -> bytes:
    """What belongs into a file of this name. Raises Invalid."""
    match file.suffix.lower():
        case ".eml":
            return compose(letter)
        case ".html":
            return html_part(letter)[0].encode()
        case ".txt":
            return text_part(letter).encode()
    raise Invalid("FILE must end with .eml, .html or .txt")
