"""In the eyes of programs that are not ours, the mails of a chat are one thread, and those of another one another."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from history.mail.compose import compose
from history.mail.samples import sample
from tests.set_up import MBLAZE, NOTMUCH, find, wanted

CHATS, KINDS = ("first", "second"), ("away", "transcript", "away", "updated", "copy")
NOTMUCH_SETTINGS = """\
[database]
path={folder}
[user]
name=A
primary_email=a@example.com
"""


@pytest.fixture
def mailbox(tmp_path: Path) -> Path:
    """Mails of two chats with the same customer, and one that belongs to neither."""
    folder = tmp_path / "mailbox"
    folder.mkdir()
    for chat in CHATS:
        references: tuple[str, ...] = (f"<chat.{chat}@example.com>",)
        for number, name in enumerate(KINDS):
            letter = replace(sample(name, "en"), message_id=f"<{chat}.{number}@example.com>", references=references)
            (folder / f"{chat}-{number}").write_bytes(compose(letter))
            references = (*references, letter.message_id)
    lonely = replace(sample("copy", "en"), message_id="<lonely@example.com>", references=())
    (folder / "lonely").write_bytes(compose(lonely))
    return folder


def test_notmuch_finds_one_thread_a_chat(mailbox: Path, tmp_path: Path) -> None:
    notmuch, settings = wanted(NOTMUCH), tmp_path / "notmuch"
    settings.write_text(NOTMUCH_SETTINGS.format(folder=mailbox))

    def ask(*arguments: str) -> str:
        environment = {**os.environ, "NOTMUCH_CONFIG": str(settings), "HOME": str(tmp_path)}
        run = subprocess.run([notmuch, *arguments], env=environment, capture_output=True, check=True, timeout=60)
        return run.stdout.decode().strip()

    ask("new")
    assert (ask("count", "*"), ask("count", "--output=threads", "*")) == ("11", "3")
    for chat in CHATS:
        thread = ask("search", "--output=threads", f"id:{chat}.0@example.com")
        assert ask("count", thread) == str(len(KINDS))


def test_mthread_finds_one_thread_a_chat(mailbox: Path) -> None:
    wanted(MBLAZE)
    mails = "\n".join(map(str, sorted(mailbox.iterdir())))
    run = subprocess.run([find("mthread") or ""], input=mails, capture_output=True, check=True, text=True, timeout=60)
    threads: list[list[str]] = []
    for line in run.stdout.splitlines():
        threads += [[]] if not line.startswith(" ") else []  # what answers another one stands farther in
        threads[-1].append(Path(line.strip()).name)
    of_chats = [[f"{chat}-{number}" for number in range(len(KINDS))] for chat in CHATS]
    assert sorted(threads) == sorted([*of_chats, ["lonely"]])
