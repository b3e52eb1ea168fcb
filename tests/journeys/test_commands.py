"""Every command once as people run it: the program itself. Other tests do what it does in children of a nursery."""

import subprocess
from functools import partial
from pathlib import Path

from history.mail.receive.cli import REFUSED
from tests.conftest import MakeDatabase
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import COMMAND, Server, environment, execute

DIALOGUE = '{"id": "one", "turns": [["customer", "When do you open?"], ["agent", "At nine"]]}'
ARRIVED = "Authentication-Results: mx.example.org; spf=pass; dkim=pass; dmarc=pass\nFrom: chat@example.com\n\nHi\n"


def stillhere(server: Server, *arguments: str) -> tuple[int, str]:
    """Runs the program where the server's data are. Its exit code, and what it says."""
    done = subprocess.run(
        [COMMAND, *arguments],
        env=environment(server.folder, server.settings),
        cwd=server.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


def test_each_command_does_what_it_is_there_for(make_sqlite: MakeDatabase, tmp_path: Path, record: Record) -> None:
    with make_sqlite() as url:
        server = Server(tmp_path, url, "demo", REPLY_ADDRESS="r+{token}@reply.example.com")
        server.begin = partial(execute, COMMAND)
        server.start()
        server.stop()
        server.command = "serve"
        server.start()
        ann = Customer(record, "Ann").starts(server, "Hello")
        robin = Agent(record, "Robin").signs_in(server)
        transcript = robin.asks("GET", f"/chats/{ann.chat}/transcript?format=json")
        server.kill()
        (tmp_path / "chat.json").write_bytes(transcript.body)
        (tmp_path / "dialogues.jsonl").write_text(DIALOGUE)
        (tmp_path / "arrived.eml").write_text(ARRIVED)
        for command, code, told in (
            ("--version", 0, "stillhere, version "),
            ("import dialogues.jsonl", 0, "2 messages are new"),
            ("verify chat.json", 0, "The chain holds"),
            ("agent add Mira mira@example.com", 0, "Mira may work at the desk"),
            ("agent sign-in mira@example.com", 0, "/desk/sign-in#"),
            ("agent key mira@example.com", 0, "sk_"),
            ("index rebuild", 0, "The new index is searched now."),
            ("index check", 0, "has all 3 messages"),
            ("index status", 0, "lacks 0 events"),
            ("doctor", 0, "index: 3 messages"),
            ("mail preview mail.html --kind away", 0, "new answer in your chat"),
            ("mail send-test me@example.org", 0, "Sent: "),
            ("mail check arrived.eml", 0, "pass"),
            ("mail receive --recipient x@reply.example.com", REFUSED, "answer one of our mails"),
            (f"erase {ann.chat} --yes", 0, "Erased: "),
            ("sing", 2, "No such command"),
        ):
            done = stillhere(server, *command.split())
            assert (done[0], told in done[1]) == (code, True), (command, done)
        server.check_log()
