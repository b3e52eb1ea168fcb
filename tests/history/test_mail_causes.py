"""What puts a mail into the outbox, and what keeps it out: proof of addresses, limits, and the leave of strangers."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from history.db import Store
from history.errors import Forbidden, Invalid, NotFound, RateLimited
from history.mail.causes import CONFIRM_MS, confirm_copy, put_copy, put_transcript
from history.mail.events import suppress
from history.mail.limits import MailLimits, network_of
from history.outbox import recipient_hash
from history.privacy import erase_chat
from history.times import DAY_MS, HOUR_MS
from tests.history.scene import ADDRESS, NO_LIMITS, Scene, states

COLLEAGUE = "sam@example.org"


@pytest.fixture
def limited(store: Store) -> Iterator[Scene]:
    scene = Scene(store, limits=MailLimits())
    yield scene
    scene.stop()


def kinds(scene: Scene) -> list[tuple[str, str]]:
    return [(item.kind, item.state) for item in scene.items()]


def copy(scene: Scene, email: str | None = None, network: str = "") -> str:
    return scene.writer.write(lambda t: put_copy(t, scene.policy, scene.chat_pk, email, network))


def time_passes(scene: Scene, ms: int) -> None:
    """All that has been queued is older."""
    scene.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET created_ms = created_ms - ?", ms))


def test_one_message_is_no_talk_and_is_not_mailed(scene: Scene) -> None:
    scene.start()
    scene.writer.write(lambda t: t.driver.run("DELETE FROM event WHERE kind = 'message'"))
    scene.says(scene.agent, "Is anybody there?")
    scene.does(scene.agent, "close")
    assert scene.items() == []


def test_three_who_end_a_chat_at_once_cause_one_mail(scene: Scene) -> None:
    scene.start()
    scene.says(scene.agent, "Done")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda place: scene.does(place, "close"), [scene.agent, scene.customer, scene.agent]))
    assert states(scene) == ["ready"]


def test_who_ends_and_reopens_again_and_again_gets_one_mail(scene: Scene) -> None:
    scene.closed_chat()
    for _ in range(50):
        scene.says(scene.agent, "One more thing", reopen=True)
        scene.does(scene.agent, "close")
    assert sorted(states(scene)) == ["cancelled"] * 50 + ["ready"]


def test_a_stranger_is_not_bombed_however_many_chats_name_the_address(limited: Scene) -> None:
    for _ in range(20):
        limited.closed_chat()
    limited.closed_chats(1_000)
    assert Counter(states(limited)) == {"ready": 2, "cancelled": 1_018}
    refused = next(item for item in limited.items() if item.state == "cancelled")
    assert refused.reason.startswith("This address had enough mails today")
    time_passes(limited, DAY_MS)
    limited.closed_chat()
    assert states(limited).count("ready") == 3


def test_a_network_causes_only_so_many_mails_to_strangers(limited: Scene) -> None:
    for number in range(22):
        limited.closed_chat(email=f"a{number}@example.com", network="203.0.113.0/24")
    assert states(limited).count("ready") == 20
    limited.closed_chat(email="b@example.com", network="198.51.100.0/24")
    assert limited.items()[-1].state == "ready"


def test_whoever_has_proved_the_address_is_limited_by_the_chat_only(limited: Scene) -> None:
    limited.start()
    limited.proves_address()
    limited.says(limited.agent, "Here I am")
    for _ in range(5):
        copy(limited)
        limited.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET state = 'sent'"))
    with pytest.raises(RateLimited, match="in the last hour; the transcript can be downloaded"):
        copy(limited)
    time_passes(limited, HOUR_MS)
    copy(limited)


def test_a_copy_for_oneself_is_queued_at_once_and_asking_twice_is_asking_once(scene: Scene) -> None:
    scene.start()
    scene.says(scene.agent, "Here I am")
    assert copy(scene) == copy(scene)
    assert kinds(scene) == [("copy", "ready")]
    assert scene.items()[0].recipient == ADDRESS


def test_before_an_agent_has_written_nobody_unproven_gets_a_copy(scene: Scene) -> None:
    scene.start()
    for email in (None, COLLEAGUE):
        with pytest.raises(Forbidden, match="before somebody has answered"):
            copy(scene, email)
    assert scene.items() == []


def test_without_an_address_a_copy_needs_one(scene: Scene) -> None:
    scene.start(email=None)
    scene.says(scene.agent, "Here I am")
    with pytest.raises(Invalid, match="name one as `email`"):
        copy(scene)
    copy(scene, COLLEAGUE)
    assert kinds(scene) == [("copy", "held"), ("confirm", "ready")]


def test_a_copy_for_somebody_else_waits_for_their_leave(scene: Scene) -> None:
    scene.start()
    scene.says(scene.agent, "Here I am")
    copy(scene, COLLEAGUE)
    held, question = scene.items()
    assert [(i.kind, i.state, i.recipient) for i in (held, question)] == [
        ("copy", "held", COLLEAGUE),
        ("confirm", "ready", COLLEAGUE),
    ]
    assert [claim.kind for claim in scene.claims()] == ["confirm"], "nothing else goes out"
    confirm(scene, question.id)
    confirm(scene, question.id)
    (claim,) = scene.claims()
    assert (claim.kind, claim.proof) == ("copy", "confirmed")
    scene.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET state = 'sent'"))
    copy(scene, COLLEAGUE)
    assert scene.items()[-1].state == "ready", "they have allowed it once"


def confirm(scene: Scene, question_id: str, secret: str = "secret") -> None:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    scene.writer.write(
        lambda t: t.driver.run("UPDATE outbox_item SET secret_hash = ? WHERE id = ?", digest, question_id)
    )
    scene.writer.write(lambda t: confirm_copy(t, digest))


def test_an_old_or_unknown_leave_is_none(scene: Scene) -> None:
    scene.start()
    scene.says(scene.agent, "Here I am")
    copy(scene, COLLEAGUE)
    with pytest.raises(NotFound):
        scene.writer.write(lambda t: confirm_copy(t, "unknown"))
    scene.writer.write(lambda t: t.driver.run("UPDATE outbox_item SET expires_ms = expires_ms - ?", CONFIRM_MS))
    with pytest.raises(NotFound, match="too old"):
        confirm(scene, scene.items()[1].id)
    assert scene.items()[0].state == "held"


def test_whoever_wants_no_mails_gets_none(scene: Scene) -> None:
    scene.writer.write(lambda t: suppress(t, recipient_hash(ADDRESS), "it bounced"))
    scene.closed_chat()
    assert [(item.state, item.reason) for item in scene.items()] == [("cancelled", "it bounced")]
    with pytest.raises(Forbidden, match="it bounced"):
        copy(scene)


def test_a_mail_is_not_sent_to_whom_it_is_not_wanted_any_more(scene: Scene) -> None:
    scene.closed_chat()
    scene.writer.write(lambda t: suppress(t, recipient_hash(ADDRESS), "a complaint"))
    assert scene.claims() == []
    assert [(item.state, item.reason) for item in scene.items()] == [("cancelled", "a complaint")]


def test_an_erasure_takes_back_whatever_waits(scene: Scene) -> None:
    scene.closed_chat()
    copy(scene, COLLEAGUE)
    scene.writer.write(lambda t: erase_chat(t, scene.customer.chat_id))
    assert {item.state for item in scene.items()} == {"cancelled"}
    assert {(item.recipient, item.recipient_hash, item.domain, item.body) for item in scene.items()} == {
        ("", "", "", None)
    }
    assert scene.claims() == []


def test_the_same_close_is_mailed_once_even_if_the_first_was_refused(limited: Scene) -> None:
    limited.closed_chat()
    limited.writer.write(lambda t: put_transcript(t, limited.policy, limited.chat_pk, 1))
    assert len(limited.items()) == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.114.77", "203.0.114.0/24"),
        ("2600:1f18:1:2::3", "2600:1f18:1::/48"),
        ("127.0.0.1", ""),
        ("10.1.2.3", ""),
        ("fe80::1", ""),
        ("nonsense", ""),
        (None, ""),
    ],
)
def test_a_network_is_a_part_of_an_address_that_says_where_somebody_is(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_the_usual_limits_are_those_of_the_design() -> None:
    assert MailLimits() == MailLimits(2, 20, in_chat=5, away_in_chat=6, codes_in_chat=3, codes_to_address=6)
    assert MailLimits() != NO_LIMITS
