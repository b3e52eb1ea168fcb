"""Stillhere under measurement: started as people start it, used through its HTTP doors.

Called by the measurements. Settings only lift the limits that protect the service from one sender's
haste; all else, durability above all, is as shipped.
"""

import contextlib
import http.client
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.crowd import HOST, client_address
from bench.programs import BIN, running
from tests.servers import free_port

STILLHERE = str(BIN / "stillhere")
HTTP_TIMEOUT_S = 30
INDEX_S, INDEX_LOOK_S = 600.0, 0.02
PAGE_EVENTS = 200

DATABASE = "stillhere.db"
"""The store's file in the instance's folder."""

INDEX_IS_BEHIND = """
    SELECT EXISTS (
        SELECT 1 FROM chat LEFT JOIN index_mark ON index_mark.chat_pk = chat.pk
        WHERE coalesce(index_mark.seq, 0) < chat.head
    )
"""

LIFTED_LIMITS = {
    "STILLHERE_MESSAGES_PER_SECOND": "100000",
    "STILLHERE_MESSAGES_BURST": "100000",
    "STILLHERE_FRAMES_PER_SECOND": "100000",
    "STILLHERE_FRAMES_BURST": "100000",
    "STILLHERE_HELLOS_PER_SECOND": "100000",
}


@dataclass(frozen=True)
class StartedChat:
    """A chat as the customer who started it knows it."""

    id: str
    token: str
    head: int


class Door:
    """One kept-alive HTTP connection of one person; `bearer` is a resume token or an API key."""

    def __init__(self, port: int, bearer: str | None = None, number: int = 0) -> None:
        source = (client_address(number), 0)
        self.connection = http.client.HTTPConnection(HOST, port, HTTP_TIMEOUT_S, source_address=source)
        self.headers = {"Content-Type": "application/json"}
        if bearer:
            self.headers["Authorization"] = f"Bearer {bearer}"

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, orjson.dumps(body))

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        self.connection.request(method, path, body, self.headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:500].decode()}")
        return orjson.loads(content)


@dataclass(frozen=True)
class Service:
    """A running Stillhere: where it listens, which process it is, where its files are."""

    port: int
    pid: int
    folder: Path

    def door(self, bearer: str | None = None, number: int = 0) -> Door:
        return Door(self.port, bearer, number)

    def start_chats(self, count: int) -> list[StartedChat]:
        """New customers, each with one message said."""
        return [self._start_chat(number) for number in range(count)]

    def _start_chat(self, number: int) -> StartedChat:
        first = {"id": f"first-message-of-{number:06}", "data": {"text": "Hello, is somebody there?"}}
        with self.door(number=number) as door:
            answer = door.post("/api/v1/chats", {"name": f"Customer {number}", "message": first})
        return StartedChat(answer["chat"], answer["token"], answer["state"]["head"])

    def events(self, chat: StartedChat) -> Iterator[dict[str, Any]]:
        """All events of a chat, as its customer may read them."""
        with self.door(chat.token) as door:
            after, more = 0, True
            while more:
                page = door.get(f"/api/v1/chats/{chat.id}/events?after={after}&limit={PAGE_EVENTS}")
                yield from page["items"]
                more = page["more"]
                after = page["items"][-1]["seq"] if page["items"] else after

    def wait_for_index(self) -> float:
        """Wait until no chat is ahead of the search index; gives the seconds it took."""
        begin = time.perf_counter()
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / DATABASE}?mode=ro", uri=True)) as db:
            while db.execute(INDEX_IS_BEHIND).fetchone()[0]:
                if time.perf_counter() > begin + INDEX_S:
                    raise TimeoutError(f"the index did not catch up within {INDEX_S:.0f} s")
                time.sleep(INDEX_LOOK_S)
        return time.perf_counter() - begin


def environment(folder: Path, limits: Mapping[str, str] = LIFTED_LIMITS) -> dict[str, str]:
    """The settings of a measured Stillhere whose files are in `folder`."""
    return {"STILLHERE_INSTANCE_PATH": str(folder), **limits}


@contextlib.contextmanager
def serving(folder: Path, limits: Mapping[str, str] = LIFTED_LIMITS) -> Iterator[Service]:
    """Stillhere as `stillhere serve` runs it, until the block ends. No `limits`: those that are shipped."""
    port = free_port()
    command = [STILLHERE, "serve", "--port", str(port)]
    with running(command, port, folder, environment(folder, limits)) as pid:
        yield Service(port, pid, folder)


def new_agent_key(folder: Path, settings: Mapping[str, str] = LIFTED_LIMITS) -> str:
    """An agent and the API key of her programs. Before the service starts."""
    run(folder, "agent", "add", "Ada", "ada@example.com", settings=settings)
    return run(folder, "agent", "key", "ada@example.com", settings=settings).split()[-1]


def run(folder: Path, *arguments: str, settings: Mapping[str, str] = LIFTED_LIMITS) -> str:
    """One `stillhere` command on the instance in `folder`; gives what it printed."""
    done = subprocess.run(
        [STILLHERE, *arguments],
        env={**os.environ, **environment(folder, settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"stillhere {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return done.stdout
