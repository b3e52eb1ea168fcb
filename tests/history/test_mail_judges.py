"""Our mails before judges that are not ours: a spam filter, another reader of mail, an index of threads, and checks of
HTML. Each mail is composed once, in every kind and language, and shown to all of them.
"""

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import playwright
import pytest

from history.mail.compose import compose, headers, html_part, text_part
from history.mail.letter import Letter
from history.mail.samples import SAMPLES, chats, sample
from tests.history.mail_server import part_of, read
from tests.history.scene import wait_until
from tests.set_up import JUDGES, NOTMUCH, SPAMASSASSIN, find, judges, wanted

NODE = Path(playwright.__file__).parent / "driver" / "node"
MOST_POINTS = 0.1
"""Of SpamAssassin's, without asking the network."""

ENHANCEMENTS = {
    "<bdi> element",
    "<body> element",
    "<style> element",
    "@media",
    "Class selector",
    "border-radius",
    "color-scheme CSS property",
    "color-scheme meta tag",
    "display:none",
    "max-height property",
    "overflow",
    "overflow-wrap",
    "role attribute",
    "system-ui, ui-serif, ui-sans-serif, ui-rounded, ui-monospace",
    "table-layout",
    "word-break",
}
"""What some mail programs do not know, and a mail reads well without."""


def long_letter() -> Letter:
    """One that is too long for mail programs, so that the whole is in a file."""
    letter = sample("transcript", "ja")
    entries = tuple(
        replace(entry, seq=1 + number)
        for number, entry in enumerate(entry for _ in range(60) for entry in letter.transcript.entries)
    )
    return replace(letter, transcript=replace(letter.transcript, head=len(entries), entries=entries))


LETTERS = {f"{name}-{code}": sample(name, code) for name in SAMPLES for code in chats()} | {"long-ja": long_letter()}


@pytest.fixture(scope="module")
def mails() -> Mapping[str, bytes]:
    return {name: compose(letter) for name, letter in LETTERS.items()}


@pytest.fixture(scope="module")
def folder(mails: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mails")
    for name, content in mails.items():
        (folder / f"{name}.eml").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def verdicts(folder: Path) -> Mapping[str, Any]:
    judges()
    files = sorted(folder.glob("*.eml"))
    return {name.removesuffix(".eml"): verdict for name, verdict in judged(*files).items()}


def judged(*files: Path) -> dict[str, Any]:
    """What the judges from npm say, by the file's name."""
    run = subprocess.run([NODE, JUDGES / "judge.mjs", *files], capture_output=True, check=True, timeout=120)
    verdicts: dict[str, Any] = json.loads(run.stdout)
    return verdicts


@pytest.fixture(scope="module")
def spam_filter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command that asks a running SpamAssassin, which asks nobody else."""
    daemon = wanted(SPAMASSASSIN)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    client = [str(find("spamc")), "-d", "127.0.0.1", "-p", port]
    options = ["--local", "--nouser-config", "--cf=use_bayes 0", "--max-children=2", "--syslog=null"]
    environment = {**os.environ, "HOME": str(tmp_path_factory.mktemp("spamd"))}
    options += ["--listen=127.0.0.1", f"--port={port}"]
    process = subprocess.Popen([daemon, *options], env=environment, stderr=subprocess.DEVNULL)
    wait_until(lambda: subprocess.run([*client, "-K"], capture_output=True, check=False).returncode == 0, 60)
    yield client
    process.terminate()
    process.wait(timeout=10)


def points(spam_filter: list[str], mail: bytes) -> tuple[float, str]:
    """SpamAssassin's points, and its report."""
    run = subprocess.run([*spam_filter, "-R"], input=mail, capture_output=True, check=False, timeout=60)
    said = run.stdout.decode("utf-8", "replace")
    return float(said.partition("/")[0]), said


def test_no_kind_in_any_language_looks_like_spam(spam_filter: list[str], mails: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(2) as pool:
        reports = pool.map(lambda mail: points(spam_filter, mail), mails.values())
        bad = {name: said for name, (score, said) in zip(mails, reports, strict=True) if score > MOST_POINTS}
    assert bad == {}


def test_the_spam_filter_bites(spam_filter: list[str], mails: Mapping[str, bytes]) -> None:
    loud = b"\r\n".join(line for line in mails["transcript-en"].split(b"\r\n") if not line.startswith(b"Date:"))
    assert points(spam_filter, loud.replace(b"Your chat with", b"WIN MONEY NOW WITH"))[0] > 1


@pytest.mark.parametrize("name", LETTERS)
def test_a_strict_reader_finds_no_fault(name: str, mails: Mapping[str, bytes]) -> None:
    mail = message_from_bytes(mails[name], policy=policy.strict)
    assert [part.defects for part in mail.walk() if part.defects] == []
    lines = mails[name].split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    headers_end = lines.index(b"")
    assert max(map(len, lines[:headers_end])) <= 120


@pytest.mark.parametrize("name", LETTERS)
def test_another_reader_reads_what_we_wrote(name: str, verdicts: Mapping[str, Any]) -> None:
    letter, seen = LETTERS[name], verdicts[name]["view"]
    html, is_whole = html_part(letter)
    assert seen["subject"] == letter.subject
    assert seen["from"] == [{"address": letter.from_address, "name": letter.brand}]
    assert seen["to"] == [{"address": letter.recipient, "name": ""}]
    assert [one["address"] for one in seen["replyTo"]] == [letter.reply_address] * bool(letter.reply_address)
    assert seen["messageId"] == letter.message_id
    assert seen["references"] == list(letter.references)
    assert seen["inReplyTo"] == "".join(letter.references[-1:])
    assert seen["text"].rstrip("\n") == text_part(letter).rstrip("\n")
    assert seen["html"].rstrip("\n") == html.rstrip("\n")
    files = [] if is_whole else [{"name": "transcript.txt", "type": "text/plain", "text": text_part(letter)}]
    assert [{**file, "text": file["text"].replace("\r\n", "\n")} for file in seen["files"]] == files


@pytest.mark.parametrize("name", LETTERS)
def test_the_html_is_well_formed_and_needs_nothing_that_mail_programs_lack(
    name: str, verdicts: Mapping[str, Any]
) -> None:
    assert verdicts[name]["html"] == []
    assert set(verdicts[name]["clients"]) <= ENHANCEMENTS


def test_the_judges_of_html_bite(mails: Mapping[str, bytes], tmp_path: Path) -> None:
    judges()
    mail = read(mails["transcript-en"])
    bad = part_of(mail, "html").replace("<h1", '<p><p id="x"><div id="x" style="position:fixed">no</div></p></p><h1', 1)
    planted = EmailMessage()
    for header in ("From", "To", "Subject"):
        planted[header] = headers(LETTERS["transcript-en"])[header]
    planted.set_content(bad, subtype="html")
    (tmp_path / "bad.eml").write_bytes(bytes(planted))
    verdict = judged(tmp_path / "bad.eml")["bad.eml"]
    assert len(verdict["html"]) >= 2
    assert "position" in " ".join(verdict["clients"])


def test_the_mails_of_a_chat_are_one_thread_and_those_of_another_one_another(tmp_path: Path) -> None:
    notmuch = wanted(NOTMUCH)
    for chat in ("first", "second"):
        references: tuple[str, ...] = (f"<chat.{chat}@example.com>",)
        for number, name in enumerate(("away", "transcript", "away", "updated", "copy")):
            letter = replace(sample(name, "en"), message_id=f"<{chat}.{number}@example.com>", references=references)
            (tmp_path / f"{chat}-{number}").write_bytes(compose(letter))
            references = (*references, letter.message_id)
    config = tmp_path / ".notmuch-config"
    config.write_text(
        f"[database]\npath={tmp_path}\n[user]\nname=A\nprimary_email=a@example.com\n[new]\nignore=/.*config/\n"
    )

    def ask(*arguments: str) -> str:
        environment = {**os.environ, "NOTMUCH_CONFIG": str(config), "HOME": str(tmp_path)}
        run = subprocess.run([notmuch, *arguments], env=environment, capture_output=True, check=True, timeout=60)
        return run.stdout.decode().strip()

    ask("new")
    assert (ask("count", "*"), ask("count", "--output=threads", "*")) == ("10", "2")
    for chat in ("first", "second"):
        thread = ask("search", "--output=threads", f"id:{chat}.0@example.com")
        assert ask("count", thread) == "5"
