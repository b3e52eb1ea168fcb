"""`stillhere doctor`: how the service stands, what is behind, and which engine would suit. It changes nothing.

Exit codes, for scripts: 0 all is well, 1 something wants to be looked at.
"""

import stat
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import click

from history.db import Driver
from history.errors import Busy
from search.choosing import FOLDERS, Choice, EngineName, index_bytes
from search.cli import Account, Index, account

BEHIND_EVENTS = 1_000
"""A running server has fewer to index at any time; more means that nothing indexes, or that it cannot keep up."""

WHOOSH_MESSAGES = 300_000
"""Up to so many messages Whoosh answers quickly enough."""

VERSION = {"sqlite": "SELECT sqlite_version()", "postgresql": "SHOW server_version"}
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class Finding(NamedTuple):
    what: str
    how: str
    is_well: bool = True


class Patient(NamedTuple):
    """What is examined: what was set, and what the service is made of."""

    given: Collection[str]
    """The settings that the environment names."""
    instance: Path
    choice: Choice
    engine: EngineName
    opened: Index


def make_command(open_patient: Callable[[], AbstractContextManager[Patient]]) -> click.Command:
    """The command; `open_patient` reads the settings, which stops at a mistake in them, and opens the store."""

    @click.command()
    def doctor() -> None:
        """Say how the service stands, what is behind, and which search engine would suit."""
        with open_patient() as patient:
            findings = list(examine(patient))
        for finding in findings:
            click.echo(f"{'ok' if finding.is_well else '!!'}  {finding.what}: {finding.how}")
        sys.exit(0 if all(finding.is_well for finding in findings) else 1)

    return doctor


def examine(patient: Patient) -> Iterator[Finding]:
    yield Finding("settings", ", ".join(sorted(patient.given)) or "all as they come")
    yield folder_finding(patient.instance)
    with patient.opened.store.reading() as driver:
        yield store_finding(driver)
        known = account(driver)
    chosen = "chosen by STILLHERE_SEARCH_ENGINE" if patient.choice != "auto" else "as it suits the database"
    yield Finding("search engine", f"{patient.engine}, {chosen}")
    yield from left_behind(patient)
    yield from index_findings(patient, known)


def folder_finding(instance: Path) -> Finding:
    mode = stat.S_IMODE(instance.stat().st_mode)
    if mode & 0o077:
        return Finding("folder", f"others may enter {instance} (mode {mode:04o}); it should be 0700", is_well=False)
    return Finding("folder", f"{instance.absolute()}, ours alone")


def store_finding(driver: Driver) -> Finding:
    version = driver.row(VERSION[driver.dialect])
    counts = driver.row("SELECT count(*), COALESCE(SUM(head + internal_head), 0) FROM chat")
    assert version and counts, "these statements always have an answer"
    return Finding("store", f"{NAMES[driver.dialect]} {version[0]}, {counts[0]:,} chats with {counts[1]:,} events")


def left_behind(patient: Patient) -> Iterator[Finding]:
    """Indexes of engines that no longer search: what is erased is not taken out of them."""
    for name, folder in FOLDERS.items():
        if name != patient.engine and any((patient.instance / folder).rglob("*")):
            yield Finding("old index", f"{name} left one in {patient.instance / folder}; delete it", is_well=False)


def index_findings(patient: Patient, known: Account) -> Iterator[Finding]:
    if not known.whole:
        yield Finding("index", "there is none yet that has all of the log; a running server makes it", is_well=False)
        return
    try:
        messages = patient.opened.shelf.count()
    except Busy:
        yield Finding("index", "it cannot be read; a running server makes it again by itself", is_well=False)
        return
    size = index_bytes(patient.engine, patient.opened.store, patient.instance)
    yield Finding("index", f"{messages:,} messages in {size / 1e6:,.1f} MB")
    is_close = known.behind <= BEHIND_EVENTS
    yield Finding("behind", f"{known.behind:,} events are not indexed yet", is_close)
    if known.misfits:
        how = f"{len(known.misfits):,} messages could not be indexed: see `stillhere index status`"
        yield Finding("set aside", how, is_well=False)
    yield Finding("advice", advice(patient.engine, patient.opened.store.dialect, messages))


def advice(engine: EngineName, dialect: str, messages: int) -> str:
    """Which engine would suit so many messages."""
    if engine != "whoosh" or messages <= WHOOSH_MESSAGES:
        return f"{engine} suits {messages:,} messages"
    if dialect == "postgresql":
        return f"{messages:,} messages are many for whoosh; set STILLHERE_SEARCH_ENGINE to postgres, or to tantivy"
    return (
        f"{messages:,} messages are many for whoosh; pip install 'stillhere[tantivy]' and set STILLHERE_SEARCH_ENGINE "
        "to tantivy, or move to PostgreSQL"
    )
