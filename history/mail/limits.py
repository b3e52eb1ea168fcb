"""How much mail may be caused, so that nobody can have a stranger bombed from our domain. Asked before a mail is
queued, in the caller's transaction.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from history.db import Driver
from history.times import DAY_MS, HOUR_MS

COUNTED = "SELECT COUNT(*) FROM outbox_item WHERE created_ms > ? AND state NOT IN ('cancelled', 'held')"
TO_ADDRESS = f"{COUNTED} AND recipient_hash = ? AND proof = 'typed' AND kind <> 'code'"
FROM_NETWORK = f"{COUNTED} AND network = ? AND proof = 'typed' AND kind <> 'code'"
IN_CHAT = f"{COUNTED} AND chat_pk = ? AND kind NOT IN ('away', 'code')"
CODES_IN_CHAT = f"{COUNTED} AND chat_pk = ? AND kind = 'code'"
CODES_TO_ADDRESS = f"{COUNTED} AND recipient_hash = ? AND kind = 'code'"
AWAY_IN_CHAT = f"{COUNTED} AND chat_pk = ? AND kind = 'away'"

PREFIX_BITS = {4: 24, 6: 48}
"""How much of an address names its network: what one household or company has."""


@dataclass(frozen=True, slots=True)
class MailLimits:
    """Mails a day to an address that nothing proves; mails a day to such addresses that customers of one network
    cause; mails an hour about one chat, and away mails a day, to whomever. Codes, for which whoever has a link can
    ask, are counted by themselves, so that they take no other mail's place: an hour in a chat, a day to an address."""

    to_address: int = 2
    from_network: int = 20
    in_chat: int = 5
    away_in_chat: int = 6
    codes_in_chat: int = 3
    codes_to_address: int = 6


@dataclass(frozen=True, slots=True)
class Cause:
    """What counts about a mail that is to be queued."""

    kind: str
    chat_pk: int
    recipient_hash: str
    proof: str
    network: str


def limit_reached(driver: Driver, limits: MailLimits, cause: Cause, now_ms: int) -> str | None:
    """Why the mail may not be queued, as a sentence; None if it may."""

    def count(query: str, since_ms: int, value: object) -> int:
        row = driver.row(query, since_ms, value)
        return int(row[0]) if row else 0

    day_ago, hour_ago = now_ms - DAY_MS, now_ms - HOUR_MS
    if cause.kind == "code":
        in_chat, to_address = (
            (CODES_IN_CHAT, hour_ago, cause.chat_pk),
            (CODES_TO_ADDRESS, day_ago, cause.recipient_hash),
        )
        if count(*in_chat) >= limits.codes_in_chat or count(*to_address) >= limits.codes_to_address:
            return "There were enough codes; please wait a while"
        return None
    if cause.kind == "away":
        if count(AWAY_IN_CHAT, day_ago, cause.chat_pk) >= limits.away_in_chat:
            return "There were enough mails about unread answers in this chat today"
    elif count(IN_CHAT, hour_ago, cause.chat_pk) >= limits.in_chat:
        return "There were enough mails about this chat in the last hour"
    if cause.proof != "typed":
        return None
    if count(TO_ADDRESS, day_ago, cause.recipient_hash) >= limits.to_address:
        return "This address had enough mails today, as long as nothing shows whose it is"
    if cause.network and count(FROM_NETWORK, day_ago, cause.network) >= limits.from_network:
        return "Your network has caused enough mails today"
    return None


def network_of(address: str | None) -> str:
    """The network of a client's IP address; empty for addresses that say nothing about where somebody is."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return ""
    return str(ip_network((ip, PREFIX_BITS[ip.version]), strict=False)) if ip.is_global else ""
