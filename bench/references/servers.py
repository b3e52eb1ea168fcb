"""The reference servers as programs: started on the server's core, like Stillhere."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.programs import BIN, running
from tests.servers import free_port

SOCKETIO_THREADS = 200
"""Flask-SocketIO on threads needs one for each socket, and some for HTTP."""


@dataclass(frozen=True)
class Reference:
    """A running reference: where it listens and which process it is."""

    port: int
    pid: int


@contextlib.contextmanager
def echo_server(folder: Path) -> Iterator[Reference]:
    """The bare echo on the `websockets` library, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "bench.references.echo_server", str(port)]
    with running(command, port, folder) as pid:
        yield Reference(port, pid)


@contextlib.contextmanager
def lmtp_server(folder: Path) -> Iterator[Reference]:
    """aiosmtpd that takes mails and keeps nothing, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "bench.references.lmtp_server", str(port)]
    with running(command, port, folder) as pid:
        yield Reference(port, pid)


@contextlib.contextmanager
def socketio_server(folder: Path) -> Iterator[Reference]:
    """Flask-SocketIO with a fsynced commit a message, as its guide deploys it, until the block ends."""
    port = free_port()
    command = [str(BIN / "gunicorn"), "--workers", "1", "--threads", str(SOCKETIO_THREADS)]
    command += ["--bind", f"127.0.0.1:{port}", "--no-control-socket", "bench.references.socketio_server:app"]
    with running(command, port, folder, {"SQLITE_PATH": str(folder / "socketio.sqlite")}) as pid:
        yield Reference(port, pid)
