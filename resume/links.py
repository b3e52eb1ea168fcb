"""One-time links: a way to get a session on another device. The secret stands in the URL's fragment, so no server log
and no Referer has it; opening the page changes nothing, a press on its button redeems.

Whoever has a link that opens no more, be it the customer or somebody to whom the mail was forwarded, may have a code
mailed to the customer's address; link and code together open the chat, once.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from history.access import LIVES, is_erased
from history.agents import hash_of
from history.content import check_message_id
from history.db import Driver, Transaction
from history.errors import Conflict, Erased, Invalid, NotFound
from history.mail.addresses import prove_address
from history.mail.causes import CODE_MS
from history.models import Link
from history.times import DAY_MS, MINUTE_MS, new_id
from resume.sessions import Sessions
from resume.tokens import Claim

SAME_ANSWER_MS = 10 * MINUTE_MS
"""So long a redeeming page that missed the answer may ask again, with the same nonce."""

SECRET_LENGTH = 200

CODE_BYTES, CODE_GROUP = 5, 4
"""40 random bits, as two groups of four letters: too many to be tried in the minutes that a code lives."""

CODE_SIGN = "."
"""Stands between a link's secret, which is base64url, and a code."""

NO_CODE_LETTERS = re.compile("[^a-z2-7]+")

TAKE = (
    "UPDATE link SET used_ms = ?, nonce_hash = ?, session_id = ? "
    "WHERE secret_hash = ? AND used_ms IS NULL AND expires_ms > ?"
)
FIND = (
    "SELECT chat_id, customer_id, purpose, expires_ms, used_ms, nonce_hash, session_id FROM link WHERE secret_hash = ?"
)
CHAT = "SELECT chat.pk, chat.head, chat.floor FROM link JOIN chat ON chat.id = link.chat_id WHERE link.secret_hash = ?"
ERASED = f"SELECT 1 FROM chat WHERE id = ? AND NOT {LIVES}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Links:
    """Where links lead and how many days a mail's link lives."""

    public_url: str
    life_days: int
    sessions: Sessions

    def create(self, transaction: Transaction, chat_id: str, customer_id: str, purpose: str = "mail") -> str:
        """Stores a link to the chat and returns its URL."""
        secret = secrets.token_urlsafe(32)
        add(transaction, hash_of(secret), chat_id, customer_id, purpose, self.life_days * DAY_MS)
        return f"{self.public_url}/link#{secret}"

    def create_code(self, transaction: Transaction, chat_id: str, customer_id: str) -> str:
        """Stores a code that opens the chat to who also has one of its links, and returns it."""
        letters = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower()
        add(transaction, code_hash(chat_id, letters), chat_id, customer_id, "code", CODE_MS)
        return f"{letters[:CODE_GROUP]}-{letters[CODE_GROUP:]}"

    def redeem(self, transaction: Transaction, secret: object, nonce: object, device: str) -> tuple[str, str]:
        """Uses up a link, or the code behind it. Returns the resume token of a session that sees this one chat, and the
        chat's id.

        The same nonce gets the same answer for ten minutes, because the session's secret is made from link and nonce.
        Raises NotFound for an unknown or expired link, Conflict for a used one, Erased.
        """
        if not isinstance(secret, str) or not 0 < len(secret) <= SECRET_LENGTH:
            raise Invalid("`link` must be the part of the address after the #")
        nonce = check_message_id(nonce)
        secret = as_made(secret)
        key = key_of(transaction.driver, secret)
        found = transaction.driver.row(FIND, key)
        if found is None:
            raise NotFound("We do not know this link")
        chat_id, customer_id, purpose, *_ = found
        if transaction.driver.row(ERASED, chat_id):
            raise Erased
        session_secret = hmac.new(secret.encode(), nonce.encode(), hashlib.sha256).hexdigest()
        session_id = new_id()
        now_ms = transaction.now_ms
        taken = transaction.driver.run(TAKE, now_ms, hash_of(nonce), session_id, key, now_ms)
        if not taken:
            found = transaction.driver.row(FIND, key)  # taken since we looked, perhaps
            assert found is not None, "links are not deleted"
            return self._again(found, nonce, session_secret, now_ms), chat_id
        if purpose in {"mail", "code"}:
            prove_address(transaction, customer_id)
        token = self.sessions.create(
            transaction,
            customer_id,
            device,
            only_chat=chat_id,
            verified_by="link",
            secret=session_secret,
            id=session_id,
        )
        return token, chat_id

    def _again(self, found: tuple[object, ...], nonce: str, session_secret: str, now_ms: int) -> str:
        """The answer to somebody who was not the first to redeem."""
        *_, used_ms, nonce_hash, session_id = found
        if not isinstance(used_ms, int):
            raise NotFound("This link is too old; ask for a fresh one in the chat")
        fresh = now_ms - used_ms <= SAME_ANSWER_MS
        if not fresh or not hmac.compare_digest(str(nonce_hash), hash_of(nonce)):
            raise Conflict("This link was used already; it works once")
        return self.sessions.tokens.seal(Claim(str(session_id), session_secret, 1))


def add(transaction: Transaction, secret_hash: str, chat_id: str, customer_id: str, purpose: str, life_ms: int) -> None:
    link = Link(
        id=new_id(),
        secret_hash=secret_hash,
        chat_id=chat_id,
        customer_id=customer_id,
        purpose=purpose,
        created_ms=transaction.now_ms,
        expires_ms=transaction.now_ms + life_ms,
    )
    transaction.db.add(link)
    transaction.db.flush()


def as_made(secret: str) -> str:
    """A link's secret, and the code behind it as it was made, though people type it in capitals and with blanks."""
    link, sign, code = secret.partition(CODE_SIGN)
    return f"{link}{sign}{NO_CODE_LETTERS.sub('', code.lower())}"


def key_of(driver: Driver, secret: str) -> str:
    """The hash by which a link's secret is found, or the code that stands behind it. Raises NotFound."""
    secret, sign, code = secret.partition(CODE_SIGN)
    if not sign:
        return hash_of(secret)
    found = driver.row(FIND, hash_of(secret))
    if found is None:
        raise NotFound("We do not know this link")
    return code_hash(found[0], code)


def code_hash(chat_id: str, code: str) -> str:
    return hash_of(f"{chat_id}{CODE_SIGN}{code}")


def chat_of(driver: Driver, secret: object) -> int:
    """The chat of a link, whether it still opens or not. Raises NotFound, or Erased."""
    row = driver.row(CHAT, hash_of(secret)) if isinstance(secret, str) else None
    if row is None:
        raise NotFound("We do not know this link")
    chat_pk, head, floor = row
    if is_erased(head, floor):
        raise Erased
    return int(chat_pk)
