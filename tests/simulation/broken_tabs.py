"""Clients broken on purpose: each breaks one rule for a client (protocol 4.4), and the checker must catch every one."""

from typing import Any

from history.times import new_id
from tests.copies import Frame
from tests.simulation.people import SimulatedTab


class TakesAcksForEvents(SimulatedTab):
    """An ack moves its mark."""

    def positions(self) -> list[Frame]:
        return [
            position | {"have": max(copy.high, copy.acked), "hash": None}
            for position, copy in zip(super().positions(), self.copies.values(), strict=True)
        ]


class ForgetsOutbox(SimulatedTab):
    """What is not acked when the connection ends is gone: it was kept with the connection."""

    def lost(self, code: int) -> None:
        self.outbox.clear()
        super().lost(code)


class OffersNothingAgain(SimulatedTab):
    """What was acked once is thought to be safe, whatever the log says."""

    def _offer_again(self, chat: str) -> None:
        pass


class LeavesGaps(SimulatedTab):
    """A resume is thought to bring everything."""

    def _fill(self, chat: str) -> None:
        pass


class KeepsItsCopy(SimulatedTab):
    """It does not believe that its copy is another log's."""

    def on_resume(self, resume: Frame) -> None:
        super().on_resume(resume | {"reset": None})


class SendsInAnyOrder(SimulatedTab):
    """Messages name no predecessor, and the newest goes first."""

    def composes(self, chat: str, data: Frame, message_id: str, **more: Any) -> None:
        self.keeps({"chat": chat, "id": message_id, "prev": None, "data": data, **more})
        self.outbox.insert(0, self.composed[message_id])


class RenamesOnRetry(SimulatedTab):
    """Each try of a message has an id of its own."""

    def lost(self, code: int) -> None:
        super().lost(code)
        for message in self.outbox:
            frame = message.frame
            frame["id"] = new_id()
            self.keeps({name: value for name, value in frame.items() if name != "type"})
        self.outbox = [self.composed[message.frame["id"]] for message in self.outbox]


BROKEN_TABS = (
    TakesAcksForEvents,
    ForgetsOutbox,
    OffersNothingAgain,
    LeavesGaps,
    KeepsItsCopy,
    SendsInAnyOrder,
    RenamesOnRetry,
)
