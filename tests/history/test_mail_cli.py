"""The commands about mail: looking at one, sending one, and what a receiver found."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result

from history.errors import Invalid, NotFound
from history.mail.addresses import MailAddresses
from history.mail.cli import Post, make_command
from history.mail.domain import Finding, dns_records, verdict_on
from history.mail.prepare import House
from history.mail.samples import SAMPLES
from history.mail.send import Files
from history.mail.smtp import Connection, MailSettings
from tests.history.mail_server import MailServer, part_of, read
from tests.history.scene import DOMAIN, Scene

HOUSE = House(
    brand="Acme",
    domain=DOMAIN,
    public_url="https://chat.example.com",
    addresses=MailAddresses(("k" * 32,), "chat@example.com", bounce="b+{token}@bounce.example.com"),
    make_link=lambda *_: "https://chat.example.com/link#never",
    make_code=lambda *_: "never",
    link_life_ms=1,
)

SEEN = b"""Authentication-Results: mx.receiver.example 1; spf=pass (a (b) c) smtp.mailfrom=b+x@bounce.example.com;
 dkim=pass header.d=example.com header.s=s1; dmarc=fail (p=none) header.from=example.com
Authentication-Results: mx.receiver.example; dmarc=pass
DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1; b=abc
From: chat@example.com

Hi
"""

Run = Callable[..., Result]


@pytest.fixture
def command(scene: Scene, files: Files) -> Command:
    return make_command(lambda: Post(HOUSE, lambda: files, "mail.example.com", scene.store))


@pytest.fixture
def run(command: Command) -> Run:
    return lambda *arguments: CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_preview_is_a_mail_its_page_or_its_text(run: Run, tmp_path: Path, kind: str) -> None:
    for suffix in ("eml", "html", "txt"):
        assert run("preview", tmp_path / f"mail.{suffix}", "--kind", kind, "--language", "de").exit_code == 0
    mail = read((tmp_path / "mail.eml").read_bytes())
    assert "Acme" in mail["Subject"]
    assert part_of(mail, "html").strip() == (tmp_path / "mail.html").read_text().strip()
    assert part_of(mail, "plain").strip() == (tmp_path / "mail.txt").read_text().strip()


def test_a_preview_of_another_kind_of_file_is_refused(run: Run, tmp_path: Path) -> None:
    assert isinstance(run("preview", tmp_path / "mail.doc").exception, Invalid)
    assert list(tmp_path.glob("*.doc")) == []


def test_a_preview_may_be_of_a_chat_and_makes_no_key_to_it(run: Run, scene: Scene, tmp_path: Path) -> None:
    scene.closed_chat()
    assert run("preview", tmp_path / "mail.txt", "--chat", scene.customer.chat_id).exit_code == 0
    text = (tmp_path / "mail.txt").read_text()
    assert "Here I am" in text and "https://chat.example.com/link#sample" in text
    assert isinstance(run("preview", tmp_path / "no.txt", "--chat", "nothing").exception, NotFound)


def test_a_test_mail_goes_the_way_of_all_mails(scene: Scene, smtp: MailSettings, mail_server: MailServer) -> None:
    command = make_command(lambda: Post(HOUSE, lambda: Connection(smtp), smtp.host, scene.store))
    sent = CliRunner().invoke(command, ["send-test", "me@example.org"])
    assert sent.exit_code == 0, sent.output
    (content,) = mail_server.orders.taken
    assert read(content)["To"] == "me@example.org"
    mail_server.orders.rcpt = "550 nobody of this name"
    refused = CliRunner().invoke(command, ["send-test", "me@example.org"])
    assert refused.exit_code == 1
    assert "came as far as `rcpt`: nobody of this name" in refused.output


def test_without_a_server_a_test_mail_is_a_file(run: Run, files: Files) -> None:
    assert run("send-test", "me@example.org").exit_code == 0
    assert len(list(files.folder.glob("*.eml"))) == 1


def test_an_address_that_cannot_be_written_to_is_refused_before_anything_is_sent(run: Run, files: Files) -> None:
    assert isinstance(run("send-test", "nobody").exception, Invalid)
    assert not files.folder.exists()


def test_only_the_uppermost_results_count() -> None:
    verdict = verdict_on(SEEN.replace(b"\n", b"\r\n"))
    assert verdict.receiver == "mx.receiver.example"
    assert verdict.findings == (
        Finding("spf", "pass", "b+x@bounce.example.com"),
        Finding("dkim", "pass", "example.com"),
        Finding("dmarc", "fail", "example.com"),
    )
    assert verdict.lacking == ["dmarc"]
    assert verdict.signer == ("s1", "example.com")


def test_the_check_tells_what_was_found_and_what_to_publish(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mail.eml").write_bytes(SEEN)
    found = run("check", tmp_path / "mail.eml")
    assert found.exit_code == 1
    assert "As mx.receiver.example saw it:" in found.output
    assert "dmarc  fail" in found.output and "DMARC: publish a policy" in found.output
    assert 's1._domainkey.example.com. IN TXT "v=DKIM1' in found.output
    (tmp_path / "mail.eml").write_bytes(SEEN.replace(b"dmarc=fail", b"dmarc=pass"))
    assert run("check", tmp_path / "mail.eml").exit_code == 0
    assert run("check").exit_code == 0


def test_a_mail_that_nobody_received_yet_says_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mail.eml").write_bytes(b"From: a@example.com\n\nHi\n")
    assert isinstance(run("check", tmp_path / "mail.eml").exception, Invalid)


def test_records_are_those_of_the_domains_that_are_used() -> None:
    lines = dns_records(
        "chat@example.com", "r+{token}@reply.example.com", "b+{token}@bounce.example.com", "smtp.x", None
    )
    assert [line.split(" IN ")[0] for line in lines] == [
        "bounce.example.com.",
        "<selector>._domainkey.example.com.",
        "_dmarc.example.com.",
        "bounce.example.com.",
        "reply.example.com.",
    ]
    assert 'bounce.example.com. IN TXT "v=spf1 a:smtp.x -all"' in lines
