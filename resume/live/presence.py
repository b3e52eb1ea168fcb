"""Who is there, by age: a lease in the participant's row that each sign of life moves on. A process that dies needs no
clean-up, its leases run out. This keeps the connections' part of it in memory and tells what is to be written; no I/O.
"""

from collections import Counter
from dataclasses import dataclass, field

LEASE_S = 60.0
RENEW_S = 20.0


@dataclass(slots=True)
class Presence:
    """People with a connection to this process. Keys are participants (in chats) and agents (at the desk)."""

    people: Counter[str] = field(default_factory=Counter)
    chats: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Participant to the chat's pk and id; agents are not in it."""
    fresh: dict[str, float] = field(default_factory=dict)
    """Who has come, perhaps to leave at once, and until when others still take them to be here from the last time."""
    gone: dict[str, float] = field(default_factory=dict)
    """Who left, and when their lease will have run out."""
    renewed: float = 0.0

    def arrive(self, key: str, chat: tuple[int, str] | None) -> None:
        if chat is not None:
            self.chats[key] = chat
        here_until = self.gone.pop(key, 0.0) - RENEW_S - 1
        if not self.people[key]:
            self.fresh.setdefault(key, here_until)
        self.people[key] += 1

    def leave(self, key: str, now: float) -> None:
        self.people[key] -= 1
        if self.people[key] <= 0:
            del self.people[key]
            self.gone[key] = now + LEASE_S + 1

    def due(self, now: float) -> tuple[set[str], dict[str, tuple[int, str] | None]]:
        """Whose leases are to be written now, and who looks different to others, with the chat; agents have none."""
        expired = {key for key, at in self.gone.items() if at <= now}
        news = {key for key, here_until in self.fresh.items() if here_until <= now}
        changed = {key: self.chats.get(key) for key in news | expired}
        keys = set(self.fresh)
        if now - self.renewed >= RENEW_S:
            keys |= self.people.keys()
            self.renewed = now
        self.fresh.clear()
        for key in expired:
            del self.gone[key]
            self.chats.pop(key, None)
        return keys, changed
