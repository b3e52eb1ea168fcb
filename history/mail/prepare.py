"""From a claimed outbox item to its letter: the addresses and links that it is to carry, and the chat as it is.

Called by the worker: `prepare` inside the transaction that claims, `letter_of` with what `background.py` has read.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from history.db import Transaction
from history.mail.addresses import MailAddresses, make_reply_addresses
from history.mail.background import Background
from history.mail.letter import Kind, Letter
from history.outbox import Claim

MakeWay = Callable[[Transaction, str, str], str]
"""(transaction, chat id, customer id) -> what opens the chat on any device: a URL, or a code."""

WHOSE = (
    "SELECT c.pk, c.id, c.customer_id, u.email FROM chat c JOIN customer u ON u.id = c.customer_id WHERE c.pk IN_LIST"
)
KEEP_SECRET = "UPDATE outbox_item SET secret_hash = ? WHERE id = ?"  # noqa: S105

REFERENCES = 10
"""How many mails of the chat a mail refers to."""


class Unwanted(Exception):
    """Nobody needs this mail any more; the reason is its text."""


@dataclass(frozen=True, slots=True)
class House:
    """What is the same in all mails of this service. `link_life_ms` is how long a link of `make_link` is good for."""

    brand: str
    domain: str
    public_url: str
    addresses: MailAddresses
    make_link: MakeWay
    make_code: MakeWay
    link_life_ms: int
    postal_address: str = ""
    privacy_url: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this mail carries: its way back into the chat, or a code; where answers to it go; where it is muted."""

    resume_url: str = ""
    reply_address: str = ""
    mute_url: str = ""
    code: str = ""


def prepare(transaction: Transaction, claims: Sequence[Claim], house: House) -> list[Secrets]:
    """Makes the secrets of each mail, in their order; their hashes are stored."""
    driver = transaction.driver
    whose = {row[0]: row[1:] for row in driver.rows(WHOSE, driver.list_param([claim.chat_pk for claim in claims]))}
    tellers = [claim.id for claim in claims if claim.kind not in {"confirm", "code"}]
    replies = dict(zip(tellers, make_reply_addresses(transaction, house.addresses, tellers), strict=True))
    return [secrets_of(transaction, claim, whose[claim.chat_pk], replies.get(claim.id, ""), house) for claim in claims]


def secrets_of(
    transaction: Transaction, claim: Claim, whose: tuple[str, str, str | None], reply_address: str, house: House
) -> Secrets:
    """`whose` is the chat's id, its customer's, and the customer's own address."""
    chat_id, customer_id, own_address = whose
    secret = secrets.token_urlsafe(24)
    if claim.kind in {"away", "confirm"}:
        transaction.driver.run(KEEP_SECRET, hashlib.sha256(secret.encode()).hexdigest(), claim.id)
    if claim.kind == "confirm":
        return Secrets(f"{house.public_url}/mail/confirm#{secret}")
    if claim.kind == "code":
        return Secrets(code=house.make_code(transaction, chat_id, customer_id))
    is_own = claim.recipient == own_address
    return Secrets(
        resume_url=house.make_link(transaction, chat_id, customer_id) if is_own else f"{house.public_url}/chat",
        reply_address=reply_address,
        mute_url=f"{house.public_url}/mail/mute/{secret}" if claim.kind == "away" else "",
    )


def letter_of(claim: Claim, its: Secrets, about: Background, house: House, now_ms: int) -> Letter:
    """The item as a letter. Raises Unwanted for an away mail without news."""
    transcript = about.transcript
    seen = seen_upto(claim, about)
    if seen is None and claim.kind == "away":
        raise Unwanted("it was read")
    before = about.sent[:REFERENCES]
    return Letter(
        transcript=transcript,
        recipient=claim.recipient,
        resume_url=its.resume_url,
        link_until_ms=now_ms + house.link_life_ms if "#" in its.resume_url else 0,  # only secrets run out
        brand=house.brand,
        from_address=house.addresses.sender,
        message_id=claim.message_id,
        locale=claim.locale,
        time_zone=claim.time_zone,
        now_ms=now_ms,
        kind=kind_of(claim),
        reply_address=its.reply_address,
        references=references(claim, about, house.domain),
        own_words=claim.proof != "typed",
        new_since=seen or 0,
        is_update=any(mail.kind != "away" and mail.recipient_hash == claim.recipient_hash for mail in before),
        is_brief=about.was_too_large,
        mute_url=its.mute_url,
        code=its.code,
        postal_address=house.postal_address,
        privacy_url=house.privacy_url,
    )


def kind_of(claim: Claim) -> Kind:
    match claim.kind:
        case "transcript" | "away" | "copy" | "confirm" | "code" as kind:
            return kind
    raise ValueError(f"There are no mails of kind {claim.kind}")


def references(claim: Claim, about: Background, domain: str) -> tuple[str, ...]:
    """The chat's mail thread: a root that is never sent, what was sent, and what the customer answered last."""
    if claim.kind in {"confirm", "code"}:
        return ()
    root = f"<chat.{hashlib.sha256(about.transcript.chat_id.encode()).hexdigest()[:20]}@{domain}>"
    sent = (mail.message_id for mail in reversed(about.sent[:REFERENCES]))
    return (root, *sent, *([about.answered] if about.answered else []))


def seen_upto(claim: Claim, about: Background) -> int | None:
    """Up to where the customer has seen the chat, if an agent has said something since; else None.

    Whoever writes has seen what was there.
    """
    if claim.kind not in {"away", "transcript"}:
        return None
    messages = [entry for entry in about.transcript.entries if entry.kind == "message"]
    own = max((entry.seq for entry in messages if entry.by.role == "customer"), default=0)
    seen = max(about.read, own)
    return seen if any(entry.seq > seen and entry.by.role == "agent" for entry in messages) else None
