"""The outbox: queued with its cause, taken once, stopped by a reopen, and never sent again in doubt."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from history import outbox
from history.db import Store
from history.mail import recorder
from history.mail.causes import put_transcript
from history.mail.recorder import Try
from history.mail.results import Result
from history.mail.tables import OutboxItem
from history.outbox import LEASE_MS, MOST_ATTEMPTS, Claim, Rendered, retry_delay_ms
from history.privacy import erase_chat
from history.times import DAY_MS, MINUTE_MS, now_ms
from tests.history.scene import ADDRESS, Scene

SENT = Result("done", 250, "taken")
CUT_AFTER_THE_DOT = Result("dot", None, "cut")
TRY_AGAIN = Result("rcpt", 451, "try again")
NEVER = Result("rcpt", 550, "nobody here")


def only(scene: Scene) -> OutboxItem:
    (item,) = scene.items()
    return item


def claimed(scene: Scene) -> Claim:
    """The item of a closed chat, claimed, and rendered as the chat is at this moment."""
    scene.closed_chat()
    (claim,) = scene.claims()
    return rendered(scene, claim)


def rendered(scene: Scene, claim: Claim) -> Claim:
    return replace(claim, rendered_rev=scene.transcript().head)


def start(scene: Scene, claim: Claim, at_ms: int | None = None) -> bool:
    mail = Rendered(b"mail", claim.rendered_rev or 0)
    return scene.writer.write(lambda t: outbox.start(t, claim, mail, at_ms or t.now_ms))


def settle(scene: Scene, claim: Claim, result: Result, at_ms: int | None = None) -> bool:
    return scene.writer.write(lambda t: outbox.settle(t, claim, result, at_ms or t.now_ms, jitter=0))


def recover(scene: Scene, at_ms: int) -> None:
    scene.writer.write(lambda t: outbox.recover(t, at_ms))


def test_closing_queues_one_mail_that_waits_for_the_chat_to_settle(store: Store) -> None:
    scene = Scene(store, settle_ms=3 * MINUTE_MS)
    before = now_ms()
    scene.closed_chat()
    item = only(scene)
    scene.stop()
    assert (item.state, item.recipient, item.thread, item.time_zone) == ("ready", ADDRESS, 1, "Europe/Berlin")
    assert item.message_id.startswith("<transcript.") and item.message_id.endswith("@stillhere.example.com>")
    assert item.due_ms >= before + 3 * MINUTE_MS


def test_without_an_address_there_is_no_mail(scene: Scene) -> None:
    scene.closed_chat(email=None)
    assert scene.items() == []


def test_before_an_agent_has_written_there_is_no_mail(scene: Scene) -> None:
    scene.start()
    scene.does(scene.agent, "accept")
    scene.does(scene.customer, "close")
    assert scene.items() == []


def test_words_of_an_agent_that_were_mailed_do_not_count_again(scene: Scene) -> None:
    claim = claimed(scene)
    assert start(scene, claim) and settle(scene, claim, SENT)
    scene.says(scene.customer, "again", reopen=True)
    scene.does(scene.customer, "close")
    assert [item.thread for item in scene.items()] == [1]


def test_thanks_behind_the_close_do_not_cost_the_customer_the_transcript(scene: Scene) -> None:
    scene.closed_chat()
    scene.says(scene.customer, "Thanks!", reopen=True)
    scene.does(scene.agent, "close")
    assert [(item.thread, item.state) for item in scene.items()] == [(1, "cancelled"), (2, "ready")]


def test_the_same_close_is_queued_once(scene: Scene) -> None:
    scene.closed_chat()
    scene.writer.write(lambda t: put_transcript(t, scene.policy, scene.chat_pk, 1))
    assert len(scene.items()) == 1


def test_an_item_is_not_due_before_its_time(store: Store) -> None:
    scene = Scene(store, settle_ms=MINUTE_MS)
    scene.closed_chat()
    due_ms = only(scene).due_ms
    with store.reading() as driver:
        assert outbox.next_due_ms(driver) == due_ms
    assert scene.claims(at_ms=due_ms - 1) == []
    assert len(scene.claims(at_ms=due_ms)) == 1
    scene.stop()


def test_a_reopen_withdraws_what_waits_and_what_is_claimed(scene: Scene) -> None:
    scene.closed_chat()
    scene.says(scene.customer, "one more thing", reopen=True)
    assert only(scene).state == "cancelled"
    scene.says(scene.agent, "yes?")
    scene.does(scene.agent, "close")
    (claim,) = scene.claims()
    claim = rendered(scene, claim)
    scene.does(scene.customer, "reopen")
    _, second = scene.items()
    assert (second.state, second.body, second.reason) == ("cancelled", None, "reopened")
    assert not start(scene, claim)


def test_a_reopen_before_the_fence_wins(scene: Scene) -> None:
    claim = claimed(scene)
    scene.does(scene.customer, "reopen")
    assert not start(scene, claim)
    assert only(scene).state == "cancelled"


def test_a_reopen_behind_the_fence_comes_too_late(scene: Scene) -> None:
    claim = claimed(scene)
    assert start(scene, claim)
    scene.does(scene.customer, "reopen")
    assert only(scene).state == "started"
    assert settle(scene, claim, SENT)
    assert only(scene).state == "sent"


def test_a_chat_that_says_more_than_the_mail_is_rendered_anew(scene: Scene) -> None:
    claim = claimed(scene)
    scene.does(scene.customer, "rate", score=5)
    assert not start(scene, claim)
    assert scene.writer.write(lambda t: outbox.give_back(t, claim, t.now_ms))
    (again,) = scene.claims()
    assert (again.body, again.message_id) == (None, claim.message_id)
    assert start(scene, rendered(scene, again))


def test_an_item_of_a_reopened_thread_is_not_given_back(scene: Scene) -> None:
    claim = claimed(scene)
    forget_to_cancel = "UPDATE chat SET status = 'open', thread = 2"
    scene.writer.write(lambda t: t.driver.run(forget_to_cancel))
    assert not start(scene, claim)
    scene.writer.write(lambda t: outbox.give_back(t, claim, t.now_ms))
    assert only(scene).state == "cancelled"


def test_a_retry_sends_the_same_bytes(scene: Scene) -> None:
    claim = claimed(scene)
    assert start(scene, claim)
    assert settle(scene, claim, TRY_AGAIN)
    (again,) = scene.claims(at_ms=only(scene).due_ms)
    assert (again.body, again.attempts) == (b"mail", 2)


def test_workers_that_claim_at_once_get_each_item_once(store: Store) -> None:
    scenes = [Scene(store) for _ in range(4)]
    for scene in scenes * 5:
        scene.closed_chat()
    with ThreadPoolExecutor() as pool:
        at_once = pool.map(lambda n: [c.id for c in scenes[n % 4].claims(str(n))], range(12))
        taken = [id for claims in at_once for id in claims]
    for scene in scenes:
        scene.stop()
    assert len(taken) == 20
    assert set(Counter(taken).values()) == {1}


def test_a_worker_lost_before_the_fence_leaves_its_item_to_others(scene: Scene) -> None:
    claim = claimed(scene)
    recover(scene, now_ms() + LEASE_MS - 1000)
    assert only(scene).state == "leased"
    recover(scene, now_ms() + LEASE_MS)
    assert only(scene).state == "ready"
    (other,) = scene.claims("another")
    assert not start(scene, claim)
    assert start(scene, rendered(scene, other))


def test_a_lease_that_ran_out_does_not_pass_the_fence(scene: Scene) -> None:
    claim = claimed(scene)
    assert not start(scene, claim, at_ms=now_ms() + LEASE_MS + 1)


def test_a_worker_lost_behind_the_fence_leaves_an_uncertain_item_that_nobody_sends(scene: Scene) -> None:
    claim = claimed(scene)
    assert start(scene, claim)
    later = now_ms() + LEASE_MS + 1000
    recover(scene, later)
    assert only(scene).state == "uncertain"
    assert scene.claims("another", at_ms=later + DAY_MS) == []
    with scene.store.reading() as driver:
        assert outbox.next_due_ms(driver) is None


@pytest.mark.parametrize(("late", "state"), [(SENT, "sent"), (NEVER, "failed"), (TRY_AGAIN, "ready")])
def test_a_late_answer_settles_an_uncertain_item(scene: Scene, late: Result, state: str) -> None:
    claim = claimed(scene)
    start(scene, claim)
    recover(scene, now_ms() + LEASE_MS + 1000)
    assert settle(scene, claim, late)
    assert only(scene).state == state


def test_a_worker_that_lost_its_item_cannot_settle_it(scene: Scene) -> None:
    claim = claimed(scene)
    recover(scene, now_ms() + LEASE_MS)
    scene.claims("another")
    assert not settle(scene, claim, NEVER)
    assert only(scene).state == "leased"


@pytest.mark.parametrize(
    "result", [Result("done", 250, f"<{ADDRESS}> queued"), Result("rcpt", 450, f"{ADDRESS}? later")]
)
def test_of_a_chat_erased_while_its_mail_is_under_way_no_answer_is_kept(scene: Scene, result: Result) -> None:
    claim = claimed(scene)
    assert start(scene, claim)
    scene.writer.write(lambda t: erase_chat(t, scene.customer.chat_id))
    scene.writer.write(lambda t: recorder.settle(t, [Try(claim, result)]))
    assert scene.attempts() == []
    assert only(scene).state == "cancelled"


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (SENT, "sent"),
        (CUT_AFTER_THE_DOT, "uncertain"),
        (Result("dot", 451, "later"), "ready"),
        (Result("dot", 552, "too big"), "failed"),
        (Result("dot", -1, "not SMTP"), "uncertain"),
        (Result("body", None, "cut"), "ready"),
        (Result("body", 552, "too big"), "failed"),
        (Result("data", 421, "closing"), "ready"),
        (NEVER, "failed"),
        (TRY_AGAIN, "ready"),
        (Result("mail", 451, "later"), "ready"),
        (Result("render", None, "no address"), "failed"),
    ],
)
def test_how_far_a_try_came_decides_what_follows(scene: Scene, result: Result, state: str) -> None:
    claim = claimed(scene)
    start(scene, claim)
    assert settle(scene, claim, result)
    item = only(scene)
    assert item.state == state
    assert item.reason == ("" if state == "sent" else result.answer)
    assert (item.body is None) == (state in {"sent", "failed"})
    assert scene.attempts() == [(1, result.phase, result.code)]


def test_what_is_too_large_is_rendered_once_more_and_then_fails(scene: Scene) -> None:
    scene.closed_chat()
    for state in ("ready", "failed"):
        (claim,) = scene.claims()
        start(scene, rendered(scene, claim))
        assert settle(scene, claim, Result("mail", 552, "5.3.4 too big"))
        assert (only(scene).state, only(scene).body) == (state, None)


def test_tries_come_farther_and_farther_apart() -> None:
    minutes = [retry_delay_ms(attempts, 0) // MINUTE_MS for attempts in range(1, 12)]
    assert minutes == [1, 5, 15, 60, 120, 240, 480, 960, 1440, 1440, 1440]
    assert retry_delay_ms(1, 1) - retry_delay_ms(1, -1) == 24_000


def test_after_the_last_try_an_item_is_dead(scene: Scene) -> None:
    scene.closed_chat()
    for attempt in range(1, MOST_ATTEMPTS + 1):
        (claim,) = scene.claims(at_ms=only(scene).due_ms)
        assert claim.attempts == attempt
        assert settle(scene, claim, TRY_AGAIN, at_ms=only(scene).due_ms)
    item = only(scene)
    assert (item.state, item.reason) == ("dead", "try again")
    assert [number for number, _, _ in scene.attempts()] == list(range(1, MOST_ATTEMPTS + 1))


def test_an_item_that_kills_its_workers_does_not_live_for_ever(scene: Scene) -> None:
    scene.closed_chat()
    at_ms = now_ms()
    for _ in range(MOST_ATTEMPTS):
        assert scene.claims(at_ms=at_ms)
        at_ms += LEASE_MS
        recover(scene, at_ms)
    assert only(scene).state == "dead"
