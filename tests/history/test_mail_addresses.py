"""Reply addresses and bounce tokens: found again in whatever form they come back, and good for nothing else."""

import pytest

from history.errors import Erased, NotFound
from history.mail.addresses import (
    MailAddresses,
    check_pattern,
    find_bounced,
    find_reply,
    mac,
    make_reply_addresses,
    reply_token_in,
)
from history.outbox import recipient_hash
from history.privacy import erase_chat
from tests.history.scene import ADDRESS, Scene

OURS = MailAddresses(
    ("new key", "old key"), "chat@example.com", "r+{token}@reply.example.com", "b+{token}@b.example.com"
)


def reply_address(scene: Scene, addresses: MailAddresses = OURS) -> str:
    scene.closed_chat()
    item_id = scene.items()[-1].id
    return scene.writer.write(lambda t: make_reply_addresses(t, addresses, [item_id])[0])


def found(scene: Scene, address: str, addresses: MailAddresses = OURS) -> str:
    with scene.store.reading() as driver:
        target = find_reply(driver, addresses, address)
    assert target.recipient_hash == recipient_hash(ADDRESS)
    return target.chat_id


def test_an_answer_finds_its_chat_again_and_again(scene: Scene) -> None:
    address = reply_address(scene)
    assert address.startswith("r+") and address.endswith("@reply.example.com") and address == address.lower()
    for form in (address, address.upper(), address.replace("reply.example.com", "former.example.org")):
        assert found(scene, form) == scene.customer.chat_id


def test_without_a_reply_address_nothing_is_made(scene: Scene) -> None:
    assert reply_address(scene, MailAddresses(("key",), "chat@example.com")) == ""


def test_a_key_that_is_newer_strands_no_answer(scene: Scene) -> None:
    address = reply_address(scene, MailAddresses(("old key",), "chat@example.com", OURS.reply))
    assert found(scene, address) == scene.customer.chat_id


def test_a_letter_that_is_wrong_is_refused_before_the_database_is_asked() -> None:
    part = "abcdefghijklmnopqrst"
    token = part + mac("new key", part)
    assert reply_token_in(OURS, f"r+{token}@reply.example.com") == token
    for at, letter in enumerate(token):
        wrong = token[:at] + ("7" if letter != "7" else "6") + token[at + 1 :]
        assert reply_token_in(OURS, f"r+{wrong}@reply.example.com") is None


def test_a_token_of_ours_that_no_mail_has_is_unknown(scene: Scene) -> None:
    address = reply_address(scene)
    scene.writer.write(lambda t: t.driver.run("DELETE FROM mail_reply_token"))
    with pytest.raises(NotFound):
        found(scene, address)


def test_an_answer_to_an_erased_chat_is_told_so(scene: Scene) -> None:
    address = reply_address(scene)
    scene.writer.write(lambda t: erase_chat(t, scene.customer.chat_id))
    with pytest.raises(Erased):
        found(scene, address)


def test_an_address_that_was_revoked_is_told_so(scene: Scene) -> None:
    address = reply_address(scene)
    scene.writer.write(lambda t: t.driver.run("UPDATE mail_reply_token SET revoked_ms = 1"))
    with pytest.raises(Erased):
        found(scene, address)


def test_a_bounce_finds_its_mail(scene: Scene) -> None:
    scene.closed_chat()
    (item,) = scene.items()
    sender = OURS.envelope_sender(item.bounce_token)
    assert sender == f"b+{item.bounce_token}@b.example.com"
    with scene.store.reading() as driver:
        assert find_bounced(driver, sender.upper()) == find_bounced(driver, item.bounce_token) == item.id
        assert find_bounced(driver, "b+abcdefghijklmnopqrstuvwxyz@b.example.com") is None


def test_without_a_bounce_address_mails_come_from_where_people_write() -> None:
    assert MailAddresses(("key",), "chat@example.com").envelope_sender("abc") == "chat@example.com"


@pytest.mark.parametrize(
    "pattern",
    [
        "reply@example.com",
        "r@{token}.example.com",
        "r+{token}",
        "{token}{token}@example.com",
        f"{'r' * 39}{{token}}@example.com",
    ],
)
def test_a_pattern_without_room_for_a_token_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        check_pattern(pattern)
