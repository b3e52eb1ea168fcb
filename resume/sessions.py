"""Sessions: devices with the right to enter. Creates them, and tells who holds a resume token."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from history.access import Viewer
from history.agents import hash_of
from history.db import Driver, Transaction
from history.errors import Revoked, Unauthorized
from history.models import Session
from history.times import DAY_MS, HOUR_MS, new_id
from resume.tokens import Claim, Tokens

DEVICE_LETTERS = 120
SEEN_EVERY_MS = HOUR_MS
"""How exactly it is kept when a session was last seen; a write at each hello would buy nothing."""

FIND = (
    "SELECT s.secret_hash, s.customer_id, s.chat_id, s.last_seen_ms, s.revoked_ms, c.name "
    "FROM session s JOIN customer c ON c.id = s.customer_id WHERE s.id = ?"
)
SEEN = "UPDATE session SET last_seen_ms = ? WHERE id = ? AND last_seen_ms < ?"


@dataclass(frozen=True, slots=True)
class Sessions:
    """How sessions are proved, and how many days they live after they were last seen."""

    tokens: Tokens
    life_days: int

    def create(
        self,
        transaction: Transaction,
        customer_id: str,
        device: str,
        *,
        only_chat: str | None = None,
        verified_by: str = "none",
        secret: str | None = None,
        id: str | None = None,
    ) -> str:
        """Stores a session and returns its resume token."""
        secret = secret or secrets.token_urlsafe(32)
        session = Session(
            id=id or new_id(),
            secret_hash=hash_of(secret),
            customer_id=customer_id,
            chat_id=only_chat,
            device=device[:DEVICE_LETTERS],
            verified_by=verified_by,
            created_ms=transaction.now_ms,
            last_seen_ms=transaction.now_ms,
        )
        transaction.db.add(session)
        return self.tokens.seal(Claim(session.id, secret, session.generation))

    def viewer_of(self, driver: Driver, token: object, now_ms: int) -> Viewer:
        """Who holds this resume token. Raises Unauthorized."""
        claim = self.tokens.open(token)
        row = driver.row(FIND, claim.session_id)
        if row is None:
            raise Unauthorized("The token is not valid")
        secret_hash, customer_id, only_chat, last_seen_ms, revoked_ms, name = row
        if not hmac.compare_digest(secret_hash, hash_of(claim.secret)):
            raise Unauthorized("The token is not valid")
        if revoked_ms is not None:
            raise Revoked("This device's access was ended")
        if now_ms > last_seen_ms + self.life_days * DAY_MS:
            raise Unauthorized("The token has expired")
        is_stale = now_ms > last_seen_ms + SEEN_EVERY_MS
        return Viewer("customer", customer_id, name, only_chat, claim.session_id, is_stale)


def seen(transaction: Transaction, session_ids: Iterable[str]) -> None:
    """Moves the sliding life of sessions on."""
    now_ms = transaction.now_ms
    transaction.driver.run_many(SEEN, [(now_ms, id, now_ms) for id in session_ids])
