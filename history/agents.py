"""Agent accounts and what proves an agent: a one-time sign-in, a browser's cookie, an API key. Of a secret only its
SHA-256 is stored; secrets are 256 random bits, so the hash needs no salt and can be looked up.
"""

import hashlib
import secrets
from typing import Any

from sqlmodel import select, update

from history.access import Viewer
from history.content import NAME_LETTERS, check_line
from history.db import Driver, Transaction
from history.errors import Invalid, NotFound, Unauthorized
from history.journal import RIGHTS_ENDED
from history.models import Agent, AgentCredential
from history.start import check_email
from history.times import DAY_MS, HOUR_MS, new_id

SIGN_IN_LIFE_MS = DAY_MS
BROWSER_LIFE_MS = 12 * HOUR_MS
KEY_PREFIX = "sk_"

FIND = (
    "SELECT a.id, a.name, c.id FROM agent_credential c JOIN agent a ON a.id = c.agent_id WHERE c.secret_hash = ? "
    "AND c.kind = ? AND c.revoked_ms IS NULL AND (c.expires_ms IS NULL OR c.expires_ms > ?) AND a.disabled_ms IS NULL"
)

COLLEAGUES = "SELECT id, name, online_until_ms FROM agent WHERE disabled_ms IS NULL ORDER BY name, id"


def add_agent(transaction: Transaction, name: str, email: str) -> str:
    """Stores an agent, or finds the one with this address. Returns its id. Raises Invalid."""
    address = check_email(email)
    shown = check_line(name, "name", NAME_LETTERS)
    if not address or not shown:
        raise Invalid("An agent needs a name and an e-mail address")
    return find_or_add(transaction, shown, address)


def find_or_add(transaction: Transaction, name: str, email: str) -> str:
    """The id of the agent with this address, who is added if there is none; both were checked."""
    known = transaction.db.exec(select(Agent).where(Agent.email == email)).first()
    if known:
        return known.id
    agent = Agent(id=new_id(), name=name, email=email, created_ms=transaction.now_ms)
    transaction.db.add(agent)
    return agent.id


def agent_by_email(transaction: Transaction, email: str) -> str:
    """The id of an agent. Raises NotFound."""
    agent = transaction.db.exec(select(Agent).where(Agent.email == check_email(email))).first()
    if agent is None:
        raise NotFound(f"There is no agent with the address {email}")
    return agent.id


def new_sign_in(transaction: Transaction, agent_id: str) -> str:
    """A one-time secret that signs the agent in within a day."""
    return grant(transaction, agent_id, "signin", secrets.token_urlsafe(32), SIGN_IN_LIFE_MS)


def new_key(transaction: Transaction, agent_id: str) -> str:
    """An API key for the agent's programs; it lives until it is revoked."""
    return grant(transaction, agent_id, "key", KEY_PREFIX + secrets.token_urlsafe(32), None)


def sign_in(transaction: Transaction, secret: str) -> str:
    """Uses up a one-time sign-in and returns the secret of a browser's cookie. Raises Unauthorized.

    One conditional statement decides: two presses of one link give one cookie.
    """
    used = transaction.db.exec(
        update(AgentCredential)
        .where(AgentCredential.secret_hash == hash_of(secret))  # type: ignore[arg-type]
        .where(AgentCredential.kind == "signin")  # type: ignore[arg-type]
        .where(AgentCredential.used_ms.is_(None))  # type: ignore[union-attr]
        .where(AgentCredential.expires_ms > transaction.now_ms)  # type: ignore[operator, arg-type]
        .values(used_ms=transaction.now_ms)
        .returning(AgentCredential.agent_id)  # type: ignore[call-overload]
    ).first()
    if used is None:
        raise Unauthorized("This sign-in was used already, or is too old")
    return grant(transaction, used[0], "browser", secrets.token_urlsafe(32), BROWSER_LIFE_MS)


def sign_out(transaction: Transaction, secret: str) -> None:
    """Ends a browser's cookie; one that is unknown has ended."""
    transaction.db.exec(
        update(AgentCredential)
        .where(AgentCredential.secret_hash == hash_of(secret))  # type: ignore[arg-type]
        .values(revoked_ms=transaction.now_ms)
    )
    transaction.commits.append(RIGHTS_ENDED)


def grant(transaction: Transaction, agent_id: str, kind: str, secret: str, life_ms: int | None) -> str:
    transaction.db.add(
        AgentCredential(
            id=new_id(),
            agent_id=agent_id,
            kind=kind,
            secret_hash=hash_of(secret),
            created_ms=transaction.now_ms,
            expires_ms=None if life_ms is None else transaction.now_ms + life_ms,
        )
    )
    return secret


def agent_of(driver: Driver, kind: str, secret: str, now_ms: int) -> Viewer:
    """Who holds a browser's cookie (`browser`) or an API key (`key`). Raises Unauthorized."""
    row = driver.row(FIND, hash_of(secret), kind, now_ms)
    if row is None:
        raise Unauthorized("You are not signed in")
    return Viewer("agent", row[0], row[1], session_id=row[2])


def colleagues(driver: Driver, now_ms: int) -> list[dict[str, Any]]:
    """The agents who work here, by name, and who of them is there."""
    return [
        {"id": id, "name": name, "online": online_until_ms > now_ms}
        for id, name, online_until_ms in driver.rows(COLLEAGUES)
    ]


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
