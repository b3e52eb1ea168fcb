"""The nursery of the tests: its children are what the same program would be if it had been started anew."""

import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from history.times import new_id
from tests import nursery
from tests.servers import STILLHERE

HERE = f"{__name__}:"


def tells() -> None:
    """What a child is given."""
    print(sys.argv[1:], dict(os.environ), Path.cwd(), time.tzname[0], sys.stdin.read(), sep="\n")


def draws() -> None:
    print(new_id(), secrets.token_hex(), random.random(), tempfile.mktemp(), sep="\n")


def fails() -> None:
    print("said before", end="")
    raise LookupError("nothing there")


def ends() -> None:
    sys.exit(int(sys.argv[1]))


def waits() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
    print("waits", flush=True)
    sys.stdin.read()


def goes_on() -> None:
    threading.Timer(0.05, print, ["said at last"]).start()


def test_a_child_is_given_what_its_starter_says(tmp_path: Path) -> None:
    done = nursery.run(HERE + "tells", "a", "b c", env={"TZ": "UTC+3", "X": "1"}, cwd=tmp_path, input=b"words")
    assert done.stdout.splitlines() == ["['a', 'b c']", "{'TZ': 'UTC+3', 'X': '1'}", str(tmp_path), "UTC", "words"]


def test_children_draw_different_numbers() -> None:
    first, second = (nursery.run(HERE + "draws").stdout.splitlines() for _ in range(2))
    assert not set(first) & set(second)


def test_a_child_ends_as_a_program_does() -> None:
    done = nursery.run(HERE + "fails")
    assert (done.returncode, done.stdout) == (1, "said before")
    assert done.stderr.endswith("LookupError: nothing there\n")
    assert nursery.run(HERE + "goes_on").stdout == "said at last\n"
    assert [nursery.run(HERE + "ends", str(code)).returncode for code in (0, 3)] == [0, 3]
    assert nursery.run(STILLHERE, "sing").returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_child_can_be_waited_for_and_killed(number: signal.Signals) -> None:
    read, write = os.pipe()
    says, told = os.pipe()
    child = nursery.begin(HERE + "waits", stdin=read, stdout=told)
    assert os.read(says, 5) == b"waits"
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.01)
    os.killpg(child.pid, number)
    assert child.wait(10) == -number
    child.kill()  # it has ended already
    for file in (read, write, says, told):
        os.close(file)
