"""Reports about our mails: what is believed, what follows, and what agents are told."""

from typing import Any

import pytest

from history.mail.events import suppressed
from history.times import DAY_MS, now_ms
from tests.history.arrivals import cases, mail_of
from tests.history.post import Post
from tests.history.scene import ADDRESS, Scene

REPORTS = dict(cases("reports.txt"))
GONE = "postfix: unknown user | bounce 5.1.1"
FULL = "dovecot: mailbox full | bounce 5.2.2"

NAMELESS = ("abcdefghij" * 3)[:26]
"""A token that is none of ours."""


@pytest.fixture
def post(scene: Scene) -> Post:
    scene.closed_chat()
    post = Post(scene)
    post.goes_out()
    return post


def report(post: Post, name: str, **changes: Any) -> bytes:
    item = post.item
    known = {"recipient": ADDRESS, "token": item.bounce_token, "message_id": item.message_id}
    return mail_of(REPORTS[name], **(known | changes))


def is_suppressed(post: Post, at_ms: int = 0) -> bool:
    with post.scene.store.reading() as driver:
        return suppressed(driver, post.item.recipient_hash, at_ms or now_ms()) is not None


def test_an_address_that_is_gone_gets_no_more_mails_and_agents_are_told(post: Post) -> None:
    assert post.comes(report(post, GONE), "", post.bounce_address) == "bounce"
    assert post.events() == [("bounce", "5.1.1")]
    assert is_suppressed(post)
    (note,) = post.notes()
    assert ADDRESS in note and "550 5.1.1" in note and "No more mails" in note
    assert post.status() == "closed"


@pytest.mark.parametrize("way", ["envelope", "envid", "message id"])
def test_each_of_three_ways_leads_to_the_mail(post: Post, way: str) -> None:
    token = post.item.bounce_token if way == "envid" else NAMELESS
    message_id = post.item.message_id if way == "message id" else "<x@y>"
    to = post.bounce_address if way == "envelope" else "abuse@bounce.example.com"
    assert post.comes(report(post, GONE, token=token, message_id=message_id), "", to) == "bounce"
    assert is_suppressed(post)


def test_a_report_that_names_no_mail_of_ours_changes_nothing(post: Post) -> None:
    for name in (GONE, "complaint: abuse | complaint abuse", "gmail: switched off | bounce 5.2.1"):
        raw = report(post, name, token=NAMELESS, message_id="<x@y>")
        assert post.comes(raw, "", "abuse@bounce.example.com") == "unknown"
    assert (post.events(), post.notes(), is_suppressed(post)) == ([], [], False)


def test_a_forged_bounce_for_a_victim_with_a_token_of_another_mail_suppresses_nobody(post: Post) -> None:
    raw = report(post, GONE, recipient="victim@example.net")
    assert post.comes(raw, "", post.bounce_address) == "bounce"
    assert not is_suppressed(post)


def test_of_all_forms_only_those_about_the_address_suppress_it(post: Post) -> None:
    gone = {"5.1.1", "5.1.10", "5.2.1"}
    for name in REPORTS:
        kind, _, status = name.partition("|")[2].strip().partition(" ")
        raw = report(post, name)
        post.scene.writer.write(lambda t: t.driver.run("DELETE FROM mail_suppression"))
        post.scene.writer.write(lambda t: t.driver.run("DELETE FROM mail_event"))
        if kind == "none":
            continue
        assert post.comes(raw, "", post.bounce_address) == kind
        is_ours = "forwarded" not in name
        assert is_suppressed(post) is (is_ours and (kind == "complaint" or status in gone)), name


def test_the_same_report_counts_once(post: Post) -> None:
    raw = report(post, FULL)
    assert [post.comes(raw, "", post.bounce_address) for _ in range(2)] == ["bounce", "duplicate"]
    assert post.events() == [("bounce", "5.2.2")]


def test_an_address_that_fails_again_and_again_rests_for_a_while(scene: Scene) -> None:
    for number in range(3):
        scene.closed_chat()
        post = Post(scene)
        post.goes_out()
        assert is_suppressed(post) is False
        assert post.comes(report(post, FULL), "", post.bounce_address) == "bounce", number
    assert is_suppressed(post)
    assert not is_suppressed(post, now_ms() + 15 * DAY_MS)
    assert "14 days" in post.notes()[0]


def test_a_bounce_of_long_ago_is_noted_only(post: Post) -> None:
    long_ago = now_ms() - 40 * DAY_MS
    sent = "UPDATE outbox_item SET done_ms = ? WHERE id = ?"
    post.scene.writer.write(lambda t: t.driver.run(sent, long_ago, post.item.id))
    assert post.comes(report(post, GONE), "", post.bounce_address) == "bounce"
    assert (post.events(), is_suppressed(post)) == ([("bounce", "5.1.1")], False)


def test_a_delay_is_noted_and_a_delivery_settles_what_was_in_doubt(post: Post) -> None:
    post.scene.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET state = 'uncertain'"))
    assert post.comes(report(post, "postfix: delayed | delay 4.4.1"), "", post.bounce_address) == "delay"
    assert post.scene.items()[-1].state == "uncertain"
    assert post.comes(report(post, "postfix: relayed | success 2.0.0"), "", post.bounce_address) == "success"
    assert post.scene.items()[-1].state == "sent"
    assert (post.notes(), is_suppressed(post)) == ([], False)


def test_a_bounce_may_come_before_our_own_250_is_recorded(scene: Scene) -> None:
    scene.closed_chat()
    post = Post(scene)
    scene.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET state = 'started', started_ms = ?", now_ms()))
    assert post.comes(report(post, GONE), "", post.bounce_address) == "bounce"
    assert is_suppressed(post)


def test_a_refusal_by_policy_is_an_alarm_and_not_about_the_address(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.comes(report(post, "policy: DMARC | bounce 5.7.26"), "", post.bounce_address)
    assert "refuses our mails (5.7.26)" in caplog.text
    assert not is_suppressed(post)
    assert len(post.notes()) == 1
