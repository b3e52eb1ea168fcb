"""Who may be meant by the beginning of a name: agents and customers, for the completion of a search. Called by the
desk's routes, for agents only.
"""

from history.db import Driver

PEOPLE_SHOWN = 8

NAMED = (
    "SELECT id, name FROM {table} WHERE lower(name) LIKE ? ESCAPE '\\' OR lower(name) LIKE ? ESCAPE '\\' "
    "OR name LIKE ? ESCAPE '\\' ORDER BY {newest} DESC LIMIT ?"
)
TABLES = {
    "agent": NAMED.format(table="agent", newest="online_until_ms"),
    "customer": NAMED.format(table="customer", newest="created_ms"),
}


def people_named(driver: Driver, beginning: str) -> list[dict[str, str]]:
    """Agents, then customers, of whose name a word begins so; those who were here last come first."""
    begun = beginning.strip()
    if not begun:
        return []
    # databases do not fold the case of all letters, so a name is also looked for as it is usually written
    low, usual = like(begun.lower()), like(begun.capitalize())
    return [
        {"id": id, "name": name, "role": role}
        for role, named in TABLES.items()
        for id, name in driver.rows(named, f"{low}%", f"% {low}%", f"{usual}%", PEOPLE_SHOWN)
    ]


def like(text: str) -> str:
    """`text` for a LIKE in which none of its signs stands for others."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
