"""Mails about unread answers: collected, dropped when read, taken over by the transcript, muted by who gets them."""

import re
from pathlib import Path

import pytest

from history.journal import Mark
from history.mail import unread
from history.mail.events import away_scope, suppress
from history.mail.limits import MailLimits
from history.mail.send import Files
from history.mail.unread import EXPIRES_MS, look, read_unread
from history.outbox import recipient_hash
from history.times import HOUR_MS, MINUTE_MS, now_ms
from tests.history.conftest import StartWorker
from tests.history.mail_server import part_of, read
from tests.history.scene import ADDRESS, Scene, states, wait_until

QUIET_MS = 2 * MINUTE_MS
SHIFTS = (
    "UPDATE event SET at_ms = at_ms - ?",
    "UPDATE outbox_item SET created_ms = created_ms - ?",
    "UPDATE chat SET updated_ms = updated_ms - ?",
)


@pytest.fixture
def answered(scene: Scene) -> Scene:
    """A chat in which an agent has answered a customer who is gone."""
    scene.start()
    scene.says(scene.agent, "Here I am")
    return scene


def time_passes(scene: Scene, ms: int) -> None:
    """Everything that was is longer ago."""

    for change in SHIFTS:
        scene.writer.write(lambda t, change=change: t.driver.run(change, ms))


def looks(scene: Scene) -> None:
    look(scene.store, scene.writer, scene.policy, QUIET_MS)


def reads(scene: Scene) -> None:
    scene.writer.append(Mark(scene.customer, read=scene.transcript().head))


def test_an_answer_is_mailed_when_it_stays_unread_for_two_minutes(answered: Scene) -> None:
    time_passes(answered, QUIET_MS - 1000)
    looks(answered)
    assert answered.items() == []
    time_passes(answered, 1000)
    looks(answered)
    looks(answered)
    (item,) = answered.items()
    assert (item.kind, item.state, item.recipient, item.from_seq, item.upto_seq) == ("away", "ready", ADDRESS, 5, 5)
    assert item.expires_ms is not None and item.expires_ms <= now_ms() + EXPIRES_MS


def test_a_burst_is_one_mail_and_no_burst_lasts_for_ever(answered: Scene) -> None:
    for _ in range(5):
        time_passes(answered, QUIET_MS - MINUTE_MS)
        answered.says(answered.agent, "and")
        looks(answered)
        assert answered.items() == []
    time_passes(answered, MINUTE_MS)
    looks(answered)
    (item,) = answered.items()
    assert (item.from_seq, item.upto_seq) == (5, 10)


def test_what_is_read_or_answered_is_not_mailed(answered: Scene) -> None:
    time_passes(answered, QUIET_MS)
    reads(answered)
    looks(answered)
    answered.says(answered.agent, "More")
    time_passes(answered, QUIET_MS)
    answered.says(answered.customer, "I am here, look")
    looks(answered)
    assert answered.items() == []


def test_a_customer_without_an_address_gets_nothing(scene: Scene) -> None:
    scene.start(email=None)
    scene.says(scene.agent, "Here I am")
    time_passes(scene, QUIET_MS)
    looks(scene)
    assert scene.items() == []


def test_what_is_read_while_the_mail_waits_is_not_sent(
    answered: Scene, files: Files, start_worker: StartWorker
) -> None:
    time_passes(answered, QUIET_MS)
    looks(answered)
    reads(answered)
    start_worker(files)
    wait_until(lambda: states(answered) == ["cancelled"])
    assert not files.folder.exists()


def test_a_look_at_the_message_while_the_mail_is_made_wins(answered: Scene) -> None:
    time_passes(answered, QUIET_MS)
    looks(answered)
    (claim,) = answered.claims()
    reads(answered)
    assert not answered.fence(claim)
    assert states(answered) == ["leased"]
    answered.gives_back(claim)
    assert states(answered) == ["cancelled"]


def test_the_mail_shows_the_answers_and_few_words_around_them(
    answered: Scene, files: Files, start_worker: StartWorker
) -> None:
    answered.proves_address()
    time_passes(answered, QUIET_MS)
    looks(answered)
    start_worker(files)
    wait_until(lambda: states(answered) == ["sent"])
    mail = read(only(files.folder).read_bytes())
    text = part_of(mail, "plain")
    assert "Here I am" in text and "Hello?" in text
    link = re.fullmatch(r"<https://chat\.example\.com/mail/mute/[\w-]+>", str(mail["List-Unsubscribe"]))
    assert link and mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def only(folder: Path) -> Path:
    (file,) = folder.glob("*.eml")
    return file


def test_the_next_mail_waits_a_quarter_of_an_hour_and_tells_of_what_is_new(answered: Scene) -> None:
    time_passes(answered, QUIET_MS)
    looks(answered)
    answered.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET state = 'sent'"))
    answered.says(answered.agent, "Are you there?")
    time_passes(answered, 10 * MINUTE_MS)
    looks(answered)
    assert len(answered.items()) == 1
    time_passes(answered, 5 * MINUTE_MS)
    looks(answered)
    assert [(item.from_seq, item.upto_seq) for item in answered.items()] == [(5, 5), (6, 6)]


def test_six_a_day_are_enough(answered: Scene) -> None:
    answered.policy = type(answered.policy)(0, answered.policy.domain, MailLimits(to_address=100))
    for _ in range(8):
        answered.says(answered.agent, "Are you there?")
        time_passes(answered, 16 * MINUTE_MS)
        looks(answered)
        answered.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET state = 'sent' WHERE state = 'ready'"))
    assert states(answered).count("sent") == 6


def test_after_half_a_day_an_answer_is_no_news(answered: Scene) -> None:
    time_passes(answered, QUIET_MS)
    looks(answered)
    answered.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET expires_ms = expires_ms - ?", 12 * HOUR_MS))
    assert answered.claims() == []
    assert [(item.state, item.reason) for item in answered.items()] == [("dead", "it was too late")]


def test_the_transcript_takes_over_what_is_pending(answered: Scene) -> None:
    time_passes(answered, QUIET_MS)
    looks(answered)
    answered.does(answered.agent, "close")
    assert sorted((item.kind, item.state) for item in answered.items()) == [
        ("away", "cancelled"),
        ("transcript", "ready"),
    ]


def test_whoever_muted_the_chat_gets_no_more_of_these_but_the_transcript(answered: Scene) -> None:
    scope = away_scope(answered.chat_pk)
    answered.writer.write(lambda t: suppress(t, recipient_hash(ADDRESS), "muted", scope=scope))
    time_passes(answered, QUIET_MS)
    looks(answered)
    answered.does(answered.agent, "close")
    assert [(item.kind, item.state) for item in answered.items()] == [("away", "cancelled"), ("transcript", "ready")]


def test_two_servers_that_look_at_once_queue_one(answered: Scene) -> None:
    time_passes(answered, QUIET_MS)
    with answered.store.reading() as driver:
        (found,) = read_unread(driver, QUIET_MS, now_ms())
    for _ in range(2):
        answered.writer.write(lambda t: unread.tell(answered.policy, QUIET_MS, found.chat_pk, t))
    assert len(answered.items()) == 1
