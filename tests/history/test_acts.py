"""Acts below HTTP: what redactions leave of rendered mails, and how long a queue takes."""

import pytest

from history import outbox
from history.access import Place, agent_in
from history.agents import add_agent
from history.batch import Requeue
from history.outbox import Rendered
from history.queue_time import Pace, eta_s, pace_of
from history.times import MINUTE_MS, SECOND_MS, now_ms
from tests.history.scene import Scene


def test_a_rendered_mail_is_forgotten_with_the_words_in_it(scene: Scene) -> None:
    scene.closed_chat()
    claim, rendered = scene.claims()[0], Rendered(b"Here I am", scene.transcript().head)
    said = scene.transcript().entries[-2]
    scene.does(scene.agent, "redact", seq=said.seq)
    assert not scene.writer.write(lambda t: outbox.start(t, claim, rendered, t.now_ms))
    assert scene.writer.write(lambda t: outbox.give_back(t, claim, t.now_ms))
    again = scene.claims()[0]
    assert again.body is None
    anew = Rendered(b"Hello?", scene.transcript().head)
    assert scene.writer.write(lambda t: outbox.start(t, again, anew, t.now_ms))
    assert scene.items()[0].body == b"Hello?"
    question = next(entry for entry in scene.transcript().entries if entry.kind == "message")
    scene.does(scene.agent, "redact", seq=question.seq)
    assert scene.items()[0].body is None
    assert scene.transcript().entries[said.seq - 1].data == {"redacted": True}


def in_charge(scene: Scene) -> Place:
    """An agent who has an account takes the chat of a new customer."""
    scene.start()
    agent_id = scene.writer.write(lambda t: add_agent(t, "Robin", "robin@example.com"))
    with scene.store.reading() as driver:
        robin = agent_in(driver, scene.chat_pk, scene.customer.chat_id, agent_id)
    assert robin is not None
    scene.says(robin, "Here I am")
    return robin


def losses(scene: Scene) -> int:
    return sum(entry.data.get("reason") == "away" for entry in scene.transcript().entries)


def test_however_often_an_absence_is_told_the_chat_is_lost_once(scene: Scene) -> None:
    robin = in_charge(scene)
    soon_ms = now_ms() + MINUTE_MS
    for _ in range(3):
        scene.writer.append(Requeue(robin, soon_ms))
    assert losses(scene) == 1


def test_whoever_is_back_or_wrote_since_keeps_the_chat(scene: Scene) -> None:
    robin = in_charge(scene)
    scene.writer.append(Requeue(robin, now_ms() - MINUTE_MS))
    soon_ms = now_ms() + MINUTE_MS
    scene.writer.write(lambda t: t.driver.run("UPDATE agent SET online_until_ms = ?", soon_ms))
    scene.writer.append(Requeue(robin, soon_ms))
    assert losses(scene) == 0


def test_too_few_waits_say_nothing() -> None:
    assert pace_of([(0, MINUTE_MS)] * 4) is None
    assert eta_s(None, 1) is None


def test_the_estimate_grows_with_the_place() -> None:
    pace = Pace(2500.0, 10_000.0)
    assert [eta_s(pace, place) for place in (1, 2, 10)] == [[3, 10], [5, 20], [25, 100]]


def test_who_waited_one_after_another_gives_the_time_of_one_place() -> None:
    waits = [(number * MINUTE_MS, number * MINUTE_MS + 30 * SECOND_MS) for number in range(8)]
    assert pace_of(waits) == Pace(30 * SECOND_MS, 30 * SECOND_MS)


def test_who_came_at_once_and_was_taken_one_by_one_gives_the_time_of_one_place() -> None:
    """Eight come within a moment; an agent takes one each minute."""
    waits = [(number, (number + 1) * MINUTE_MS) for number in range(8)]
    pace = pace_of(waits)
    assert pace is not None
    assert pace.quick_ms == pytest.approx(MINUTE_MS, rel=0.01)
    assert eta_s(pace, 4) == [240, 240]


def test_quick_and_slow_times_lie_apart() -> None:
    waits = [(number * MINUTE_MS, number * MINUTE_MS + number * SECOND_MS) for number in range(1, 9)]
    assert pace_of(waits) == Pace(2750.0, 6250.0)
