"""Two spam filters, each running on loopback with the settings that it comes with, but without a memory of mails. They
ask nobody but the name server that they are told of.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.history.relay import ADDRESS, HOST, RECIPIENT, RETURN_PATH, running
from tests.history.scene import wait_until
from tests.servers import free_port
from tests.set_up import RSPAMD, SPAMASSASSIN, find, wanted

PATIENCE_S = 60

RSPAMD_SETTINGS = {
    "worker-normal.inc": 'bind_socket = "127.0.0.1:{port}"; count = 1;',
    "worker-controller.inc": "enabled = false;",
    "worker-proxy.inc": "enabled = false;",
    "fuzzy_check.conf": "enabled = false;",
    "options.inc": 'dns {{ nameserver = ["127.0.0.1:{dns}"]; }} url_tld = "{folder}/endings";',
}
ENDINGS = "com\norg\n"
"""The ends of the names in our mails. All that there are would take it 15 s to learn."""


@dataclass(frozen=True)
class Judgement:
    """The more points, the more it looks like spam; `reasons` by their names, some of which are good ones."""

    points: float
    reasons: Mapping[str, float]


Judge = Callable[[bytes], Judgement]


@contextmanager
def spamassassin(home: Path, dns: int = 0) -> Iterator[Judge]:
    """SpamAssassin, which asks the name server at the port about signatures and senders; without one, it does not."""
    port = str(free_port())
    daemon, client = wanted(SPAMASSASSIN), [str(find("spamc")), "-d", "127.0.0.1", "-p", port]
    lines = ["dns_available yes", f"dns_server [127.0.0.1]:{dns}", "skip_rbl_checks 1"] if dns else []
    options = ["--nouser-config", "--max-children=2", "--syslog=null", "--listen=127.0.0.1", f"--port={port}"]
    options += [f"--cf={line}" for line in ["use_bayes 0", *lines]] + ["--local"] * (not dns)

    def judge(mail: bytes) -> Judgement:
        """By spamc's report: the points of all, an empty line, and at its end a table of points and names."""
        run = subprocess.run([*client, "-R"], input=mail, capture_output=True, timeout=PATIENCE_S)
        said = run.stdout.decode("utf-8", "replace")
        table = (line.split() for line in said.rpartition("---- ---")[2].splitlines()[1:] if line[:1] in "- ")
        return Judgement(float(said.partition("/")[0]), {row[1]: float(row[0]) for row in table if is_rule(row)})

    with running(daemon, *options, environment={**os.environ, "HOME": str(home)}):
        wait_until(lambda: subprocess.run([*client, "-K"], capture_output=True).returncode == 0, PATIENCE_S)
        yield judge


def is_rule(row: list[str]) -> bool:
    return len(row) > 1 and row[0].lstrip("-").replace(".", "", 1).isdigit()


@contextmanager
def rspamd(folder: Path, dns: int) -> Iterator[Judge]:
    """Rspamd, which asks the name server at the port."""
    daemon, port = wanted(RSPAMD), free_port()
    (folder / "local.d").mkdir()
    (folder / "endings").write_text(ENDINGS)
    for name, text in RSPAMD_SETTINGS.items():
        (folder / "local.d" / name).write_text(text.format(port=port, dns=dns, folder=folder))
    places = [f"--var={name}={folder}" for name in ("LOCAL_CONFDIR", "DBDIR", "RUNDIR", "LOGDIR")]
    envelope = {"From": RETURN_PATH, "Rcpt": RECIPIENT, "IP": ADDRESS, "Helo": HOST, "Hostname": HOST}
    url = f"http://127.0.0.1:{port}"

    def judge(mail: bytes) -> Judgement:
        with urlopen(Request(f"{url}/checkv2", data=mail, headers=envelope), timeout=PATIENCE_S) as answer:
            said: dict[str, Any] = json.load(answer)
        return Judgement(said["score"], {name: symbol["score"] for name, symbol in said["symbols"].items()})

    def is_up() -> bool:
        with suppress(OSError), urlopen(f"{url}/ping", timeout=1) as answer:
            return bool(answer.status == 200)
        return False

    with running(daemon, "--no-fork", "--insecure", *places):
        wait_until(is_up, PATIENCE_S)
        yield judge
