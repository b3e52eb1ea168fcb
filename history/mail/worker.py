"""The mail worker: one thread looks for due items, claims them and reads what they are about; a few others, each with a
connection of its own, make mails of them and send them; one records what became of them.

    claim -> read -> render -> fence -> send -> record

Many are on their way at once, and what is written about them at the same moment shares a commit (`writer.py`); each
fence is a condition on its own row, and its body goes out after that commit.
Started and stopped by `app.py`; several workers may run on one database. It never sends again what may have been
taken: an item whose outcome is unknown stays `uncertain` until something is heard of it.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from history import outbox
from history.db import Store, Transaction
from history.errors import Busy, Invalid
from history.mail import doubt
from history.mail.background import Background, read_backgrounds, short_enough
from history.mail.compose import compose, template, wire_address
from history.mail.doubt import Evidence, InDoubt
from history.mail.pauses import EVERYTHING, who_rests
from history.mail.prepare import House, Secrets, Unwanted, letter_of, prepare
from history.mail.recorder import Recorder, Try
from history.mail.restored import LastMail, hold_what_may_be_sent
from history.mail.results import Result
from history.mail.send import Carrier, Mail
from history.outbox import Claim, Rendered, Room
from history.times import MINUTE_MS, new_id, now_ms
from history.writer import Writer

LOOK_SECONDS = 1.0
"""How often the worker looks for due items when nobody wakes it."""

SEATS, SEATS_PER_DOMAIN = 8, 2
"""How many mails go out at once, and how many of these to one domain."""

CLAIM_LIMIT, ORDERS_LEFT = 40, 16
"""How many items are claimed at most, and how many that a seat could take are left when more are claimed."""

CLAIM_LIMIT_PER_DOMAIN = CLAIM_LIMIT * SEATS_PER_DOMAIN // SEATS
"""No domain fills the room of those that have seats beside it."""

READ_AHEAD_EVENTS = 4000
"""How many events of chats are read before a seat is there for them: some 40 ms, and 5 MB."""

IDLE_SECONDS = 60.0
"""Who has nothing to send for so long gives up the seat."""

BEATS_PER_LEASE = 3
ALARM_MS = 5 * MINUTE_MS
"""How long a mail may be due before the log says so; it says so again after the same time."""

log = logging.getLogger("stillhere.mail")


@dataclass(frozen=True, slots=True)
class Habits:
    """How a worker works. `evidence` tells whether our server took a mail in doubt; without it what is heard of the
    mail must do. The lease is renewed long before it ends."""

    in_doubt: InDoubt = "resend"
    evidence: Evidence | None = None
    last_mail: LastMail | None = None
    lease_ms: int = outbox.LEASE_MS


class Order(NamedTuple):
    """A claimed item on its way to a seat; its secrets, unless it was rendered before; and what it is about, if
    that was read ahead."""

    claim: Claim
    secrets: Secrets | None
    about: Background | None = None


class MailWorker:
    """`open_carrier` makes what sends mails, one for each seat."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        house: House,
        open_carrier: Callable[[], Carrier],
        habits: Habits | None = None,
    ) -> None:
        self.store = store
        self.writer = writer
        self.house = house
        self.open_carrier = open_carrier
        self.habits = habits or Habits()
        self.owner = new_id()
        self.stopping = False
        self.alarm = threading.Event()
        self.change = threading.Condition()
        """Guards the four below; notified when an order may be taken."""
        self.orders: list[Order] = []
        self.in_hand: dict[str, str] = {}
        """Item and domain of what is being sent, or recorded."""
        self.seats: set[threading.Thread] = set()
        self.idle_seats = 0
        self.beat_at = self.alarmed_at = 0.0
        self.recorder = Recorder(writer, self._recorded)
        self.thread = threading.Thread(target=self._run, name="stillhere-mail", daemon=True)

    def start(self) -> None:
        self.recorder.start()
        self.thread.start()

    def wake(self) -> None:
        """There may be something to do now."""
        self.alarm.set()

    def stop(self, patience_s: float = 10) -> None:
        """Ends after the mails in hand, and gives back the others. One that takes longer is left to its lease."""
        deadline = time.monotonic() + patience_s
        with self.change:
            self.stopping = True
            self.orders.clear()
            self.change.notify_all()
        self.wake()
        join_until(deadline, self.thread, *self.seats)
        self.recorder.stop()
        join_until(deadline, self.recorder.thread)

    def _run(self) -> None:
        is_sure = False
        template()  # here once, rather than on all seats at the same time
        while not self.stopping:
            try:
                is_sure = is_sure or self._make_sure()
                worked = self.work()
            except Busy as error:
                log.warning("mail waits: %s", error)
                worked = False
            except Exception:  # the next look may go well
                log.exception("the mail worker could not work")
                worked = False
            if not worked:
                self.alarm.wait(LOOK_SECONDS)
                self.alarm.clear()
        try:
            self.writer.write(lambda t: outbox.leave(t, self.owner, list(self.in_hand)))
        except Busy as error:
            log.warning("claimed mails wait for the end of their lease: %s", error)

    def _make_sure(self) -> bool:
        """Whether the record is not an older copy of itself, or what may have been sent since is held."""
        if last := self.habits.last_mail:
            held = self.writer.write(lambda t: hold_what_may_be_sent(t, last))
            if held:
                log.error("the record is older than the last mail that went out; %d mails wait for a person", held)
        return True

    def work(self) -> bool:
        """Claims what is due, as far as there are seats for it; False when there was nothing to claim."""
        self._beat()
        now = now_ms()
        with self.store.reading() as driver:
            due_ms = outbox.next_due_ms(driver)
            doubtful = doubt.read_in_doubt(driver)
        for item in doubtful:
            self._resolve(item)
        if due_ms is None or due_ms > now:
            return False
        self._tell_of_delay(now, due_ms)
        with self.change:
            left, waiting = self._count_free(), self._count_waiting()
        if left > ORDERS_LEFT:
            return False
        full = [domain for domain, count in waiting.items() if count >= SEATS_PER_DOMAIN]
        room = Room(CLAIM_LIMIT - left, CLAIM_LIMIT_PER_DOMAIN, full)
        orders = self._read_ahead(self.writer.write(partial(self._claim, room)))
        with self.change:
            if not self.stopping:
                self.orders += orders
                self._take_seats()
                self.change.notify_all()
        return bool(orders)

    def _claim(self, room: Room, transaction: Transaction) -> list[Order]:
        """Claims, and prepares in the same commit what is to be rendered."""
        outbox.recover(transaction, transaction.now_ms)
        claims = outbox.claim(transaction, self.owner, transaction.now_ms, room, self.habits.lease_ms)
        fresh = [claim for claim in claims if claim.body is None]
        prepared = iter(prepare(transaction, fresh, self.house))
        return [Order(claim, next(prepared) if claim.body is None else None) for claim in claims]

    def _read_ahead(self, orders: list[Order]) -> list[Order]:
        """The orders with what they are about, read at once. Long chats, and what fails here, are left to the seats."""
        claims = [order.claim for order in orders if order.secrets is not None]
        try:
            with self.store.reading() as driver:
                claims = short_enough(driver, claims, READ_AHEAD_EVENTS)
                abouts = dict(zip((claim.id for claim in claims), read_backgrounds(driver, claims), strict=True))
        except Exception as error:
            log.warning("mails are read one by one: %s", error)
            return orders
        return [order._replace(about=abouts.get(order.claim.id)) for order in orders]

    def _beat(self) -> None:
        """Keeps the leases of what waits for a seat or is being sent."""
        with self.change:
            ids = [*self.in_hand, *(order.claim.id for order in self.orders)]
        now = time.monotonic()
        if not ids or now - self.beat_at < self.habits.lease_ms / BEATS_PER_LEASE / 1000:
            return
        self.beat_at = now
        self.writer.write(lambda t: outbox.keep(t, self.owner, ids, t.now_ms, self.habits.lease_ms))

    def _resolve(self, item: doubt.Doubtful) -> None:
        taken = self.habits.evidence(item) if self.habits.evidence else None
        if doubt.step(item, taken, self.habits.in_doubt, now_ms()):
            self.writer.write(lambda t: doubt.resolve(t, item, taken, self.habits.in_doubt, t.now_ms))

    def _tell_of_delay(self, now: int, due_ms: int) -> None:
        if now - due_ms < ALARM_MS or time.monotonic() - self.alarmed_at < ALARM_MS / 1000:
            return
        self.alarmed_at = time.monotonic()
        log.error("a mail has been due for %d minutes", (now - due_ms) // MINUTE_MS)

    def _take_seats(self) -> None:
        """Opens as many more seats as there are orders for."""
        wanted = min(SEATS - len(self.seats), len(self.orders) - self.idle_seats)
        for _ in range(wanted):
            seat = threading.Thread(target=self._sit, name="stillhere-mail-seat", daemon=True)
            self.seats.add(seat)
            seat.start()

    def _sit(self) -> None:
        """One seat: sends what is ordered, until nothing has been for a while."""
        carrier = self.open_carrier()
        while (order := self._next()) is not None:
            result = None
            try:
                result = self.deliver(order, carrier)
            except Busy as error:
                log.warning("mail %s is left to its lease: %s", order.claim.id, error)
            except Exception:  # one mail may not stop the others; its lease brings it back
                log.exception("mail %s could not be dealt with", order.claim.id)
            if result is None:
                self._let_go(order.claim.id)
            else:
                self.recorder.put(order.claim, result)
        carrier.close()

    def _recorded(self, its: Try) -> None:
        domain = who_rests(its.claim.domain, its.result)
        if domain is not None:
            self._put_back(domain)
        self._let_go(its.claim.id)

    def _put_back(self, domain: str) -> None:
        """A pause has begun: orders that it concerns, which nobody has taken, go back and are no tries."""
        with self.change:
            resting = [order for order in self.orders if domain in (EVERYTHING, order.claim.domain)]
            self.orders = [order for order in self.orders if order not in resting]
        if resting:
            with suppress(Busy):  # their leases bring them back
                self.writer.write(lambda t: [outbox.give_back(t, order.claim, t.now_ms) for order in resting])

    def _let_go(self, item_id: str) -> None:
        """The item is in nobody's hands any more, and all that there is to say of it is recorded."""
        with self.change:
            domain = self.in_hand.pop(item_id, None)  # one whose lease ran out may have been in two hands
            self.change.notify_all()
            is_full = domain is not None and self._count_waiting()[domain] >= SEATS_PER_DOMAIN
            if not is_full and self._count_free() <= ORDERS_LEFT:
                self.wake()

    def _next(self) -> Order | None:
        """An order whose domain has a seat left; None when this one is given up."""
        until = time.monotonic() + IDLE_SECONDS
        with self.change:
            while True:
                order = self._free_order()
                if order is not None:
                    self.orders.remove(order)
                    self.in_hand[order.claim.id] = order.claim.domain
                    return order
                left = until - time.monotonic()
                if self.stopping or left <= 0:
                    self.seats.discard(threading.current_thread())
                    return None
                self.idle_seats += 1
                self.change.wait(left)
                self.idle_seats -= 1

    def _free_order(self) -> Order | None:
        taken = Counter(self.in_hand.values())
        return next((order for order in self.orders if taken[order.claim.domain] < SEATS_PER_DOMAIN), None)

    def _count_free(self) -> int:
        """How many orders seats could take now. The others wait for their domain's."""
        taken = Counter(self.in_hand.values())
        return sum(
            max(0, min(count, SEATS_PER_DOMAIN - taken[domain])) for domain, count in self._count_waiting().items()
        )

    def _count_waiting(self) -> Counter[str]:
        return Counter(order.claim.domain for order in self.orders)

    def deliver(self, order: Order, carrier: Carrier) -> Result | None:
        """How far the mail came; None when that is no try."""
        claim = order.claim
        try:
            result = self._try(order, carrier)
        except Unwanted as why:
            reason = str(why)
            self.writer.write(lambda t: outbox.finish(t, claim, "cancelled", reason, t.now_ms))
            return None
        except Busy as error:  # the store's fault
            log.warning("mail %s waits: %s", claim.id, error)
            self.recorder.insist(lambda t: outbox.give_back(t, claim, t.now_ms))
            return None
        if result is None:
            self.writer.write(lambda t: outbox.give_back(t, claim, t.now_ms))
        return result

    def _try(self, order: Order, carrier: Carrier) -> Result | None:
        """How far the mail came; None when the fence held it back."""
        claim = order.claim
        if order.secrets is not None and order.about is None:
            order = order._replace(about=self._read(claim))
        try:
            recipient = wire_address(claim.recipient)
            rendered = self._render(order)
        except Unwanted:
            raise
        except Invalid as error:
            return Result("render", None, error.detail)
        except Exception as error:  # composing is pure: what fails now fails always
            log.exception("mail %s cannot be composed", claim.id)
            return Result("render", None, type(error).__name__)
        sender = self.house.addresses.envelope_sender(claim.bounce_token)
        mail = Mail(claim.id, claim.created_ms, sender, recipient, claim.bounce_token, rendered.body)
        return carrier.send(mail, lambda: self._passes_fence(claim, rendered))

    def _passes_fence(self, claim: Claim, rendered: Rendered) -> bool:
        at_ms = self.writer.write(
            lambda t: t.now_ms if outbox.start(t, claim, rendered, t.now_ms, self.habits.lease_ms) else None,
            is_sure=True,
        )
        if at_ms is not None and self.habits.last_mail:
            self.habits.last_mail.note(at_ms)
        return at_ms is not None

    def _render(self, order: Order) -> Rendered:
        """The mail's bytes: those of the last try, or made of the chat as it is now."""
        claim = order.claim
        if claim.body is not None:
            return Rendered(claim.body, claim.rendered_rev or 0, claim.upto_seq)
        assert order.secrets is not None, "they were made with the claim"
        assert order.about is not None, "it was read"
        letter = letter_of(claim, order.secrets, order.about, self.house, now_ms())
        return Rendered(compose(letter), letter.transcript.head, letter.last_answer)

    def _read(self, claim: Claim) -> Background:
        with self.store.reading() as driver:
            return read_backgrounds(driver, [claim])[0]


def join_until(deadline: float, *threads: threading.Thread) -> None:
    """Waits for the end of those that have begun."""
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0, deadline - time.monotonic()))
