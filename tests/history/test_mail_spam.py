"""Our mails before spam filters, in every kind and language: as they are, and signed and delivered by a relay."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

import pytest

from tests.history.letters import mails
from tests.history.mail_server import read
from tests.history.relay import Relay, name_server
from tests.history.spam_filters import Judge, Judgement, rspamd, spamassassin
from tests.set_up import SIGNATURES, wanted

MOST_UNSIGNED, MOST_SIGNED = 0.1, 0.0
"""Points of SpamAssassin."""

LONG = "long-ja"
"""Takes SpamAssassin as long as ten others, and is of a kind and language that is judged anyway."""

MOST_ADDED = 0.3
"""Points of Rspamd, more than a mail in which nothing is said."""

SPAMASSASSIN_BELIEVES = {"SPF_PASS", "DKIM_VALID", "DKIM_VALID_AU"}
RSPAMD_BELIEVES = {"R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"}


@pytest.fixture(scope="module")
def relay() -> Relay:
    return Relay.new()


@pytest.fixture(scope="module")
def dns(relay: Relay) -> Iterator[int]:
    with name_server(relay.records) as port:
        yield port


@pytest.fixture(scope="module")
def delivered(relay: Relay) -> Mapping[str, bytes]:
    return {name: relay.deliver(mail) for name, mail in mails().items()}


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with spamassassin(tmp_path_factory.mktemp("offline")) as judge:
        yield judge


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory, dns: int) -> Iterator[Judge]:
    wanted(SIGNATURES)
    with spamassassin(tmp_path_factory.mktemp("online"), dns) as judge:
        yield judge


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, dns: int) -> Iterator[Judge]:
    with rspamd(tmp_path_factory.mktemp("rspamd"), dns) as judge:
        yield judge


def judgements(judge: Judge, shown: Mapping[str, bytes]) -> dict[str, Judgement]:
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(shown, pool.map(judge, shown.values()), strict=True))


def without(header: bytes, mail: bytes) -> bytes:
    return b"\r\n".join(line for line in mail.split(b"\r\n") if not line.startswith(header + b":"))


def loud(mail: bytes) -> bytes:
    return re.sub(rb"^Subject: .*", b"Subject: WIN MONEY NOW WITH US\r", mail, count=1, flags=re.MULTILINE)


def silent(mail: bytes) -> bytes:
    """A mail from and to the same people, at the same time, in which nothing is said."""
    ours, empty = read(mail), EmailMessage()
    for name in ("Date", "From", "To", "Message-ID"):
        empty[name] = ours[name]
    empty["Subject"] = "Hello"
    empty.set_content("")
    return bytes(empty).replace(b"\n", b"\r\n")


def test_no_kind_in_any_language_looks_like_spam(offline: Judge) -> None:
    found = judgements(offline, mails())
    assert {name: judged for name, judged in found.items() if judged.points > MOST_UNSIGNED} == {}


def test_spamassassin_bites(offline: Judge) -> None:
    assert offline(without(b"Date", loud(mails()["transcript-en"]))).points > 1


def test_spamassassin_believes_who_has_sent_them(online: Judge, delivered: Mapping[str, bytes]) -> None:
    found = judgements(online, {name: mail for name, mail in delivered.items() if name != LONG})
    assert {name: judged for name, judged in found.items() if judged.points > MOST_SIGNED} == {}
    assert {name: judged for name, judged in found.items() if not judged.reasons.keys() >= SPAMASSASSIN_BELIEVES} == {}


def test_spamassassin_believes_no_signature_of_other_words(online: Judge, delivered: Mapping[str, bytes]) -> None:
    changed = delivered["transcript-en"].replace(b"Marlow &amp; Finch", b"Marlow &amp; Fynch", 1)
    assert changed != delivered["transcript-en"]
    assert {"DKIM_VALID", "DKIM_INVALID"} & online(changed).reasons.keys() == {"DKIM_INVALID"}


def test_rspamd_finds_hardly_more_in_them_than_in_a_mail_that_says_nothing(
    other: Judge, relay: Relay, delivered: Mapping[str, bytes]
) -> None:
    empty = other(relay.deliver(silent(mails()["transcript-en"])))
    found = judgements(other, delivered)
    added = {name: judged for name, judged in found.items() if judged.points - empty.points > MOST_ADDED}
    assert added == {}, empty
    assert {name: judged for name, judged in found.items() if not judged.reasons.keys() >= RSPAMD_BELIEVES} == {}


def test_rspamd_bites(other: Judge, relay: Relay) -> None:
    mail = mails()["transcript-en"]
    good = other(relay.deliver(mail)).points
    assert other(relay.deliver(without(b"Message-ID", mail))).points > good + MOST_ADDED
    assert other(relay.deliver(loud(mail))).points > good + MOST_ADDED
