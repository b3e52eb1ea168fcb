"""What the worker makes of due items and of every answer."""

import threading

import pytest

from history import journal
from history.chats import Send
from history.db import Transaction
from history.mail.send import Files
from history.mail.smtp import MailSettings
from history.mail.worker import SEATS_PER_DOMAIN
from tests.history.conftest import StartWorker
from tests.history.mail_server import MailServer, part_of, read
from tests.history.scene import Scene, states, wait_until


def test_a_closed_chat_becomes_a_file(scene: Scene, files: Files, start_worker: StartWorker) -> None:
    worker = start_worker(files)
    scene.closed_chat()
    worker.wake()
    wait_until(lambda: states(scene) == ["sent"])
    (file,) = files.folder.glob("*.eml")
    text = part_of(read(file.read_bytes()), "plain")
    assert "  Here I am\n" in text and "https://chat.example.com/r#secret" in text
    assert "Hello?" not in text, "nothing proves the address: what was typed is not sent to it"


def test_whoever_has_proved_the_address_gets_the_own_words_too(
    scene: Scene, files: Files, start_worker: StartWorker
) -> None:
    scene.start()
    scene.proves_address()
    scene.says(scene.agent, "Here I am")
    scene.does(scene.agent, "close")
    start_worker(files)
    wait_until(lambda: states(scene) == ["sent"])
    (file,) = files.folder.glob("*.eml")
    text = part_of(read(file.read_bytes()), "plain")
    assert "You, " in text and "  Hello?\n" in text and "  Here I am\n" in text


def test_nobody_has_to_wake_it(scene: Scene, files: Files, start_worker: StartWorker) -> None:
    start_worker(files)
    scene.closed_chat()
    wait_until(lambda: states(scene) == ["sent"])


def test_two_workers_send_each_mail_once(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    for _ in range(12):
        scene.closed_chat()
    start_worker(smtp)
    start_worker(smtp)
    wait_until(lambda: states(scene) == ["sent"] * 12)
    ids = [read(mail)["Message-ID"] for mail in mail_server.orders.taken]
    assert sorted(ids) == sorted(item.message_id for item in scene.items())


def test_a_slow_domain_holds_up_no_other_however_many_mails_go_there(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    mail_server.orders.patience, mail_server.orders.slow = threading.Event(), "@slow.example.org"
    scene.closed_chats(60, "sam@slow.example.org")
    start_worker(smtp)
    wait_until(lambda: states(scene).count("started") == SEATS_PER_DOMAIN)
    scene.closed_chats(5)
    wait_until(lambda: states(scene).count("sent") == 5)
    assert states(scene).count("started") == SEATS_PER_DOMAIN
    mail_server.orders.patience.set()
    wait_until(lambda: states(scene) == ["sent"] * 65)
    assert len(mail_server.orders.taken) == 65


@pytest.mark.parametrize(
    ("orders", "state"),
    [
        ({"dot": "451 try again"}, "ready"),
        ({"rcpt": "550 nobody here"}, "failed"),
        ({"cut": "before the dot"}, "ready"),
        ({"cut": "after the dot"}, "uncertain"),
    ],
)
def test_every_answer_is_recorded(
    scene: Scene,
    smtp: MailSettings,
    mail_server: MailServer,
    start_worker: StartWorker,
    orders: dict[str, str],
    state: str,
) -> None:
    vars(mail_server.orders).update(orders)
    scene.closed_chat()
    worker = start_worker(smtp)
    wait_until(lambda: scene.attempts() != [])
    worker.stop()
    assert states(scene) == [state]
    assert len(mail_server.orders.taken) <= 1


def test_a_retry_is_the_same_mail(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    mail_server.orders.dot = "451 try again"
    scene.closed_chat()
    start_worker(smtp)
    wait_until(lambda: scene.attempts() != [])
    mail_server.orders.dot = "250 taken"
    scene.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET due_ms = 0"))
    wait_until(lambda: states(scene) == ["sent"])
    first, second = mail_server.orders.taken
    assert first == second


def test_an_address_that_cannot_be_written_to_fails_and_stops_nobody(
    scene: Scene, files: Files, start_worker: StartWorker
) -> None:
    scene.closed_chat(email="nobody@[127.0.0.1]")
    scene.closed_chat()
    start_worker(files)
    wait_until(lambda: states(scene) == ["failed", "sent"])
    assert (1, "render", None) in scene.attempts()


def test_a_reopen_while_the_mail_is_made_stops_it(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    def reopen_meanwhile(transaction: Transaction, chat_id: str, customer_id: str) -> str:
        reopen = Send(scene.customer, scene.id(), None, '{"text":"wait!"}', reopen=True)
        journal.apply(scene.policy, transaction, [reopen])
        return "https://chat.example.com/r#late"

    scene.closed_chat()
    start_worker(smtp, reopen_meanwhile)
    wait_until(lambda: states(scene) == ["cancelled"])
    assert scene.attempts() == []
    assert mail_server.orders.taken == []
