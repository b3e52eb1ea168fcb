"""An answer by mail becomes a message of the chat, in the transaction that notes the mail itself; or it is held back,
and becomes one when an agent lets it through. Called by `receiver.py`; works in the caller's transaction and never
commits.

The same mail is one message for ever, by whatever ways and however often it comes: a unique key over token, Message-ID
and words decides.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

from history import journal
from history.access import Place, is_erased, service_place
from history.chats import Send
from history.content import TEXT_BYTES
from history.db import Transaction
from history.errors import Erased, Invalid, NotFound, RateLimited, StillhereError
from history.events import canonical
from history.mail.addresses import MailAddresses, ReplyTarget, find_reply
from history.mail.receive.cutting import Cut
from history.mail.receive.reading import File, ReadMail
from history.mail.receive.senders import Proof, proof_of
from history.models import INTERNAL
from history.outbox import MailPolicy, recipient_hash
from history.sentences import language_of
from history.times import DAY_MS, HOUR_MS, new_id, participant_id

RAW_DAYS = 30
"""How long the mail as it came can be looked at."""

MOST_AN_HOUR = 60
"""Answers by mail to one chat; more are asked to come later, which slows down whatever goes round in a circle."""

MOST_FILES = 10
OWN_KINDS = ("transcript", "away")

NOTE_MAIL = (
    "INSERT INTO mail_inbound (id, dedup_key, chat_pk, item_id, verdict, reason, sender, message_id, received_ms, raw, "
    "raw_until_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dedup_key) DO NOTHING"
)
NOTE_EVENT = "UPDATE mail_inbound SET event_seq = ? WHERE id = ?"
WHO = (
    "SELECT u.id, u.name, u.email, u.locale, i.kind FROM chat c JOIN customer u ON u.id = c.customer_id "
    "JOIN outbox_item i ON i.id = ? WHERE c.pk = ?"
)
LATELY = "SELECT count(*) FROM mail_inbound WHERE chat_pk = ? AND verdict = 'answer' AND received_ms > ?"

HELD = (
    "SELECT m.verdict, c.pk, c.id, c.head, c.floor, i.id, i.recipient_hash FROM mail_inbound m "
    "JOIN chat c ON c.pk = m.chat_pk JOIN outbox_item i ON i.id = m.item_id WHERE m.id = ?"
)
LET_THROUGH = "UPDATE mail_inbound SET verdict = 'answer', reason = ? WHERE id = ? AND verdict = 'quarantined'"

HELD_BACK = (
    "A mail that says it is from {sender} was held back: the check of its sender failed (DMARC), so it may be forged."
)

LET_IN = "{agent} let the mail of {sender} through."


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail for the reply address `address`. `because` is why it counts as automatic, `cut` what is new in it."""

    mail: ReadMail
    raw: bytes
    address: str
    cut: Cut
    because: str | None = None


class Asked(NamedTuple):
    """The customer of whose chat the answered mail was, and the mail's kind."""

    customer_id: str
    name: str
    email: str | None
    locale: str
    kind: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What answers are judged by: our addresses, our mail server's name in its results, and the log's policy."""

    addresses: MailAddresses
    mail_server: str
    policy: MailPolicy


def take_answer(transaction: Transaction, rules: Rules, arrival: Arrival) -> str:
    """Posts, holds back or drops the mail; returns what it was taken for, `duplicate` if it is here already.

    Raises NotFound for an address that is none of ours, Erased, RateLimited, and Invalid for one without words.
    """
    target = find_reply(transaction.driver, rules.addresses, arrival.address)
    who = who_is_asked(transaction, target)
    proof = proof_of(arrival.mail, rules.mail_server, is_known=is_known(arrival.mail, target, who))
    verdict = "auto" if arrival.because else "quarantined" if proof == "forged" else "answer"
    mail_id = new_id()
    if not note_mail(transaction, mail_id, target, verdict, arrival):
        return "duplicate"
    if verdict == "auto":
        return verdict
    if verdict == "quarantined":
        said = HELD_BACK.format(sender=arrival.mail.sender or "nobody")
        more = {"by_mail": {"id": mail_id, "held": True}}
        tell_agents(transaction, rules.policy, target.chat_pk, target.chat_id, said, more)
        return verdict
    check_pace(transaction, target)
    post(transaction, rules.policy, target, who, arrival, mail_id, proof)
    return verdict


def let_through(transaction: Transaction, policy: MailPolicy, arrival: Arrival, mail_id: str, agent: str) -> None:
    """Posts a mail that was held back: an agent, called `agent`, believes it. Its sender stays not proven. Nothing
    happens if it was let through before. Raises NotFound, Erased, and Invalid for a mail without words.
    """
    row = transaction.driver.row(HELD, mail_id)
    if row is None or row[0] not in {"quarantined", "answer"}:
        raise NotFound("No such mail was held back")
    _, chat_pk, chat_id, head, floor, item_id, recipient = row
    if is_erased(head, floor):
        raise Erased
    if not transaction.driver.run(LET_THROUGH, f"let through by {agent}", mail_id):
        return
    target = ReplyTarget(chat_pk, chat_id, item_id, recipient)
    who = who_is_asked(transaction, target)
    proof: Proof = "unproven" if is_known(arrival.mail, target, who) else "stranger"
    post(transaction, policy, target, who, arrival, mail_id, proof)
    said = LET_IN.format(agent=agent, sender=arrival.mail.sender or "nobody")
    tell_agents(transaction, policy, chat_pk, chat_id, said, {"released": mail_id})


def post(
    transaction: Transaction,
    policy: MailPolicy,
    target: ReplyTarget,
    who: Asked,
    arrival: Arrival,
    mail_id: str,
    proof: Proof,
) -> None:
    """The mail as a message; a closed chat is open again. Raises Invalid if there are no words."""
    place = place_of(target, proof, arrival.mail, who)
    data = message_data(arrival, mail_id, proof)
    send = Send(place, message_id(arrival, target), None, canonical(data), reopen=True, by_mail=True)
    ack = outcome(journal.apply(policy, transaction, [send])[-1])
    transaction.driver.run(NOTE_EVENT, ack.seq, mail_id)


def who_is_asked(transaction: Transaction, target: ReplyTarget) -> Asked:
    (row,) = transaction.driver.rows(WHO, target.item_id, target.chat_pk)
    return Asked(*row)


def is_known(mail: ReadMail, target: ReplyTarget, who: Asked) -> bool:
    """Whether the sender is the customer's address, or the one to which the answered mail went as the customer's:
    copies may go to others too.
    """
    went_to_sender = who.kind in OWN_KINDS and recipient_hash(mail.sender) == target.recipient_hash
    return mail.sender == (who.email or "").lower() or went_to_sender


def note_mail(transaction: Transaction, mail_id: str, target: ReplyTarget, verdict: str, arrival: Arrival) -> bool:
    """Notes the mail; False if it is here already."""
    is_kept = verdict != "auto"
    return (
        transaction.driver.run(
            NOTE_MAIL,
            mail_id,
            dedup_key(arrival, target),
            target.chat_pk,
            target.item_id,
            verdict,
            arrival.because or "",
            arrival.mail.sender,
            arrival.mail.message_id,
            transaction.now_ms,
            arrival.raw if is_kept else None,
            transaction.now_ms + RAW_DAYS * DAY_MS if is_kept else None,
        )
        == 1
    )


def dedup_key(arrival: Arrival, target: ReplyTarget) -> str:
    """The same for the same mail, whatever servers have added to it on its way."""
    mail = arrival.mail
    said = (target.item_id, mail.message_id, mail.text, *(file.name for file in mail.files))
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def message_id(arrival: Arrival, target: ReplyTarget) -> str:
    return f"mail-{dedup_key(arrival, target)[:27]}"


def check_pace(transaction: Transaction, target: ReplyTarget) -> None:
    row = transaction.driver.row(LATELY, target.chat_pk, transaction.now_ms - HOUR_MS)
    if row and row[0] > MOST_AN_HOUR:
        raise RateLimited("Too many mails have come for this chat; please try again later")


def place_of(target: ReplyTarget, proof: Proof, mail: ReadMail, who: Asked) -> Place:
    """Who speaks: the customer, or somebody without any rights of theirs."""
    if proof != "stranger":
        participant = participant_id(target.chat_id, who.customer_id)
        return Place(target.chat_pk, target.chat_id, participant, "customer", who.name, who.customer_id)
    person = f"mail:{recipient_hash(mail.sender)}"
    said = language_of(who.locale).say("by_mail_stranger")
    return Place(target.chat_pk, target.chat_id, participant_id(target.chat_id, person), "system", said, person)


def message_data(arrival: Arrival, mail_id: str, proof: Proof) -> dict[str, Any]:
    """The message: the words, a line for each file, and by which mail they came. Raises Invalid if there is nothing."""
    files = arrival.mail.files
    lines = [f"[{file.name}, {kilobytes(file)} kB]" for file in files[:MOST_FILES]]
    if len(files) > MOST_FILES:
        lines.append(f"[+{len(files) - MOST_FILES}]")
    words, is_whole = shortened("\n\n".join(filter(None, (arrival.cut.text, "\n".join(lines)))))
    if not words:
        raise Invalid("We found no words of yours in this mail; please write your answer above the quoted mail")
    return {"text": words, "by_mail": {"id": mail_id, "proof": proof, "whole": is_whole and arrival.cut.is_whole}}


def kilobytes(file: File) -> int:
    return max(1, round(file.size / 1000))


def shortened(text: str) -> tuple[str, bool]:
    """The text as far as a message can hold it, and whether that is all."""
    content = text.encode()
    if len(content) <= TEXT_BYTES:
        return text, True
    return content[: TEXT_BYTES - 4].decode(errors="ignore").rstrip() + " …", False


def tell_agents(
    transaction: Transaction,
    policy: MailPolicy,
    chat_pk: int,
    chat_id: str,
    text: str,
    more: dict[str, Any] | None = None,
) -> None:
    """A note of the service itself, for agents only. An erased chat gets none."""
    data = canonical({"text": text, "service": True} | (more or {}))
    note = Send(service_place(chat_pk, chat_id), new_id(), None, data, INTERNAL)
    journal.apply(policy, transaction, [note])


def outcome(outcome: journal.Outcome) -> journal.Ack:
    """The ack; a refusal is raised."""
    if isinstance(outcome, StillhereError):
        raise outcome
    if outcome is None:
        raise NotFound
    return outcome
