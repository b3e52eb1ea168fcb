"""A mail server that takes mails, fails now and then, kills now and then whoever is sending, and keeps a log that tells
what it took. The log is written before the answer, so it is true whatever happens to the sender.

Its clients say `w{process id}.soak.test` in their EHLO. A line of the log is `begun`, `taken` or `over`, and the bounce
token of the mail's envelope: a mail that is over was taken before, or never will be.
"""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import IO

from tests import nursery
from tests.soak_mail.evidence import SinkLog

LOOK_S = 0.01
TOKEN = re.compile(r"<b\+([a-z2-7]+)@")
PROCESS = re.compile(r"w(\d+)\.soak\.test")

REFUSALS = {
    "mail": ("421 4.3.2 closing", "451 4.3.0 later", "cut"),
    "rcpt": ("450 4.2.0 busy", "421 4.7.0 too many", "451 4.7.1 greylisted", "cut"),
    "data": ("451 4.3.0 later", "cut"),
    "dot": ("451 4.3.0 later", "452 4.3.1 full", "cut before taking", "cut after taking"),
}
KILLS = ("mail", "rcpt", "data", "body", "dot before taking", "dot after taking", "after the answer")


class Sink(asyncio.Protocol):
    """One connection. `faults` and `kills` are the chances of a mail to meet one."""

    def __init__(self, log: IO[str], random: Random, faults: float, kills: float) -> None:
        self.log, self.random, self.faults, self.kills = log, random, faults, kills
        self.buffer = b""
        self.in_body = False
        self.token = self.process = ""
        self.fault = self.kill = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.says("220 sink")

    def connection_lost(self, error: Exception | None) -> None:
        self.is_over()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.transport.is_closing():
            if self.in_body:
                _, end, rest = self.buffer.partition(b"\r\n.\r\n")
                if not end:
                    return
                self.buffer, self.in_body = rest, False
                self.meets("dot")
            else:
                line, end, rest = self.buffer.partition(b"\r\n")
                if not end:
                    return
                self.buffer = rest
                self.hears(line.decode())

    def hears(self, line: str) -> None:
        match line[:4].upper():
            case "EHLO":
                found = PROCESS.search(line)
                self.process = found[1] if found else ""
                self.says("250-sink\r\n250-DSN\r\n250-PIPELINING\r\n250 SIZE")
            case "MAIL":
                found = TOKEN.search(line)
                self.token = found[1] if found else "?"
                self.notes("begun")
                self.draw()
                self.meets("mail")
            case "RCPT" | "DATA" if not self.token:
                self.says("503 5.5.1 this mail is over")
            case "RCPT":
                self.meets("rcpt")
            case "DATA":
                self.meets("data")
            case "QUIT":
                self.says("221 bye")
                self.transport.close()
            case _:
                self.is_over()
                self.says("250 fine")

    def draw(self) -> None:
        """What this mail will meet."""
        self.fault = self.kill = ""
        chance = self.random.random()
        if chance < self.kills:
            self.kill = self.random.choice(KILLS)
        elif chance < self.kills + self.faults:
            phase = self.random.choice(list(REFUSALS))
            self.fault = f"{phase}: {self.random.choice(REFUSALS[phase])}"

    def meets(self, phase: str) -> None:
        if self.kill == phase:
            self.kills_sender()
            return
        phase_of_fault, _, fault = self.fault.partition(": ")
        if phase_of_fault != phase:
            self.goes_on(phase)
        elif "cut" in fault:
            if fault == "cut after taking":
                self.notes("taken")
            self.transport.abort()
        else:
            self.is_over()
            self.says(fault)
            if fault.startswith("421"):
                self.transport.close()

    def goes_on(self, phase: str) -> None:
        if phase == "data":
            self.in_body = True
            self.says("354 go on")
            if self.kill == "body":
                self.kills_sender()
        elif phase == "dot":
            if self.kill == "dot before taking":
                self.kills_sender()
                return
            self.notes("taken")
            if self.kill == "dot after taking":
                self.kills_sender()
                return
            self.is_over()
            self.says("250 2.0.0 taken")
            if self.kill == "after the answer":
                self.kills_sender()
        else:
            self.says("250 fine")

    def says(self, text: str) -> None:
        self.transport.write(text.encode() + b"\r\n")

    def notes(self, what: str) -> None:
        self.log.write(f"{what} {self.token}\n")
        self.log.flush()

    def is_over(self) -> None:
        if self.token:
            self.notes("over")
            self.token = ""

    def kills_sender(self) -> None:
        if self.process:
            with suppress(ProcessLookupError):
                os.kill(int(self.process), signal.SIGKILL)
        self.transport.abort()


def main() -> None:
    """Runs until it is killed; tells its port in a file. Its arguments: log, port's file, seed, faults, kills."""
    log_path, port_path, seed, faults, kills = sys.argv[1:]
    asyncio.run(_serve(log_path, port_path, int(seed), float(faults), float(kills)))


@contextmanager
def running_sink(folder: Path, seed: int, faults: float, kills: float) -> Iterator[tuple[int, SinkLog]]:
    """The port and the log of a sink in a process of its own; `seed` decides what fails."""
    log, port = folder / "sink.log", folder / "sink.port"
    log.touch()
    sink = nursery.begin(f"{__name__}:main", str(log), str(port), str(seed), str(faults), str(kills))
    try:
        while not port.exists():
            time.sleep(LOOK_S)
        yield int(port.read_text()), SinkLog(log)
    finally:
        sink.kill()
        sink.wait()


async def _serve(log_path: str, port_path: str, seed: int, faults: float, kills: float) -> None:
    random = Random(seed)
    with Path(log_path).open("a") as log:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Sink(log, random, faults, kills), "127.0.0.1", 0)
        draft = Path(port_path).with_suffix(".draft")
        draft.write_text(str(server.sockets[0].getsockname()[1]))
        draft.rename(port_path)
        await server.serve_forever()
