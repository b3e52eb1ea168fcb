"""A customer and an agent who write in one chat until each has said all they had to say."""

from dataclasses import dataclass

from history.times import new_id
from tests.soak.crowd import CrowdTab

QUEUED = 4
"""How many of them stand in an outbox at once."""


@dataclass
class Pair:
    """See the module. `left` is how many messages customer and agent have still to write."""

    chat: str
    customer: CrowdTab
    agent: CrowdTab
    left: dict[str, int]
    asked: int = -1
    """The agent's connection on which the chat was asked for."""

    def goes_on(self) -> None:
        """Both write what they may write now."""
        if self.agent.is_welcome and self.chat not in self.agent.copies and self.asked != self.agent.connections:
            self.asked = self.agent.connections
            self.agent.tells(type="watch", chats=[{"chat": self.chat, "have": 0}])
        for tab in (self.customer, self.agent):
            if tab.is_welcome and self.chat in tab.copies:
                self._writes(tab)

    def _writes(self, tab: CrowdTab) -> None:
        waiting = len(self.waiting(tab))
        while waiting < QUEUED and self.left[tab.role]:
            self.left[tab.role] -= 1
            waiting += 1
            text = f"{tab.actor} has {self.left[tab.role]} words left for this chat"
            tab.composes(self.chat, {"text": text}, new_id())
        tab.flushes()

    def waiting(self, tab: CrowdTab) -> list[str]:
        return [message.frame["id"] for message in tab.outbox if message.frame["chat"] == self.chat]

    @property
    def is_over(self) -> bool:
        """Both have said all and have all."""
        tabs = (self.customer, self.agent)
        if any(self.left.values()) or any(self.waiting(tab) or not tab.is_welcome for tab in tabs):
            return False
        mine, theirs = (tab.copies.get(self.chat) for tab in tabs)
        if mine is None or theirs is None or mine.high != theirs.high:
            return False
        return mine.high >= max(mine.acked, theirs.acked) and not mine.hole and not theirs.hole
