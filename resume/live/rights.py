"""Whose right to be here has ended: asked by the hub again and again for all who are connected, and at once when
somebody's rights are taken away. Reads only.
"""

from collections.abc import Sequence

from history.db import Driver

RECHECK_S = 30.0
"""How often all are looked at, as the word that rights have ended may be lost on its way."""

REVOKED = "SELECT id FROM session WHERE id IN_LIST AND revoked_ms IS NOT NULL"
SIGNED_OUT = (
    "SELECT c.id FROM agent_credential c JOIN agent a ON a.id = c.agent_id WHERE c.id IN_LIST "
    "AND (c.revoked_ms IS NOT NULL OR c.expires_ms <= ? OR a.disabled_ms IS NOT NULL)"
)


def ended(driver: Driver, ids: Sequence[str], now_ms: int) -> set[str]:
    """Which of these sessions and agents' credentials are of no more use."""
    wanted = driver.list_param(ids)
    rows = [*driver.rows(REVOKED, wanted), *driver.rows(SIGNED_OUT, wanted, now_ms)]
    return {id for (id,) in rows}
