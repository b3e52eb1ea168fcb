"""The one way in for mails, whatever door they come by: read, told apart, and taken by one transaction. Called by
`listener.py`, `mailbox.py` and the `stillhere mail receive` command.

Whoever calls answers "taken" only when `receive` has returned, so nothing is acknowledged that is not in the record. A
refusal is a StillhereError, whose sentence the sender's own server tells them; nothing is ever mailed back.
"""

from dataclasses import dataclass
from functools import cached_property, partial

from history.db import Store
from history.errors import NotFound
from history.mail.addresses import find_bounced, find_reply, reply_token_in
from history.mail.receive.answers import Arrival, Rules, let_through, take_answer
from history.mail.receive.automatic import automatic_because
from history.mail.receive.cutting import Cut, Ours, cut, ours
from history.mail.receive.outcomes import take_report
from history.mail.receive.reading import ReadMail, read_mail
from history.mail.receive.reports import read_report
from history.sentences import CODES, language_of
from history.writer import Writer

NOT_OURS = "This address takes no mails; please answer one of our mails, which have an address of their own"


@dataclass(frozen=True)
class Receiver:
    """`brand` is the name that our mails are from, `public_url` where their links lead."""

    store: Store
    writer: Writer
    rules: Rules
    brand: str
    public_url: str

    @cached_property
    def ours(self) -> Ours:
        """By what quotes of our mails are known, in all languages."""
        markers = [language_of(code).say("away_marker") for code in CODES]
        addresses = self.rules.addresses
        return ours((addresses.sender, addresses.reply, f"{self.public_url}/link"), (self.brand,), markers)

    def check_recipient(self, address: str) -> None:
        """Refuses what nobody reads, before the mail itself travels. Raises NotFound, Erased.

        Addresses of ours without a token are let through: complaints come there, and name their mail inside.
        """
        with self.store.reading() as driver:
            if reply_token_in(self.rules.addresses, address):
                find_reply(driver, self.rules.addresses, address)
            elif find_bounced(driver, address) is None and address.lower() not in self.plain_addresses:
                raise NotFound(NOT_OURS)

    @cached_property
    def plain_addresses(self) -> frozenset[str]:
        """The sender, and those to which servers complain (RFC 2142), in each of our domains."""
        addresses = self.rules.addresses
        own = (addresses.sender, addresses.reply, addresses.bounce)
        domains = {address.rpartition("@")[2].lower() for address in own if address}
        return frozenset(
            {addresses.sender.lower(), *(f"{who}@{at}" for at in domains for who in ("abuse", "postmaster"))}
        )

    def receive(self, raw: bytes, envelope_sender: str | None = None, recipient: str = "") -> str:
        """Takes a mail and returns what it was taken for: answer, quarantined, auto, bounce, delay, success, complaint,
        unknown, or duplicate.

        Where the envelope is lost, the mail's own fields tell. Raises StillhereError: Busy and RateLimited may pass.
        """
        mail = read_mail(raw)
        addresses = (recipient,) if recipient else mail.recipients
        if report := read_report(mail, envelope_sender):
            return self.writer.write(
                partial(take_report, policy=self.rules.policy, mail=mail, report=report, envelope=addresses)
            )
        arrival = Arrival(
            mail, raw, self.reply_address(addresses), self.cut(mail), automatic_because(mail, envelope_sender)
        )
        return self.writer.write(partial(take_answer, rules=self.rules, arrival=arrival))

    def release(self, mail_id: str, raw: bytes, agent: str) -> None:
        """Lets a mail through that was held back: see `let_through`."""
        mail = read_mail(raw)
        arrival = Arrival(mail, raw, "", self.cut(mail))
        self.writer.write(lambda t: let_through(t, self.rules.policy, arrival, mail_id, agent))

    def reply_address(self, addresses: tuple[str, ...]) -> str:
        """The first address that can be answered to. What stands in the mail's text never counts."""
        for address in addresses:
            if reply_token_in(self.rules.addresses, address):
                return address
        raise NotFound(NOT_OURS)

    def cut(self, mail: ReadMail) -> Cut:
        done = cut(mail.text, self.ours)
        return Cut(done.text, done.is_whole and mail.is_whole)
