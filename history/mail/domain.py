"""What a domain must publish so that its mails are believed, and what a receiver of a mail found. Pure; for
`stillhere mail check`.

A receiver writes what it found into Authentication-Results (RFC 8601), on top of the mail; fields further down may be
anybody's, so only the uppermost counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

from history.errors import Invalid
from history.mail.receive.senders import server_of, without_comments

METHODS = ("spf", "dkim", "dmarc")

RESULT = re.compile(r"\s*([a-z0-9-]+)(?:/\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
ABOUT = re.compile(
    r"\b(?:smtp\.mailfrom|smtp\.helo|header\.d|header\.i|header\.from)\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE
)
SIGNED_BY = re.compile(r"\b([ds])\s*=\s*([^\s;]+)")

ADVICE = {
    "spf": "SPF: publish which servers may send for the domain of the envelope, which is that of the bounce address",
    "dkim": "DKIM: let the mail server sign with the domain of the sender, and publish its key",
    "dmarc": "DMARC: publish a policy; SPF or DKIM must pass with the domain that the sender's address has",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a receiver found by one method: pass, fail, none or another word; and about which domain or address."""

    method: str
    result: str
    about: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings of the receiver `receiver`, and who signed the mail: (selector, domain)."""

    receiver: str
    findings: tuple[Finding, ...]
    signer: tuple[str, str] | None

    @property
    def lacking(self) -> list[str]:
        """The methods by which the mail was not found good."""
        good = {finding.method for finding in self.findings if finding.result == "pass"}
        return [method for method in METHODS if method not in good]


def verdict_on(content: bytes) -> Verdict:
    """What the receiver of a mail found, by its bytes as they lay in the mailbox. Raises Invalid if it says nothing."""
    mail = message_from_bytes(content)
    field = str(mail.get("Authentication-Results", ""))
    if not field.strip():
        raise Invalid(
            "The mail has no Authentication-Results: save it from another provider's mailbox, with all headers"
        )
    results = without_comments(field).split(";")[1:]
    return Verdict(server_of(field), tuple(findings_in(results)), signer_of(mail))


def findings_in(results: list[str]) -> Iterator[Finding]:
    for result in results:
        found, about = RESULT.match(result), ABOUT.search(result)
        if found and found[1].lower() in METHODS:
            yield Finding(found[1].lower(), found[2].lower(), about[1] if about else "")


def signer_of(mail: Message) -> tuple[str, str] | None:
    tags = dict(SIGNED_BY.findall(str(mail.get("DKIM-Signature", ""))))
    return (tags["s"], tags["d"]) if tags.keys() >= {"s", "d"} else None


def dns_records(sender: str, reply: str, bounce: str, mail_server: str, signer: tuple[str, str] | None) -> list[str]:
    """What to publish, as lines of a zone file, for the sender's, the reply and the bounce address (empty where there
    is none). What only the operator knows stands in angle brackets.
    """
    domain = domain_of(sender)
    envelope = domain_of(bounce) or domain
    server = mail_server or "<your mail server>"
    selector, signing = signer or ("<selector>", domain)
    receiving = sorted({domain_of(address) for address in (reply, bounce)} - {""})
    return [
        f'{envelope}. IN TXT "v=spf1 a:{server} -all"',
        f'{selector}._domainkey.{signing}. IN TXT "v=DKIM1; k=rsa; p=<the public key of your mail server>"',
        f'_dmarc.{domain}. IN TXT "v=DMARC1; p=quarantine; adkim=r; aspf=r; rua=mailto:postmaster@{domain}"',
        *(f"{name}. IN MX 10 <the server that receives for Stillhere>." for name in receiving),
    ]


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()
