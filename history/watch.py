"""A thread that looks again and again whether a rule has something to do, in each server.

Made by `away.py` and `idle.py`, started and stopped by `app.py`. It knows no rule, and outlives whatever a look raises.
"""

import logging
import threading
from collections.abc import Callable

from history.errors import Busy

LOOK_SECONDS = 5.0
"""How often a rule looks, at most."""

log = logging.getLogger("stillhere.watch")


class Watch:
    """Calls `look` every `every_s` seconds, but `patience_s` after the start or after a look that failed."""

    def __init__(self, name: str, look: Callable[[], None], every_s: float, patience_s: float) -> None:
        self.name = name
        self.look = look
        self.every_s = every_s
        self.patience_s = patience_s
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"stillhere-{name}", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self, patience_s: float = 10) -> None:
        self.stopping.set()
        self.thread.join(patience_s)

    def _run(self) -> None:
        pause_s = self.patience_s
        while not self.stopping.wait(pause_s):
            try:
                self.look()
                pause_s = self.every_s
            except Busy as error:
                log.warning("the rule %s waits: %s", self.name, error)
                pause_s = self.patience_s
            except Exception:  # the next look may go well
                log.exception("the rule %s could not look", self.name)
                pause_s = self.patience_s
