"""Commands over the search index: how it is, make a new one, check it. They work beside a running server and without
one.

Exit codes, for scripts: 0 it is whole and up to date, 1 it lacks something yet, 2 there is none that could be trusted.
"""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import click
from tqdm import tqdm

from history.bus import MemoryBus
from history.db import Driver, Store
from history.errors import Busy
from history.writer import Writer
from search.engine import Edition
from search.indexer import Indexer
from search.marks import ask_for_new, count_behind, count_events, read_edition, read_misfits, read_state
from search.shelf import Shelf

WHOLE, LACKING, NONE = 0, 1, 2
"""Exit codes."""

LOOK_SECONDS = 0.2
CHECKS = 5
"""How often an index is looked at that a server writes to at the same time, before it is called damaged."""

INDEXED = (
    "SELECT count(*) FROM event e JOIN chat c ON c.pk = e.chat_pk WHERE e.kind IN ('message', 'note') "
    "AND (e.stream = 1 OR e.seq > c.floor) AND e.digest IS NULL AND e.data LIKE ? AND e.data NOT LIKE ?"
)
HAS_TEXT, EMPTY_TEXT = '%"text":"%', '%"text":""%'
"""How many messages of the log say something, and so belong into the index."""


class Index(NamedTuple):
    """What the commands work with."""

    store: Store
    writer: Writer
    shelf: Shelf


class Account(NamedTuple):
    """How the index stands to the log."""

    events: int
    behind: int
    whole: bool
    misfits: list[tuple[str, str, int, str]]


def make_commands(open_index: Callable[[], AbstractContextManager[Index]]) -> list[click.Command]:
    """The group of commands; `open_index` brings the database up to date and opens what they need."""

    @click.group()
    def index() -> None:
        """Look after the search index."""

    @index.command()
    def status() -> None:
        """Say how the index is."""
        with open_index() as opened:
            code = tell_status(opened)
        sys.exit(code)

    @index.command()
    def check() -> None:
        """Verify all of the index, and that it has what the log has."""
        with open_index() as opened:
            code = tell_check(opened)
        sys.exit(code)

    @index.command()
    def rebuild() -> None:
        """Make a new index beside the one that is searched, then turn to it."""
        with open_index() as opened:
            make_anew(opened)
        click.echo("The new index is searched now.")

    return [index]


def account(driver: Driver) -> Account:
    return Account(count_events(driver), count_behind(driver), read_state(driver).whole, read_misfits(driver))


def tell_status(opened: Index) -> int:
    with opened.store.reading() as driver:
        state, known = read_state(driver), account(driver)
    if state.wanted > state.made:
        click.echo(f"A new index is being made: {percent(state.done, state.total)}.")
    if known.misfits:
        click.echo(f"{len(known.misfits)} messages could not be indexed:")
    for chat, stream, seq, reason in known.misfits:
        click.echo(f"  chat {chat}, {stream} {seq}: {reason}")
    if not known.whole:
        click.echo(f"The index is being made: {percent(known.events - known.behind, known.events)}.")
        return NONE
    try:
        messages = opened.shelf.count()
    except Busy:
        click.echo("The index cannot be read. A running server makes it again by itself.")
        return NONE
    click.echo(f"The index has {messages:,} messages, and lacks {known.behind:,} events of the log.")
    return LACKING if known.behind or state.wanted > state.made else WHOLE


def percent(done: int, total: int) -> str:
    return f"{100 * done // max(1, total)} %"


def tell_check(opened: Index) -> int:
    if not is_sound(opened):
        click.echo("The index is missing, damaged, or not of this record. `stillhere index rebuild` makes it anew.")
        return NONE
    with opened.store.reading() as driver:
        known = account(driver)
        said = driver.row(INDEXED, HAS_TEXT, EMPTY_TEXT)
    has, expected = opened.shelf.count(), said[0] - len(known.misfits) if said else 0
    if known.behind or not known.whole:
        click.echo(f"The index is sound, and lacks {known.behind:,} events of the log yet.")
        return LACKING
    if has != expected and opened.shelf.count() != expected:
        click.echo(f"The index has {has:,} messages, and the log {expected:,}. `stillhere index rebuild` mends it.")
        return LACKING
    click.echo(f"The index is sound and has all {has:,} messages of the log.")
    return WHOLE


def is_sound(opened: Index) -> bool:
    """Whether every file is as it was written, and the marks belong to it."""
    for _ in range(CHECKS):
        found = opened.shelf.check()
        with opened.store.reading() as driver:
            known = read_edition(driver)
        if found is not None and known is not None and belongs(found, known):
            return True
        time.sleep(LOOK_SECONDS)  # a server may have committed in the middle
    return False


def belongs(found: Edition, known: Edition) -> bool:
    """The marks follow the index, by one commit at most."""
    return found.identity == known.identity and found.commits - known.commits in (0, 1)


def make_anew(opened: Index) -> None:
    """Has a new index made by the server that indexes, or here if none runs, and shows how far it is."""
    wish = opened.writer.write(ask_for_new)
    indexer = Indexer(opened.store, opened.writer, MemoryBus(), opened.shelf)
    indexer.start()
    try:
        with tqdm(unit=" events", desc="Indexing") as bar:
            while not follow(opened.store, wish, bar):
                time.sleep(LOOK_SECONDS)
    finally:
        indexer.stop()


def follow(store: Store, wish: int, bar: "tqdm[Any]") -> bool:
    """Moves the bar. True if the index that was asked for is there."""
    with store.reading() as driver:
        state, known = read_state(driver), account(driver)
    fulfilled = state.made >= wish and state.whole
    is_beside = state.whole and not fulfilled
    bar.n, bar.total = (state.done, state.total) if is_beside else (known.events - known.behind, known.events)
    bar.refresh()
    return fulfilled
