"""What the bench needs of the machine: cores, the memory of a process, one fdatasync, percentiles. Linux
only.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SERVER_CORE, CLIENT_CORE = 0, 1
PAGE_BYTES = 4096


def pin(core: int) -> None:
    """Keep this process, and what it starts from now on, on one core, if the machine has it."""
    if (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def on_server_core() -> Iterator[None]:
    """Programs started inside run on the server's core for all their life."""
    pin(SERVER_CORE)
    try:
        yield
    finally:
        pin(CLIENT_CORE)


@contextlib.contextmanager
def on_all_cores() -> Iterator[None]:
    """For what is measured in this process, with nothing beside it. What is started inside has all cores, too."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        pin(CLIENT_CORE)


def memory_bytes(pid: int) -> int:
    """Proportional memory (PSS) of a process and its children."""
    return sum(_pss_kib(one) * 1024 for one in _family(pid))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _family(int(child))


def _pss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def fdatasync_ms(folder: Path, count: int) -> list[float]:
    """Times of `count` single-page writes, each followed by fdatasync, over one file that exists in full."""
    path = folder / "fdatasync"
    path.write_bytes(bytes(PAGE_BYTES * 64))
    page, times = os.urandom(PAGE_BYTES), []
    file = os.open(path, os.O_RDWR)
    try:
        os.fsync(file)
        for number in range(count):
            begin = time.perf_counter()
            os.pwrite(file, page, PAGE_BYTES * (number % 64))
            os.fdatasync(file)
            times.append((time.perf_counter() - begin) * 1000)
    finally:
        os.close(file)
        path.unlink()
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of `values` do not exceed: nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def description() -> str:
    """One line on what the figures were taken on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    load = os.getloadavg()[0]
    system = os.uname()
    kernel = f"{system.sysname} {system.release}"
    return f"{os.cpu_count()} cores of {model}, {kernel}, load {load:.2f} before the run"
