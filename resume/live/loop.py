"""The one loop of a process that serves all live sockets: a selector in a thread of its own, with timers, a
post box for other threads, and one flush per turn for whoever produced output.

The hub starts and stops it. It knows nothing of WebSocket or chats, and nothing that runs on it may block:
a callback that takes long keeps every socket waiting.
"""

import contextlib
import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from history.times import new_id

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

logger = logging.getLogger(__name__)


class Flushable(Protocol):
    """Something that gathers output during a turn and sends it at the end, once."""

    def flush(self) -> None: ...


class Timer:
    """A call that is due at `due`, a moment of `time.monotonic`."""

    __slots__ = ("args", "due", "fn")

    def __init__(self, due: float, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.due = due
        self.fn: Callable[..., object] | None = fn
        self.args = args

    def cancel(self) -> None:
        """Makes sure the call does not happen; afterwards this changes nothing. Loop thread only."""
        self.fn = None
        self.args = ()  # the entry stays in the heap until it is due, and must not keep anything alive


class Loop:
    """Only `start`, `stop` and `post` may be called from other threads; the rest belongs to the loop's own.

    A `Loop` may be made before a fork and started after it: nothing of the system is held until `start`.
    """

    def __init__(self) -> None:
        self._selector: selectors.BaseSelector
        self._wake_in: socket.socket
        self._wake_out: socket.socket
        self._thread: threading.Thread | None = None
        self._running = False
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._wake_sent = True  # so that a post before the start only queues
        self._timers: list[tuple[float, int, Timer]] = []
        self._timer_numbers = itertools.count()
        self._dirty: list[Flushable] = []

    def start(self) -> None:
        """Starts the thread; what was posted before runs first. A running loop goes on."""
        if self._thread is not None:
            return
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self.register(self._wake_in, READ, self._woken)
        self._wake_out.send(b"\0")
        self._running = True
        self._thread = threading.Thread(target=self._run, name="live-loop")
        self._thread.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Ends the loop after everything posted so far has run, and waits for its thread.

        Returns whether the thread has ended in time. Sockets and timers of others are left as they are;
        what is posted later may never run.
        """
        if self._thread is None:
            return True
        self.post(self._end)
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Has `fn(*args)` run on the loop, soon, after all that was posted before. From any thread."""
        self._posted.append((fn, args))
        # The loop clears the flag before it empties the queue, and this appends before it looks at the flag:
        # whoever finds it set may rely on a turn that will see the entry.
        if not self._wake_sent:
            self._wake_sent = True
            with contextlib.suppress(OSError):  # stopped, or the pair is full of wake-ups already
                self._wake_out.send(b"\0")

    def call_later(self, seconds: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Has `fn(*args)` run on the loop in `seconds`, unless the timer is cancelled before."""
        timer = Timer(time.monotonic() + seconds, fn, args)
        heapq.heappush(self._timers, (timer.due, next(self._timer_numbers), timer))
        return timer

    def register(self, sock: socket.socket, events: int, callback: Callable[[int], object]) -> None:
        """Has `callback(READ | WRITE, as far as ready)` called whenever `sock` is ready for `events`.

        One such call may still come in the turn in which the socket is unregistered.
        """
        self._selector.register(sock, events, callback)

    def modify(self, sock: socket.socket, events: int, callback: Callable[[int], object]) -> None:
        """Changes what a registered socket is watched for. `events` is never 0: that is `unregister`."""
        self._selector.modify(sock, events, callback)

    def unregister(self, sock: socket.socket) -> None:
        """Stops watching `sock`; to be called before it is closed."""
        self._selector.unregister(sock)

    def flush_soon(self, flushable: Flushable) -> None:
        """Has `flushable.flush()` called at the end of this turn."""
        self._dirty.append(flushable)

    def _run(self) -> None:
        while self._running:
            for key, events in self._selector.select(self._seconds_to_next_timer()):
                self._call(key.data, events)
            self._run_posted()
            self._run_due_timers()
            self._flush_dirty()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    def _seconds_to_next_timer(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _run_posted(self) -> None:
        for _ in range(len(self._posted)):  # what these post themselves waits a turn, so sockets are never starved
            fn, args = self._posted.popleft()
            self._call(fn, *args)

    def _run_due_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            if timer.fn is not None:
                self._call(timer.fn, *timer.args)

    def _flush_dirty(self) -> None:
        while self._dirty:
            dirty, self._dirty = self._dirty, []
            for flushable in dirty:
                self._call(flushable.flush)

    def _call(self, fn: Callable[..., object], *args: Any) -> None:
        try:
            fn(*args)
        except Exception:
            logger.exception("error %s in a callback of the live loop", new_id())

    def _woken(self, _events: int) -> None:
        self._wake_in.recv(4096)
        self._wake_sent = False

    def _end(self) -> None:
        self._running = False
