"""Our mails, signed and sent on by a relay, before those who look whether they are from whom they say: what `stillhere
mail check` tells to publish is enough that a receiver believes them, and no word of them can be changed on the way.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.history.letters import mails
from tests.history.relay import DOMAIN, Relay, received
from tests.node import ask_judge

BELIEVED = {
    "dkim": ["pass"],
    "spf": "pass",
    "dmarc": "pass",
    "aligned": {"spf": f"bounce.{DOMAIN}", "dkim": DOMAIN},
}
MAIL = "transcript-en"


@pytest.fixture(scope="module")
def relay() -> Relay:
    return Relay.new()


@pytest.fixture(scope="module")
def signed(relay: Relay) -> Mapping[str, bytes]:
    return {name: relay.sign(mail) for name, mail in mails().items()}


@pytest.fixture(scope="module")
def changed(signed: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """One of the mails, with which somebody meddled behind the relay."""
    mail = signed[MAIL]
    end = len(mail.rstrip(b"\r\n-"))
    return {
        "a letter": mail.replace(b"Marlow &amp; Finch", b"Marlow &amp; Fynch", 1),
        "the last byte": mail[: end - 1] + bytes([mail[end - 1] ^ 1]) + mail[end:],
        "the subject": mail.replace(b"Subject: Your", b"Subject: Our", 1),
        "another subject": b"Subject: Win money\r\n" + mail,
        "another sender": b"From: somebody@example.net\r\n" + mail,
        "another reply address": b"Reply-To: somebody@example.net\r\n" + mail,
    }


def authenticated(relay: Relay, arrived: Mapping[str, bytes], folder: Path) -> dict[str, Any]:
    """What mailauth finds, by the mails' names."""
    (folder / "records.json").write_text(json.dumps(relay.records))
    for name, mail in arrived.items():
        (folder / f"{name}.eml").write_bytes(mail)
    return ask_judge("authenticate.mjs", folder / "records.json", *(folder / f"{name}.eml" for name in arrived))


def test_a_receiver_believes_every_kind_in_every_language(
    relay: Relay, signed: Mapping[str, bytes], tmp_path: Path
) -> None:
    found = authenticated(relay, {name: received(mail) for name, mail in signed.items()}, tmp_path)
    assert found.keys() == mails().keys()
    assert {name: findings for name, findings in found.items() if findings != BELIEVED} == {}


def test_two_find_the_same_signatures_good(relay: Relay, signed: Mapping[str, bytes]) -> None:
    assert [name for name, mail in signed.items() if not relay.has_signed(mail)] == []


def test_no_signature_is_believed_where_anything_was_changed(
    relay: Relay, signed: Mapping[str, bytes], changed: Mapping[str, bytes], tmp_path: Path
) -> None:
    assert signed[MAIL] not in changed.values()
    assert [name for name, mail in changed.items() if relay.has_signed(mail)] == []
    found = authenticated(relay, {name: received(mail) for name, mail in changed.items()}, tmp_path)
    assert {name: findings["dkim"] for name, findings in found.items() if findings["dkim"] == ["pass"]} == {}


def test_who_sends_from_elsewhere_or_without_our_key_is_not_believed(
    relay: Relay, signed: Mapping[str, bytes], tmp_path: Path
) -> None:
    stranger = Relay.new()
    elsewhere = {
        "sent on": received(signed[MAIL], by_way_of="198.18.0.26"),
        "made up": received(stranger.sign(mails()[MAIL]), by_way_of="198.18.0.26"),
    }
    found = authenticated(relay, elsewhere, tmp_path)
    assert {name: (one["spf"], one["dkim"] == ["pass"], one["dmarc"]) for name, one in found.items()} == {
        "sent on": ("fail", True, "pass"),
        "made up": ("fail", False, "fail"),
    }
