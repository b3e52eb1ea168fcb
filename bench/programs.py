"""Server programs under measurement: started on the server's core, waited for, ended.

Called by the measurements for Stillhere itself and for each reference. What a program prints goes to a
file in its folder, and its end is shown when it does not come up.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.crowd import HOST
from bench.machine import on_server_core

START_S, STOP_S = 30, 15
BIN = Path(sys.executable).parent


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run `command` until the block ends; gives its process id once it listens on `port`."""
    log = folder / f"{Path(command[0]).name}-{port}.log"
    with log.open("wb") as output, on_server_core():
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
        )
    try:
        _wait_until_listening(process, port, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on port {port}:\n{log.read_text()[-2000:]}")
