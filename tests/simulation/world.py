"""Time and chance. Everything that may happen next stands in a lane; lanes keep their order, and which lane moves next
is drawn from the seed. Timers are due when the imagined clock is moved on.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Any, TypeVar

STEPS_LIMIT = 100_000
"""More steps without coming to rest are a fault of their own: something turns in a circle."""

T = TypeVar("T")


class NeverRests(Exception):
    """One thing leads to another without end."""


class Lane:
    """Things that happen one after another, such as the frames of one direction of a connection."""

    __slots__ = ("things", "world")

    def __init__(self, world: "World") -> None:
        self.world = world
        self.things: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()

    def put(self, fn: Callable[..., object], *args: Any) -> None:
        if not self.things:
            self.world.ready.append(self)
        self.things.append((fn, args))

    def put_first(self, fn: Callable[..., object], *args: Any) -> None:
        """Before all that stands in the lane already."""
        self.put(fn, *args)
        self.things.rotate(1)

    def cut(self) -> None:
        """All from some thing on never happens."""
        self.keep(self.world.random.randint(0, len(self.things)))

    def keep(self, count: int) -> None:
        """Only the next `count` things still happen."""
        if not self.things:
            return
        while len(self.things) > count:
            self.things.pop()
        if not self.things:
            self.world.ready.remove(self)


class Timer:
    """A call that is due at a moment of the imagined clock."""

    __slots__ = ("args", "due", "fn")

    def __init__(self, due: float, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.due, self.args = due, args
        self.fn: Callable[..., object] | None = fn

    def cancel(self) -> None:
        self.fn = None


class World:
    """See the module."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.ready: list[Lane] = []
        self.timers: list[tuple[float, int, Timer]] = []
        self.numbers = count()

    def clock(self) -> float:
        return self.now

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def one_of(self, things: Sequence[T]) -> T:
        return things[int(self.random.random() * len(things))]

    def later(self, seconds: float, fn: Callable[..., object], *args: Any) -> Timer:
        timer = Timer(self.now + seconds, fn, args)
        heapq.heappush(self.timers, (timer.due, next(self.numbers), timer))
        return timer

    def step(self) -> bool:
        """The next thing of some lane happens. False if nothing is left to happen."""
        if not self.ready:
            return False
        place = int(self.random.random() * len(self.ready))
        lane = self.ready[place]
        fn, args = lane.things.popleft()
        if not lane.things:
            self.ready[place] = self.ready[-1]
            self.ready.pop()
        fn(*args)
        return True

    def steps(self, number: int) -> None:
        """So many things happen, unless everything comes to rest before."""
        while number and self.step():
            number -= 1

    def rests(self) -> None:
        """Goes on until nothing is left to happen before the next timer. Raises NeverRests."""
        for _ in range(STEPS_LIMIT):
            if not self.step():
                return
        raise NeverRests(f"after {STEPS_LIMIT} steps there is still something to happen")

    def passes(self, seconds: float) -> None:
        """Time goes on; each timer that becomes due fires, and what follows from it happens."""
        until = self.now + seconds
        while self.timers and self.timers[0][0] <= until:
            self.now, _, timer = heapq.heappop(self.timers)
            if timer.fn is not None:
                timer.fn(*timer.args)
                self.rests()
        self.now = until
