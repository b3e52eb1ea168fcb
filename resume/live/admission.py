"""Who may come in, and with how many connections: hellos a second, strangers an address, connections a session, one
connection a tab. Part of the hub; it only counts: it closes nothing, and reads no clock and no database.
"""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from history.errors import RateLimited
from resume.live.conversation import Bucket

SILENT_S = 30.0
"""No living client is silent for so long, as it answers a ping every 20 s (protocol 4.5)."""

RETRY_MS = 5000

Who = TypeVar("Who", bound=Hashable)


@dataclass(frozen=True)
class AdmissionLimits:
    """How many hellos a second a process takes, how many connections an address may have before it says who it is,
    and how many a session may have.
    """

    hellos_per_second: float = 50
    strangers_per_address: int = 20
    connections_per_session: int = 5


class Entered(NamedTuple, Generic[Who]):
    """What somebody's entering brings: who was the same tab, who is dead and makes room, or that there is none."""

    same_tab: Who | None = None
    dead: Who | None = None
    is_full: bool = False


class Admission(Generic[Who]):
    """See the module. All but `check_address` is for the loop's thread; times are monotonic seconds."""

    def __init__(self, limits: AdmissionLimits, now: float) -> None:
        self.limits = limits
        rate = limits.hellos_per_second
        self.door = Bucket(rate, rate, rate, now)
        self.strangers: Counter[str] = Counter()
        self.address_of: dict[Who, str] = {}
        self.tabs: dict[str, dict[Who, str | None]] = {}
        """Of each session, who is here, and which tab that is."""
        self.session_of: dict[Who, str] = {}

    def check_address(self, address: str) -> None:
        """Whether one more may connect from `address`. Raises RateLimited. From any thread."""
        if self.strangers[address] >= self.limits.strangers_per_address:
            raise RateLimited("Too many connections from your address have not said who they are", after_ms=RETRY_MS)

    def came(self, who: Who, address: str) -> None:
        """Somebody is connected, and has not said who it is."""
        self.address_of[who] = address
        self.strangers[address] += 1

    def hello(self, now: float) -> int:
        """0, or in how many milliseconds there is room for one more hello."""
        wait = self.door.take(now)
        return int(wait * 1000) + 1 if wait else 0

    def enter(self, who: Who, session: str, tab: str | None, heard: Callable[[Who], float], now: float) -> Entered[Who]:
        """`who` turns out to belong to a customer's session. `heard`: when somebody was heard last."""
        tabs = self.tabs.get(session, {})
        same_tab = next((other for other, known in tabs.items() if tab and known == tab), None)
        dead = None
        if same_tab is None and len(tabs) >= self.limits.connections_per_session:
            dead = min(tabs, key=heard)
            if now - heard(dead) < SILENT_S:
                return Entered(is_full=True)
        for other in (same_tab, dead):
            if other is not None:
                self.left(other)
        self._known(who)
        self.tabs.setdefault(session, {})[who] = tab
        self.session_of[who] = session
        return Entered(same_tab, dead)

    def left(self, who: Who) -> None:
        """The connection is gone, or is about to be closed."""
        self._known(who)
        session = self.session_of.pop(who, None)
        if session is not None:
            del self.tabs[session][who]
            if not self.tabs[session]:
                del self.tabs[session]

    def _known(self, who: Who) -> None:
        address = self.address_of.pop(who, None)
        if address is not None:
            self.strangers[address] -= 1
            if not self.strangers[address]:
                del self.strangers[address]
