"""The connections of this process, and their road to the rest: reads, commands for the log, what was committed, hints
from other processes, presence. Who follows what is in `following.py`.

All state here belongs to the loop's thread. `adopt`, `committed` and `hinted` may be called from anywhere.
"""

import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from history.access import Viewer
from history.bus import Hint, MemoryBus
from history.db import Driver, Store, Transaction
from history.errors import Busy, StillhereError
from history.journal import RIGHTS_ENDED, Command, Commit
from history.state import Places
from history.times import now_ms
from history.writer import Answer, Entry, Writer, give
from resume.live.admission import Admission, AdmissionLimits
from resume.live.client import HEARTBEAT, REVOKED, Client
from resume.live.connection import Connection, Limits
from resume.live.conversation import TalkLimits
from resume.live.following import Following
from resume.live.handover import SUBPROTOCOL
from resume.live.loop import Loop
from resume.live.pace import Pace
from resume.live.presence import LEASE_S, Presence
from resume.live.rights import RECHECK_S, ended
from resume.live.waiting import WaitingList
from resume.sessions import Sessions, seen

READERS = 2
TICK_S = 1.0
REPLACED, VERSION = 4002, 4326

SEEN_CUSTOMER = "UPDATE participant SET online_until_ms = ?, last_seen_ms = ? WHERE id = ?"
IN_CHARGE = "SELECT pk, id FROM chat WHERE agent_id IN_LIST AND status = 'active'"
SEEN_AGENT = "UPDATE agent SET online_until_ms = ? WHERE id = ?"

log = logging.getLogger("stillhere.hub")


class Hub:
    """See the module. `start` and `stop` are called once in the process that serves."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        bus: MemoryBus,
        sessions: Sessions,
        limits: TalkLimits,
        admission_limits: AdmissionLimits,
        socket_limits: Limits,
    ) -> None:
        self.store, self.writer, self.bus, self.sessions = store, writer, bus, sessions
        self.limits, self.socket_limits = limits, socket_limits
        self.loop = Loop()
        self.readers = ThreadPoolExecutor(READERS, thread_name_prefix="stillhere-reader")
        self.admission: Admission[Client] = Admission(admission_limits, time.monotonic())
        self.pace = Pace(limits.messages_per_second, limits.messages_burst)
        self.clients: set[Client] = set()
        self.commands: list[Entry] = []
        """What this turn of the loop has for the writer."""
        self.presence = Presence()
        self.seen: set[str] = set()
        """Sessions to be moved on at the next tick."""
        self.following = Following(self)
        self.waiting = WaitingList(self)
        self.places = Places()
        bus.subscribe(self.hinted, own=False)

    def start(self) -> None:
        self.loop.start()
        self.loop.post(self._tick)
        self.loop.post(self.following.start)
        self.loop.post(self._recheck_again)

    def stop(self) -> None:
        """Tells everybody that the server restarts, and ends."""
        self.loop.post(self._say_restart)
        deadline = time.monotonic() + self.socket_limits.close_timeout_s + 1
        while self.clients and time.monotonic() < deadline:
            time.sleep(0.02)
        self.loop.stop(3)
        self.readers.shutdown(cancel_futures=True)

    def _say_restart(self) -> None:
        """Everybody gets a slot of the own to come back in, so that the next server is not overrun."""
        slot_ms = 1000 / self.admission.limits.hellos_per_second
        for place, client in enumerate(list(self.clients)):
            client.drain(int(place * slot_ms))

    def adopt(self, sock: socket.socket, early: bytes, signed_in: Viewer | None, address: str, version: str) -> None:
        """Takes a socket behind its handshake, from `address`, that speaks `version` of the protocol; called from the
        request's thread.
        """
        self.loop.post(self._adopt, sock, early, signed_in, address, version)

    def _adopt(self, sock: socket.socket, early: bytes, signed_in: Viewer | None, address: str, version: str) -> None:
        connection = Connection(self.loop, sock, self.socket_limits)
        client = Client(self, connection, signed_in)
        self.came(client, address)
        connection.open(client, early)
        if version != SUBPROTOCOL:
            client.end(VERSION, f"This server speaks {SUBPROTOCOL}")

    def came(self, client: Client, address: str) -> None:
        """A client is connected; agents are known by what their request brought."""
        self.clients.add(client)
        if client.conversation.signed_in is None:
            self.admission.came(client, address)

    def enter(self, client: Client, viewer: Viewer, tab: str | None) -> bool:
        """Makes room for a client who is known now. False if its session has all the connections it may have."""
        if viewer.role == "agent":
            return True  # programs of agents have one key and many connections
        session = viewer.session_id or viewer.person_id
        entered = self.admission.enter(client, session, tab, last_heard, time.monotonic())
        if entered.same_tab is not None:
            entered.same_tab.end(REPLACED, "This tab has a newer connection")
        if entered.dead is not None:
            entered.dead.end(HEARTBEAT, "Nothing was heard for too long")
        return not entered.is_full

    def check_pace(self, viewer: Viewer) -> None:
        """Whether somebody who writes over HTTP may do so now. Raises RateLimited. From any thread."""
        self.pace.check(viewer, time.monotonic())

    def _recheck_again(self) -> None:
        self._recheck()
        self.pace.forget_rested(time.monotonic())
        self.loop.call_later(RECHECK_S, self._recheck_again)

    def _recheck(self) -> None:
        """Looks up whose rights have ended."""
        viewers = (client.conversation.viewer for client in self.clients)
        ids = sorted({viewer.session_id for viewer in viewers if viewer and viewer.session_id})
        if ids:
            self.read(partial(ended_now, ids), self._end_those)

    def _end_those(self, ended: Any) -> None:
        if isinstance(ended, StillhereError):
            return
        for client in list(self.clients):
            viewer = client.conversation.viewer
            if viewer and viewer.session_id in ended:
                client.end(REVOKED, "This device's access was ended")

    def read(self, work: Callable[[Driver], Any], then: Callable[[Any], None]) -> None:
        """Runs `work` on a reader thread and `then` on the loop with its result or the StillhereError it raised."""
        self.readers.submit(self._read, work, then)

    def _read(self, work: Callable[[Driver], Any], then: Callable[[Any], None]) -> None:
        try:
            with self.store.reading() as driver:
                result = work(driver)
        except StillhereError as error:
            result = error
        except Exception:
            log.exception("a read failed")
            result = Busy("The store did not answer; please try again", after_ms=1000)
        self.loop.post(then, result)

    def submit(self, command: Command, done: Callable[[Any], None]) -> None:
        """Queues a command for the log; all of one turn of the loop go to the writer together, so it wakes once."""
        if not self.commands:
            self.loop.flush_soon(self)
        self.commands.append(Entry(command, done))

    def flush(self) -> None:
        """The end of a turn: the writer gets its commands."""
        entries, self.commands = self.commands, []
        try:
            self.writer.submit(entries)
        except Busy as busy:
            give([(entry, busy) for entry in entries])

    def arrived(self, client: Client, viewer: Viewer) -> None:
        """The client has been told welcome. An agent counts as being at the desk from now on."""
        if viewer.is_stale and viewer.session_id:
            self.seen.add(viewer.session_id)
        if client in self.clients and viewer.role == "agent":
            self.presence.arrive(viewer.person_id, None)

    def forget(self, client: Client) -> None:
        """The client's socket is gone."""
        self.clients.discard(client)
        self.admission.left(client)
        self.waiting.agents.discard(client)
        conversation = client.conversation
        self.following.unfollow(client, [cursor.place for cursor in conversation.cursors.values()])
        conversation.cursors.clear()
        if conversation.viewer and conversation.viewer.role == "agent":
            self.presence.leave(conversation.viewer.person_id, time.monotonic())

    def committed(self, commits: list[Commit], answers: list[Answer]) -> None:
        """Called by the writer after each commit: acks and events go out together, then the bell rings elsewhere."""
        self.loop.post(self._committed, commits, answers)
        if commits:
            self.bus.publish([Hint(commit.chat_pk) for commit in commits])

    def _committed(self, commits: list[Commit], answers: list[Answer]) -> None:
        give(answers)
        for commit in commits:
            if commit is RIGHTS_ENDED:
                self._recheck()
                continue
            self.following.committed(commit)
        if commits:
            self.waiting.changed(places=any(commit.state_changed for commit in commits))

    def hinted(self, hints: list[Hint]) -> None:
        """Another process says that something happened."""
        self.loop.post(self._hinted, hints)

    def _hinted(self, hints: list[Hint]) -> None:
        for hint in hints:
            if hint.typing is not None:
                self.following.show_typing(hint, None)
                continue
            if hint.chat_pk == RIGHTS_ENDED.chat_pk:
                self._recheck()
                continue
            self.following.hinted(hint.chat_pk)
        self.waiting.changed(places=True)

    def tell(self, client: Client, hint: Hint) -> None:
        """Something that is never stored, for all who follow the chat, here and elsewhere."""
        self.following.show_typing(hint, client)
        self.bus.publish([hint])

    def _tick(self) -> None:
        """Renews the leases of those who are here, and rings where somebody comes or goes."""
        keys, changed = self.presence.due(time.monotonic())
        if self.seen:
            self.writer.later(partial(seen, session_ids=self.seen))
            self.seen = set()
        if keys or changed:
            people = [key for key in keys if key in self.presence.chats]
            agents = [key for key in keys if key not in self.presence.chats]
            bells = [
                Commit(*chat, (), self.following.others_follow(chat[0], key)) for key, chat in changed.items() if chat
            ]
            in_charge = [key for key, chat in changed.items() if chat is None]
            self.writer.later(partial(save_leases, people, agents, bells, in_charge))
        self.loop.call_later(TICK_S, self._tick)


def ended_now(ids: list[str], driver: Driver) -> set[str]:
    return ended(driver, ids, now_ms())


def last_heard(client: Client) -> float:
    return client.connection.last_received


def save_leases(
    people: list[str], agents: list[str], bells: list[Commit], in_charge: list[str], transaction: Transaction
) -> None:
    """Moves leases on, and rings for the chats whose people come or go, or the agents who are in charge of them."""
    now = transaction.now_ms
    until = now + int(LEASE_S * 1000)
    transaction.driver.run_many(SEEN_CUSTOMER, [(until, now, id) for id in people])
    transaction.driver.run_many(SEEN_AGENT, [(until, id) for id in agents])
    transaction.commits += bells
    if in_charge:
        chats = transaction.driver.rows(IN_CHARGE, transaction.driver.list_param(in_charge))
        transaction.commits += [Commit(pk, id, (), True) for pk, id in chats]
