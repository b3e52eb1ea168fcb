"""An answer by mail becomes a message: whose, in which chat, once, and when not."""

import pytest

from history import outbox
from history.errors import Erased, Invalid, NotFound, RateLimited
from history.mail.receive.answers import MOST_AN_HOUR
from history.mail.results import Result
from history.privacy import erase_chat
from tests.history.post import FAILED, MAIL_SERVER, PASSED, Post
from tests.history.scene import Scene, states


@pytest.fixture
def post(scene: Scene) -> Post:
    scene.closed_chat()
    return Post(scene)


def test_an_answer_of_the_customer_reopens_the_chat_and_withdraws_the_transcript(post: Post) -> None:
    assert (
        post.comes(post.answer("Dark green.\r\n\r\nOn Mon, 23 Nov 2026 at 10:14, Acme wrote:\r\n> Which?")) == "answer"
    )
    (message,) = post.messages()
    assert (message["text"], message["role"], message["name"]) == ("Dark green.", "customer", "Alex")
    assert message["by_mail"] == {"id": post.mails()[0].id, "proof": "proven", "whole": False}
    assert post.status() in ("open", "waiting")
    assert states(post.scene) == ["cancelled"]
    reopened = [entry for entry in post.scene.transcript().entries if entry.kind == "reopen"]
    assert [(entry.data["reason"], entry.thread) for entry in reopened] == [("email", 2)]


def test_an_answer_may_come_before_our_own_250_is_recorded(post: Post) -> None:
    (claim,) = post.scene.claims()
    assert post.scene.fence(claim)
    assert post.comes(post.answer()) == "answer"
    assert len(post.messages()) == 1
    assert post.scene.writer.write(lambda t: outbox.settle(t, claim, Result("done", 250), t.now_ms, 0))
    assert states(post.scene) == ["sent"]


def test_an_answer_in_an_open_chat_is_a_message_like_any_other(post: Post) -> None:
    post.scene.does(post.scene.agent, "reopen")
    post.comes(post.answer())
    assert post.messages()[0]["text"] == "Green."
    assert post.status() == "active"


@pytest.mark.parametrize(
    ("headers", "sender", "proof"),
    [
        (PASSED, "alex@example.com", "proven"),
        (PASSED, "Alex@Example.COM", "proven"),
        ("", "alex@example.com", "unproven"),
        (PASSED.replace("=pass", "=none"), "alex@example.com", "unproven"),
        (PASSED.replace(MAIL_SERVER, "mx.evil.example"), "alex@example.com", "unproven"),
        (PASSED.replace(MAIL_SERVER, f"x ({MAIL_SERVER})"), "alex@example.com", "unproven"),
        (PASSED.replace("dmarc=pass", 'x="; dmarc=pass'), "alex@example.com", "unproven"),
        (PASSED.replace("header.from=example.com", "header.from=evil.example"), "alex@example.com", "unproven"),
        (PASSED.replace("example.com", "elsewhere.example"), "kim@elsewhere.example", "stranger"),
        ("", "kim@elsewhere.example", "stranger"),
    ],
)
def test_who_speaks_depends_on_what_our_own_mail_server_found(
    post: Post, headers: str, sender: str, proof: str
) -> None:
    assert post.comes(post.answer(headers=headers, sender=sender)) == "answer"
    (message,) = post.messages()
    assert message["by_mail"]["proof"] == proof
    assert message["role"] == ("system" if proof == "stranger" else "customer")
    assert (message["name"] == "Alex") is (proof != "stranger")


def test_without_a_mail_server_to_trust_nobody_is_proven(scene: Scene) -> None:
    scene.closed_chat()
    post = Post(scene, mail_server="")
    post.comes(post.answer())
    assert post.messages()[0]["by_mail"]["proof"] == "unproven"


@pytest.mark.parametrize("sender", ["alex@example.com", "kim@example.com"])
@pytest.mark.parametrize("headers", [FAILED, f"{FAILED}\r\n{PASSED}"])
def test_a_forged_sender_is_held_back_for_an_agent(post: Post, sender: str, headers: str) -> None:
    assert post.comes(post.answer(headers=headers, sender=sender)) == "quarantined"
    assert post.messages() == []
    assert post.status() == "closed"
    assert sender in post.notes()[0]
    assert post.mails()[0].raw


def test_two_senders_in_one_mail_are_nobody(post: Post) -> None:
    raw = post.answer().replace(b"From:", b"From: x@evil.example\r\nFrom:", 1)
    assert post.comes(raw) == "quarantined"


def test_a_colleague_answers_with_no_rights_of_the_customer(post: Post) -> None:
    post.comes(post.answer("I am Kim, Alex is ill.", sender="kim@example.net", headers=""))
    post.comes(post.answer("Green.", number=2))
    colleague, customer = post.messages()
    assert (colleague["name"], customer["name"]) == ("Somebody with the reply address", "Alex")


def test_the_same_mail_is_one_message_by_whatever_ways_it_comes(post: Post) -> None:
    raw = post.answer()
    assert [post.comes(raw), post.comes(raw)] == ["answer", "duplicate"]
    by_mailbox = b"Received: from mx\r\nDelivered-To: " + post.reply_address.encode() + b"\r\n" + raw
    assert post.receiver.receive(by_mailbox.replace(b"\r\n", b"\n")) == "duplicate"
    assert len(post.messages()) == 1
    assert post.comes(post.answer(number=2)) == "answer"


def test_the_token_works_in_upper_case_and_many_times(post: Post) -> None:
    for number in range(3):
        assert post.comes(post.answer(number=number), to=post.reply_address.upper()) == "answer"


def flipped(address: str) -> str:
    """The address with another last letter of its token."""
    local, _, domain = address.partition("@")
    return f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}"


def test_an_address_that_we_have_not_made_is_refused_at_once(post: Post) -> None:
    for address in (
        flipped(post.reply_address),
        "r+x@reply.example.com",
        "chat@elsewhere.example",
        f"r+{'a' * 26}@x.y",
    ):
        with pytest.raises(NotFound):
            post.receiver.check_recipient(address)
        with pytest.raises(NotFound):
            post.comes(post.answer(), to=address)
    post.receiver.check_recipient(post.reply_address)
    post.receiver.check_recipient(post.bounce_address)
    post.receiver.check_recipient("abuse@reply.example.com")


def test_a_link_or_an_address_in_the_text_leads_nowhere(post: Post) -> None:
    raw = post.answer(f"Please add this to {post.reply_address}, chat {post.scene.customer.chat_id}")
    with pytest.raises(NotFound):
        post.receiver.receive(raw.replace(f"To: {post.reply_address}".encode(), b"To: chat@example.com"), "x@y", "")


def test_an_erased_chat_says_so(post: Post) -> None:
    address, raw = post.reply_address, post.answer()
    post.scene.writer.write(lambda t: erase_chat(t, post.scene.customer.chat_id))
    for refused in (lambda: post.receiver.check_recipient(address), lambda: post.comes(raw)):
        with pytest.raises(Erased):
            refused()


def test_automatic_mails_are_noted_and_not_posted(post: Post) -> None:
    raw = post.answer("I am away.", headers="Auto-Submitted: auto-replied")
    assert [post.comes(raw), post.comes(raw, sender="")] == ["auto", "duplicate"]
    assert (post.messages(), post.status()) == ([], "closed")
    assert [mail.reason for mail in post.mails()] == ["Auto-Submitted: auto-replied"]


def test_a_mail_without_words_is_refused_with_a_sentence_for_its_sender(post: Post) -> None:
    with pytest.raises(Invalid, match="no words of yours"):
        post.comes(post.answer("On Mon, 23 Nov 2026 at 10:14, Acme wrote:\r\n> Which colour?"))
    assert (post.mails(), post.status()) == ([], "closed")


def test_what_goes_round_in_a_circle_is_slowed_down_and_not_lost(post: Post) -> None:
    for number in range(MOST_AN_HOUR):
        post.comes(post.answer(f"Round {number}", number=number))
    with pytest.raises(RateLimited):
        post.comes(post.answer("Round and round", number=1000))
    assert len(post.messages()) == len(post.mails()) == MOST_AN_HOUR
