"""Who follows which chat, and what each is told: events from where its cursor stands, encoded once for all, marks,
typing, changed states. Part of the hub, on the loop's thread. A slow look at all followed chats finds in the log what
no commit and no hint has brought.
"""

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from history.access import Place
from history.bus import Hint
from history.db import Driver
from history.errors import StillhereError
from history.events import event_frame
from history.journal import Commit
from history.models import INTERNAL, PUBLIC
from history.times import now_ms
from resume.live.conversation import Cursor, Line
from resume.live.frames import read_frame, state_frame, typing_frame
from resume.live.opening import Brought, News, read_news
from resume.live.plain_frames import encode_text

if TYPE_CHECKING:
    from resume.live.client import Client
    from resume.live.hub import Hub

SAFETY_POLL_S = 2.0
"""How often the log is looked at for what no hint told."""

TYPING_TTL_MS = 6000
RECENT_S = 5.0

HEADS = "SELECT pk, head, internal_head, rev FROM chat WHERE pk IN_LIST"


class Following:
    """See the module."""

    def __init__(self, hub: "Hub") -> None:
        self.hub = hub
        self.followers: dict[int, dict[Client, Cursor]] = {}
        self.refreshing: dict[int, bool] = {}
        """Chats that are being read, and whether something has happened since."""
        self.shown: dict[tuple[int, str], Any] = {}
        """The state last sent to the followers of a chat, by role."""
        self.recent: list[set[int]] = [set(), set()]
        """Chats that were written to of late: in this half of RECENT_S, and in the one before."""
        self.turn = 0

    def start(self) -> None:
        """Begins to look after what hints did not tell."""
        self._turn_recent()
        self._poll()

    def watch(self) -> int:
        """A mark in time: `follow` with it notices what was committed since."""
        return self.turn

    def follow(self, client: "Client", brought: Brought, watch: int) -> None:
        """From now on the client gets what happens in these chats, from where its cursors stand."""
        if client not in self.hub.clients:
            return
        for chat_pk in brought.waiting:
            self.hub.waiting.note(chat_pk, waits=True)
        for cursor in brought.cursors:
            place = cursor.place
            followers = self.followers.setdefault(place.chat_pk, {})
            if client not in followers and place.role == "customer":
                self.hub.presence.arrive(place.participant, (place.chat_pk, place.chat_id))
            followers[client] = cursor
            self._outdate(place.chat_pk)
            if self.turn - watch > 1 or any(place.chat_pk in chats for chats in self.recent):
                cursor.rev = 0  # marks may have risen meanwhile, which leaves the state's revision as it was
                self.refresh(place.chat_pk)

    def unfollow(self, client: "Client", places: Iterable[Place]) -> None:
        for place in places:
            followers = self.followers.get(place.chat_pk, {})
            if followers.pop(client, None) is None:
                continue
            if place.role == "customer":
                self.hub.presence.leave(place.participant, time.monotonic())
            if not followers:
                del self.followers[place.chat_pk]
                self.hub.waiting.note(place.chat_pk, waits=False)
                for role in ("customer", "agent"):
                    self.shown.pop((place.chat_pk, role), None)

    def committed(self, commit: Commit) -> None:
        """Sends what the log got, to whoever is next for it."""
        self.recent[0].add(commit.chat_pk)
        followers = self.followers.get(commit.chat_pk)
        if followers:
            self._outdate(commit.chat_pk)
            self._deliver(commit, followers)

    def _deliver(self, commit: Commit, followers: "dict[Client, Cursor]") -> None:
        lines = [
            Line(event.stream, event.seq, encode_text(event_frame(commit.chat_id, event))) for event in commit.events
        ]
        missing = False
        for client, cursor in followers.items():
            missing |= client.deliver(cursor, lines)
        for participant, read, delivered in commit.marks:
            self._remember_mark(commit.chat_pk, participant, read, delivered)
            frame = encode_text(read_frame(commit.chat_id, participant, read, delivered))
            for client in followers:
                client.connection.write(frame)
        if missing or commit.state_changed:
            self.refresh(commit.chat_pk)

    def _remember_mark(self, chat_pk: int, participant: str, read: int, delivered: int) -> None:
        """The states shown last stay true, as they may be sent once more with another place in the queue."""
        for role in ("customer", "agent"):
            for person in self.shown.get((chat_pk, role), {}).get("participants", ()):
                if person["id"] == participant:
                    person |= {"read": read, "delivered": delivered}

    def _outdate(self, chat_pk: int) -> None:
        """What is being read of the chat may be older than what its followers have by now: it is read once more."""
        if chat_pk in self.refreshing:
            self.refreshing[chat_pk] = True

    def hinted(self, chat_pk: int) -> None:
        """Another process has written to a chat."""
        self.recent[0].add(chat_pk)
        if chat_pk in self.followers:
            self.refresh(chat_pk)

    def show_typing(self, hint: Hint, but: "Client | None") -> None:
        """Tells the followers of a chat, but for the one who types."""
        assert hint.typing is not None
        for client, cursor in self.followers.get(hint.chat_pk, {}).items():
            if client is not but:
                client.say(typing_frame(cursor.place.chat_id, *hint.typing, TYPING_TTL_MS))

    def refresh(self, chat_pk: int) -> None:
        """Reads from the log what the followers of a chat do not have, and its state."""
        if chat_pk in self.refreshing:
            self.refreshing[chat_pk] = True
            return
        cursors = list(self.followers.get(chat_pk, {}).values())
        if not cursors:
            return
        self.refreshing[chat_pk] = False
        after = {PUBLIC: min(cursor.sent for cursor in cursors)}
        internal = [cursor.internal_sent for cursor in cursors if cursor.place.role == "agent"]
        if internal:
            after[INTERNAL] = min(internal)
        roles = frozenset(cursor.place.role for cursor in cursors)
        work = partial(news_now, chat_pk, after, roles)
        self.hub.read(work, partial(self._refreshed, chat_pk))

    def _refreshed(self, chat_pk: int, news: Any) -> None:
        again = self.refreshing.pop(chat_pk, False)
        followers = self.followers.get(chat_pk)
        if not followers or isinstance(news, StillhereError):
            return
        if news.erased:
            for client, cursor in list(followers.items()):
                client.look_again(cursor.place)
            return
        self._show_news(chat_pk, news, followers, with_state=not again)
        if again or news.more:
            self.refresh(chat_pk)

    def _show_news(self, chat_pk: int, news: News, followers: "dict[Client, Cursor]", *, with_state: bool) -> None:
        chat = str(next(iter(news.states.values()))["chat"])
        lines = [Line(event.stream, event.seq, encode_text(event_frame(chat, event))) for event in news.events]
        for client, cursor in followers.items():
            client.deliver(cursor, lines)
        if with_state:
            for role, state in news.states.items():
                self._show_state(chat_pk, role, state, followers)

    def _show_state(self, chat_pk: int, role: str, state: dict[str, Any], followers: "dict[Client, Cursor]") -> None:
        """Sends a state to the followers who have not been shown it; the head alone is no change."""
        state.pop("hash", None)
        self.hub.waiting.note(chat_pk, waits=state["queue"] is not None)
        known = {key: value for key, value in state.items() if key != "head"}
        is_new = self.shown.get((chat_pk, role)) != known
        self.shown[chat_pk, role] = known
        unaware = [
            (client, cursor)
            for client, cursor in followers.items()
            if cursor.place.role == role and (is_new or cursor.rev != state["rev"])
        ]
        if not unaware:
            return
        frame = encode_text(state_frame(state))
        for client, cursor in unaware:
            cursor.rev = state["rev"]
            client.connection.write(frame)

    def _turn_recent(self) -> None:
        self.recent = [set(), self.recent[0]]
        self.turn += 1
        self.hub.loop.call_later(RECENT_S, self._turn_recent)

    def _poll(self) -> None:
        """What no hint told is found here: a lost hint delays and never loses."""
        pks = sorted(self.followers)
        if pks:
            self.hub.read(partial(read_heads, pks), self._polled)
        else:
            self.hub.loop.call_later(SAFETY_POLL_S, self._poll)

    def _polled(self, heads: Any) -> None:
        self.hub.loop.call_later(SAFETY_POLL_S, self._poll)
        if isinstance(heads, StillhereError):
            return
        for pk, head, internal_head, rev in heads:
            if self._is_behind(pk, head, internal_head, rev):
                self.refresh(pk)

    def _is_behind(self, chat_pk: int, head: int, internal_head: int, rev: int) -> bool:
        for cursor in self.followers.get(chat_pk, {}).values():
            if cursor.sent < head or cursor.rev != rev:
                return True
            if cursor.place.role == "agent" and cursor.internal_sent < internal_head:
                return True
        return False

    def others_follow(self, chat_pk: int, participant: str) -> bool:
        """Whether somebody here sees that this person has come or gone; other processes are told in any case."""
        return any(cursor.place.participant != participant for cursor in self.followers.get(chat_pk, {}).values())


def news_now(chat_pk: int, after: dict[int, int], roles: frozenset[str], driver: Driver) -> News:
    return read_news(driver, chat_pk, after, roles, now_ms())


def read_heads(pks: list[int], driver: Driver) -> Sequence[Any]:
    return driver.rows(HEADS, driver.list_param(pks))
