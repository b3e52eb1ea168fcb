"""How a service treats its clients, as far as a record shows it, and whether a test did what it meant (I18 to I20)."""

from collections import Counter
from hashlib import sha256
from heapq import heappop, heappush

from tests.checker.lines import Violations, of, who
from tests.dump import Dump
from tests.record import Line

STALL_S = 10
"""Within this time a connection is closed whose client does not read."""

WINDOW_S = 5
"""Over how long those are counted who said hello and were welcomed within it."""

UNKNOWN_TOKEN, REVOKED = 4201, 4202


def bounds_hold(record: list[Line], _dump: Dump) -> Violations:
    """I18: no more are let in than the limit says, and who does not read is closed in time."""
    yield from floods(record)
    stalls: dict[str, Line] = {}
    for line in of(record, "stall", "close"):
        if line["ev"] == "stall":
            stalls[line["tab"]] = line
        else:
            stall = stalls.pop(line["tab"], line)
            if line["at"] - stall["at"] > STALL_S:
                yield f"{who(line)} did not read and was closed after {line['at'] - stall['at']:.0f} s"
    for stall in stalls.values():
        yield f"{who(stall)} did not read and was never closed"


def floods(record: list[Line]) -> Violations:
    """Whoever was let in beyond what the servers together let in. However late drivers are: who counts has been let in
    between a hello and a welcome that both lie in the window, and behind the last start of a server.
    """
    limits: dict[str, tuple[int, float]] = {}
    since = 0.0
    greeted: dict[str, float] = {}
    let_in: list[float] = []
    for line in of(record, "limit", "hello", "open"):
        if line["ev"] == "limit":
            told = (line["start"], line["hellos_per_second"])
            if limits.get(line["server"]) != told:
                limits[line["server"]], since = told, line["at"]
                let_in.clear()
        elif line["ev"] == "hello":
            greeted[line["tab"]] = line["at"]
        elif (hello_at := greeted.pop(line["tab"], -1.0)) >= since:
            heappush(let_in, hello_at)
            while let_in and let_in[0] < line["at"] - WINDOW_S:
                heappop(let_in)
            if limits and len(let_in) > sum(limit for _, limit in limits.values()) * (WINDOW_S + 1):
                yield f"{who(line)} was number {len(let_in)} of those let in within {WINDOW_S} s"


def nobody_is_locked_out(record: list[Line], dump: Dump) -> Violations:
    """I19: a tab is turned away only if its own right was ended, whatever others do with their tokens; and a look at a
    link's page uses nothing up.
    """
    revoked: set[str] = set()
    for line in of(record, "revoke", "close"):
        if line["ev"] == "revoke":
            revoked.add(line["tab"])
        elif line["code"] in (UNKNOWN_TOKEN, REVOKED) and line["tab"] not in revoked:
            yield f"{who(line)} was turned away with {line['code']}, and nobody had ended its right"
    used = {link["secret_hash"]: link["used"] for link in dump.links}
    redeemed = {line["link"] for line in of(record, "link") if line["how"] == "redeemed"}
    for link in {line["link"] for line in of(record, "link")} - redeemed:
        if used.get(sha256(link.encode()).hexdigest()):
            yield f"a link to {dump.chats.keys()} was used up by looking at it"


def faults_came_as_planned(record: list[Line], _dump: Dump) -> Violations:
    """I20: each fault that was planned was seen, and no other: else the test has tested something else."""
    counts = {
        stage: Counter((line["what"], line["number"]) for line in of(record, "fault") if line["stage"] == stage)
        for stage in ("planned", "seen")
    }
    for (what, number), count in (counts["planned"] - counts["seen"]).items():
        yield f"fault {number}, {what}, was planned and not seen, {count} times"
    for (what, number), count in (counts["seen"] - counts["planned"]).items():
        yield f"fault {number}, {what}, was seen and not planned, {count} times"
