"""The addresses that we make: where an answer to a mail goes, and who its envelope says has sent it. Made for mails
that go out, read from mails that come in. Their domain does not matter, so old ones work after it has changed.

A reply token is 20 random letters and 6 that only we can make, which refuse most guesses before the database is asked.
Its row has a hash; a token that leaked with a backup answers nothing.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from history.access import is_erased
from history.db import Driver, Transaction
from history.errors import Erased, NotFound

RANDOM_LETTERS, MAC_LETTERS = 20, 6
MAC_BYTES = 5
"""What the letters of a MAC are made of, five bits each."""

LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""A letter for each byte, none of them more often than another."""

TOKEN_PLACE = "{token}"  # noqa: S105  (the place, not a token)
TOKEN = re.compile(rf"(?<![a-z0-9])[a-z2-7]{{{RANDOM_LETTERS + MAC_LETTERS}}}(?![a-z0-9])")

FIND_REPLY = (
    "SELECT c.pk, c.id, t.item_id, t.recipient_hash, t.revoked_ms, c.head, c.floor "
    "FROM mail_reply_token t JOIN chat c ON c.pk = t.chat_pk WHERE t.hash = ?"
)
PROVE = "UPDATE customer SET email_proof = 'confirmed' WHERE id = ? AND email_proof = 'typed'"
ADD_REPLY = (
    "INSERT INTO mail_reply_token (hash, chat_pk, item_id, recipient_hash, created_ms) "
    "SELECT ?, chat_pk, id, recipient_hash, ? FROM outbox_item WHERE id = ?"
)

LOCAL_PART_LETTERS = 64


@dataclass(frozen=True, slots=True)
class MailAddresses:
    """`reply` and `bounce` are addresses with `{token}` in them, such as `r+{token}@reply.example.com`. Without a reply
    address nothing can be answered by mail; without a bounce address bounces go to `sender`, where people write.

    `keys` make the tokens, the newest first; all of them count.
    """

    keys: tuple[str, ...]
    sender: str
    reply: str = ""
    bounce: str = ""

    def envelope_sender(self, bounce_token: str) -> str:
        """Who the envelope says has sent the mail: one of its own, by which a bounce is known (VERP)."""
        return self.bounce.replace(TOKEN_PLACE, bounce_token) or self.sender


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """Where an answer belongs: to this chat, as an answer to this mail, which went to whom the hash stands for."""

    chat_pk: int
    chat_id: str
    item_id: str
    recipient_hash: str


def check_pattern(pattern: str) -> None:
    """Raises ValueError unless `pattern` is an address with `{token}` before its @."""
    local, at, domain = pattern.partition("@")
    longest = LOCAL_PART_LETTERS - RANDOM_LETTERS - MAC_LETTERS + len(TOKEN_PLACE)
    if not at or not domain or local.count(TOKEN_PLACE) != 1 or TOKEN_PLACE in domain or len(local) > longest:
        raise ValueError("must be an address such as r+{token}@reply.example.com")


def make_reply_addresses(transaction: Transaction, addresses: MailAddresses, item_ids: Sequence[str]) -> list[str]:
    """A new address for each outbox item, which answers it. Empty ones where answers by mail are off."""
    if not addresses.reply:
        return [""] * len(item_ids)
    parts = [random_letters(RANDOM_LETTERS) for _ in item_ids]
    tokens = [part + mac(addresses.keys[0], part) for part in parts]
    rows = [(token_hash(token), transaction.now_ms, id) for token, id in zip(tokens, item_ids, strict=True)]
    transaction.driver.run_many(ADD_REPLY, rows)
    return [addresses.reply.replace(TOKEN_PLACE, token) for token in tokens]


def reply_token_in(addresses: MailAddresses, address: str) -> str | None:
    """The reply token in an address, upper case or lower; None if there is none that we have made. Asks no database."""
    for token in tokens_in(address):
        part, given = token[:RANDOM_LETTERS], token[RANDOM_LETTERS:]
        if any(hmac.compare_digest(mac(key, part), given) for key in addresses.keys):
            return token
    return None


def find_reply(driver: Driver, addresses: MailAddresses, address: str) -> ReplyTarget:
    """What an answer to this address belongs to. Raises NotFound for none of ours, Erased for an erased chat."""
    token = reply_token_in(addresses, address)
    row = token and driver.row(FIND_REPLY, token_hash(token))
    if not row:
        raise NotFound("We do not know this reply address")
    chat_pk, chat_id, item_id, recipient_hash, revoked_ms, head, floor = row
    if revoked_ms is not None or is_erased(head, floor):
        raise Erased
    return ReplyTarget(chat_pk, chat_id, item_id, recipient_hash)


def find_bounced(driver: Driver, address: str) -> str | None:
    """The id of the outbox item with the bounce token in `address`, which may be an ENVID; None if there is none."""
    for token in tokens_in(address):
        if row := driver.row("SELECT id FROM outbox_item WHERE bounce_token = ?", token):
            return str(row[0])
    return None


def prove_address(transaction: Transaction, customer_id: str) -> None:
    """What only whoever reads the customer's mail could do was done: the address is theirs."""
    transaction.driver.run(PROVE, customer_id)


def new_bounce_token() -> str:
    return random_letters(RANDOM_LETTERS + MAC_LETTERS)


def tokens_in(address: str) -> list[str]:
    """What looks like a token in the part before the @."""
    return TOKEN.findall(address.rpartition("@")[0].lower() or address.lower())


def random_letters(count: int) -> str:
    return secrets.token_bytes(count).translate(LETTERS).decode()


def mac(key: str, part: str) -> str:
    """The letters behind the random ones."""
    digest = hmac.digest(key.encode(), f"stillhere.reply:{part}".encode(), "sha256")
    return base64.b32encode(digest[:MAC_BYTES]).decode().lower()[:MAC_LETTERS]


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
