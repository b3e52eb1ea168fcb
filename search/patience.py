"""Commits to an index in which one message cannot stop the others: what cannot be indexed is found by halving, set
aside, and the rest goes on. Called by the indexer and by a rebuild.
"""

import logging
from collections.abc import Collection

from history.errors import Busy
from search.engine import Document, Edition, Engine, Key
from search.marks import Misfit

TRIES = 5
"""So often a commit is tried before what is in it is suspected."""

PASSING = (Busy, OSError)
"""These say something of the machine and nothing of a message: they are tried again for ever."""

REASON_LETTERS = 200

log = logging.getLogger("stillhere.search")


class Patience:
    """Counts how often one commit after the other failed."""

    def __init__(self) -> None:
        self.failed = 0

    def commit(self, engine: Engine, added: list[Document], deleted: Collection[Key], misfits: list[Misfit]) -> Edition:
        """Raises what the engine raises, a few times; then indexes what can be, and appends the others to `misfits`."""
        if self.failed >= TRIES:
            edition = commit_apart(engine, added, deleted, misfits)
        else:
            try:
                edition = engine.commit(added, deleted)
            except PASSING:
                raise
            except Exception:
                self.failed += 1
                raise
        self.failed = 0
        return edition


def commit_apart(engine: Engine, added: list[Document], deleted: Collection[Key], misfits: list[Misfit]) -> Edition:
    """Commits what can be, in halves where all at once cannot. Raises what is no message's fault."""
    try:
        return engine.commit(added, deleted)
    except PASSING:
        raise
    except Exception as error:
        if not added:
            raise
        if len(added) == 1:
            log.exception("a message cannot be indexed and is set aside: %s", added[0].key)
            misfits.append((added[0].key, repr(error)[:REASON_LETTERS]))
            return engine.commit((), deleted)
    half = len(added) // 2
    commit_apart(engine, added[:half], deleted, misfits)
    return commit_apart(engine, added[half:], (), misfits)
