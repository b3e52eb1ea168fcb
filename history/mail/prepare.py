"""From a claimed outbox item to its letter: the addresses and links that it is to carry, and the chat as it is.

Called by the worker: `prepare` inside the transaction that claims, `letter_of` in one snapshot of the record.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from history.db import Driver, Transaction
from history.mail.addresses import MailAddresses, make_reply_address
from history.mail.letter import Kind, Letter
from history.outbox import Claim, was_too_large
from history.transcript import Transcript, load_transcript

MakeWay = Callable[[Transaction, str, str], str]
"""(transaction, chat id, customer id) -> what opens the chat on any device: a URL, or a code."""

WHOSE = "SELECT c.id, c.customer_id, u.email FROM chat c JOIN customer u ON u.id = c.customer_id WHERE c.pk = ?"
KEEP_SECRET = "UPDATE outbox_item SET secret_hash = ? WHERE id = ?"  # noqa: S105
SENT_BEFORE = (
    "SELECT kind, message_id, recipient_hash FROM outbox_item "
    "WHERE chat_pk = ? AND state = 'sent' AND kind NOT IN ('confirm', 'code') AND id <> ? ORDER BY done_ms DESC LIMIT ?"
)
ANSWERED = (
    "SELECT message_id FROM mail_inbound WHERE chat_pk = ? AND verdict = 'answer' AND message_id <> '' "
    "ORDER BY received_ms DESC LIMIT 1"
)
READ = "SELECT read FROM participant WHERE chat_pk = ? AND role = 'customer' ORDER BY joined_ms LIMIT 1"

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


def prepare(transaction: Transaction, claim: Claim, house: House) -> Secrets:
    """Makes the mail's secrets; their hashes are stored."""
    chat_id, customer_id, own_address = transaction.driver.row(WHOSE, claim.chat_pk) or ("", "", None)
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
        reply_address=make_reply_address(transaction, house.addresses, claim.id),
        mute_url=f"{house.public_url}/mail/mute/{secret}" if claim.kind == "away" else "",
    )


def letter_of(driver: Driver, claim: Claim, its: Secrets, house: House, now_ms: int) -> Letter:
    """The item as a letter, about the chat as this snapshot has it. Raises Unwanted for an away mail without news."""
    transcript = load_transcript(driver, claim.chat_pk)
    seen = seen_upto(driver, claim, transcript)
    if seen is None and claim.kind == "away":
        raise Unwanted("it was read")
    before = driver.rows(SENT_BEFORE, claim.chat_pk, claim.id, REFERENCES)
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
        references=references(driver, claim, transcript.chat_id, [row[1] for row in before], house.domain),
        own_words=claim.proof != "typed",
        new_since=seen or 0,
        is_update=any(kind != "away" and recipient == claim.recipient_hash for kind, _, recipient in before),
        is_brief=claim.attempts > 1 and was_too_large(driver, claim.id),
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


def references(driver: Driver, claim: Claim, chat_id: str, newest_first: list[str], domain: str) -> tuple[str, ...]:
    """The chat's mail thread: a root that is never sent, what was sent, and what the customer answered last."""
    if claim.kind in {"confirm", "code"}:
        return ()
    root = f"<chat.{hashlib.sha256(chat_id.encode()).hexdigest()[:20]}@{domain}>"
    answer = driver.row(ANSWERED, claim.chat_pk)
    return (root, *reversed(newest_first), *(answer or ()))


def seen_upto(driver: Driver, claim: Claim, transcript: Transcript) -> int | None:
    """Up to where the customer has seen the chat, if an agent has said something since; else None.

    Whoever writes has seen what was there.
    """
    if claim.kind not in {"away", "transcript"}:
        return None
    (read,) = driver.row(READ, claim.chat_pk) or (0,)
    messages = [entry for entry in transcript.entries if entry.kind == "message"]
    own = max((entry.seq for entry in messages if entry.by.role == "customer"), default=0)
    seen = max(read, own)
    return seen if any(entry.seq > seen and entry.by.role == "agent" for entry in messages) else None
