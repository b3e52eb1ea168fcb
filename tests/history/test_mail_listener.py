"""The listener, by real LMTP and SMTP: what it answers, and when."""

import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from history.mail.receive.listener import Listener
from history.mail.receive.reading import MOST_BYTES
from history.privacy import erase_chat
from tests.history.arrivals import cases, mail_of
from tests.history.post import Post
from tests.history.scene import ADDRESS, Scene
from tests.servers import free_port

REPORT = dict(cases("reports.txt"))["postfix: unknown user | bounce 5.1.1"]


@pytest.fixture
def post(scene: Scene) -> Post:
    scene.closed_chat()
    return Post(scene)


@pytest.fixture
def port(post: Post) -> Iterator[int]:
    port = free_port()
    listener = Listener(post.receiver, f"127.0.0.1:{port}", "chat.example.com")
    listener.start()
    yield port
    listener.stop()


@pytest.fixture
def lmtp(port: int) -> Iterator[smtplib.LMTP]:
    with smtplib.LMTP("127.0.0.1", port) as client:
        client.ehlo()
        yield client


def hands_over(client: smtplib.SMTP, raw: bytes, to: str, sender: str = ADDRESS) -> tuple[int, bytes]:
    """MAIL, RCPT, DATA; the last answer."""
    client.rset()
    client.mail(sender)
    code, said = client.rcpt(to)
    return client.data(raw) if code == 250 else (code, said)


def test_a_mail_is_in_the_chat_when_it_is_answered_with_250(post: Post, lmtp: smtplib.LMTP) -> None:
    assert hands_over(lmtp, post.answer(), post.reply_address)[0] == 250
    assert [message["text"] for message in post.messages()] == ["Green."]
    assert hands_over(lmtp, post.answer(), post.reply_address)[0] == 250
    assert len(post.messages()) == 1


def test_smtp_is_spoken_too_and_a_bounce_has_no_sender(post: Post, port: int) -> None:
    post.goes_out()
    raw = mail_of(REPORT, ADDRESS, post.item.bounce_token, post.item.message_id)
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        assert hands_over(client, raw, post.bounce_address, "")[0] == 250
    assert post.events() == [("bounce", "5.1.1")]


def test_an_unknown_recipient_is_refused_before_the_mail_travels(post: Post, lmtp: smtplib.LMTP) -> None:
    code, said = hands_over(lmtp, post.answer(), f"r+{'a' * 26}@reply.example.com")
    assert (code, said[:5]) == (550, b"5.1.1")
    assert b"answer one of our mails" in said


def test_an_erased_chat_is_told_at_the_door(post: Post, lmtp: smtplib.LMTP) -> None:
    address, raw = post.reply_address, post.answer()
    post.scene.writer.write(lambda t: erase_chat(t, post.scene.customer.chat_id))
    code, said = hands_over(lmtp, raw, address)
    assert (code, said) == (550, b"5.1.6 The chat was erased")


def test_only_one_recipient_is_taken_at_a_time(post: Post, lmtp: smtplib.LMTP) -> None:
    lmtp.mail(ADDRESS)
    assert lmtp.rcpt(post.reply_address)[0] == 250
    assert lmtp.rcpt(post.bounce_address)[0] == 452


def test_what_is_too_big_is_refused_by_its_size(post: Post, lmtp: smtplib.LMTP) -> None:
    assert lmtp.mail(ADDRESS, [f"size={MOST_BYTES + 1}"])[0] == 552
    big = "x" * 997 + "\r\n"
    assert hands_over(lmtp, post.answer(big * (MOST_BYTES // len(big) + 1)), post.reply_address)[0] == 552
    assert post.mails() == []


def test_a_mail_that_hurts_is_refused_and_the_next_is_taken(post: Post, lmtp: smtplib.LMTP) -> None:
    bomb = post.answer() + b"\r\nContent-Type: multipart/mixed; boundary=x" * 60
    code, said = hands_over(lmtp, bomb, post.reply_address)
    assert (code, said) == (554, b"5.6.0 The mail has too many parts within parts")
    assert hands_over(lmtp, post.answer(), post.reply_address)[0] == 250


def test_a_store_that_is_away_makes_the_mail_come_again(
    post: Post, lmtp: smtplib.LMTP, caplog: pytest.LogCaptureFixture
) -> None:
    address, raw = post.reply_address, post.answer()
    post.scene.writer.write(lambda t: t.driver.run("ALTER TABLE mail_inbound RENAME TO elsewhere"))
    assert hands_over(lmtp, raw, address)[0] == 451
    post.scene.writer.write(lambda t: t.driver.run("ALTER TABLE elsewhere RENAME TO mail_inbound"))
    assert hands_over(lmtp, raw, address)[0] == 250
    assert len(post.messages()) == 1


def test_a_socket_file_is_taken_over_and_removed(post: Post, tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = Listener(post.receiver, f"unix:{path}", "chat.example.com")
    listener.start()
    with smtplib.LMTP(str(path)) as client:
        client.ehlo()
        assert hands_over(client, post.answer(), post.reply_address)[0] == 250
    listener.stop()
    assert not path.exists()
