"""gunicorn around the application: threads for requests, and in each process what runs beside them. Run by `app.py`;
knows neither settings nor parts.
"""

import gc
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flask import Flask
from gunicorn.app.base import BaseApplication

from history.patient_worker import PatientWorker

OPTIONS = {
    "worker_class": PatientWorker,
    "backlog": 4096,
    "graceful_timeout": 10,
    "loglevel": "warning",
    "control_socket_disable": True,
}

COLLECT_AFTER = (50_000, 20, 20)
"""New objects before Python looks for cycles, of which there are few: its own 700 are two messages' worth."""


class Part(Protocol):
    """What runs in the background of a process."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Server(BaseApplication):  # type: ignore[misc]
    """Serves what `make` makes in each process after the fork: the application, and what is started beside it.

    `options` are gunicorn's own; `when_ready` is called once connections are taken.
    """

    def __init__(
        self, options: Mapping[str, Any], make: Callable[[], tuple[Flask, Part]], when_ready: Callable[[], None]
    ) -> None:
        self.options, self.make, self.when_ready = options, make, when_ready
        self.beside: Part | None = None
        super().__init__()

    def load_config(self) -> None:
        hooks = {
            "when_ready": lambda _server: self.when_ready(),
            "post_worker_init": self.begin,
            "worker_exit": self.end,
        }
        for name, value in {**OPTIONS, **self.options, **hooks}.items():
            self.cfg.set(name, value)

    def begin(self, _worker: object) -> None:
        if self.beside:
            # What is loaded stays: the collector need not look at it again and again, least of all while many arrive.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT_AFTER)
            self.beside.start()

    def end(self, _server: object, _worker: object) -> None:
        if self.beside:
            self.beside.stop()

    def load(self) -> Flask:
        app, self.beside = self.make()
        return app
