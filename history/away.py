"""Agents who are away for longer than the grace lose their chats, which wait again at their old places.

Wired by `app.py`; every server looks, and the chat's lock leaves one winner. This only finds whom it may concern; the
rule is in `chats.py`, and is decided under the lock.
"""

from functools import partial

from history.access import places_left
from history.batch import Requeue
from history.db import Store
from history.times import SECOND_MS, now_ms
from history.watch import LOOK_SECONDS, Watch
from history.writer import Writer


def away_watch(store: Store, writer: Writer, grace_s: float) -> Watch:
    """`grace_s` is how long an agent may be away. Where nothing served, or the store was away, no agent could be seen:
    they get the whole grace to return.
    """
    return Watch("away", partial(look, store, writer, grace_s), min(LOOK_SECONDS, grace_s), grace_s)


def look(store: Store, writer: Writer, grace_s: float) -> None:
    """Puts back what the agents who are away now had in hand."""
    before_ms = now_ms() - int(grace_s * SECOND_MS)
    with store.reading() as driver:
        places = places_left(driver, before_ms)
    for place in places:
        writer.append(Requeue(place, before_ms))
