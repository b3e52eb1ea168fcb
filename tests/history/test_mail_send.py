"""How a mail leaves: by SMTP with every way to fail, or as a file."""

import resource
from dataclasses import replace
from pathlib import Path

import pytest

from history.mail.results import Result
from history.mail.send import Fence, Files, Mail
from history.mail.smtp import Connection, MailSettings
from tests.history.mail_server import MailServer
from tests.history.scene import ADDRESS


def mail_of(content: bytes = b"Subject: x\r\n\r\n.\r\n..dots\r\nend\r\n") -> Mail:
    return Mail("0190-a", 0, "chat@example.com", ADDRESS, "envid", content)


def send(mail: Mail, settings: MailSettings, fence: Fence) -> Result | None:
    connection = Connection(settings)
    try:
        return connection.send(mail, fence)
    finally:
        connection.close()


def passed() -> bool:
    return True


def test_a_mail_arrives_byte_for_byte(smtp: MailSettings, mail_server: MailServer) -> None:
    assert send(mail_of(), smtp, passed) == Result("done", 250, "taken")
    assert mail_server.orders.taken == [mail_of().content]


@pytest.mark.parametrize(
    ("orders", "result"),
    [
        ({"rcpt": "450 busy"}, Result("rcpt", 450, "busy")),
        ({"rcpt": "550 nobody here"}, Result("rcpt", 550, "nobody here")),
        ({"dot": "451 try again"}, Result("dot", 451, "try again")),
        ({"dot": "552 too big"}, Result("dot", 552, "too big")),
    ],
)
def test_a_refusal_is_told_with_its_phase(
    smtp: MailSettings, mail_server: MailServer, orders: dict[str, str], result: Result
) -> None:
    vars(mail_server.orders).update(orders)
    assert send(mail_of(), smtp, passed) == result


@pytest.mark.parametrize(
    ("cut", "phase", "fate"), [("before the dot", "body", "later"), ("after the dot", "dot", "uncertain")]
)
def test_a_cut_before_and_after_the_dot_are_told_apart(
    smtp: MailSettings, mail_server: MailServer, cut: str, phase: str, fate: str
) -> None:
    mail_server.orders.cut = cut
    result = send(mail_of(), smtp, passed)
    assert result is not None
    assert (result.phase, result.code, result.fate) == (phase, None, fate)


def test_without_a_server_all_mail_waits() -> None:
    nobody = MailSettings("example.com", "127.0.0.1", 1, tls="none")
    result = send(mail_of(), nobody, passed)
    assert result is not None
    assert (result.phase, result.fate) == ("connect", "wait")


def test_a_server_without_encryption_gets_nothing(smtp: MailSettings, mail_server: MailServer) -> None:
    result = send(mail_of(), replace(smtp, tls="starttls"), passed)
    assert result is not None
    assert (result.phase, result.fate, mail_server.orders.taken) == ("tls", "wait", [])


def test_the_fence_stops_the_body_either_way(files: Files, smtp: MailSettings, mail_server: MailServer) -> None:
    assert send(mail_of(), smtp, lambda: False) is None
    assert files.send(mail_of(), lambda: False) is None
    assert mail_server.orders.taken == []
    assert not files.folder.exists()


def test_a_file_is_whole_and_named_by_time_and_item(files: Files) -> None:
    result = files.send(mail_of(), passed)
    (file,) = files.folder.iterdir()
    assert result == Result("done", None, file.name)
    assert file.read_bytes() == mail_of().content
    assert file.name.endswith("Z-0190-a.eml")


def test_while_a_folder_takes_nothing_all_mail_waits(files: Files, tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file in the way")
    result = files.send(mail_of(), passed)
    assert result is not None
    assert (result.phase, result.fate, result.is_alarm) == ("disk", "wait", True)


def test_a_disk_without_room_says_so_and_keeps_nothing_half_done(files: Files) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, usual[1]))
    try:
        result = files.send(mail_of(), passed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert result == Result("disk", None, "The folder of mails: File too large")
    assert list(files.folder.iterdir()) == []
    assert files.send(mail_of(), passed) == Result("done", None, next(files.folder.iterdir()).name)
