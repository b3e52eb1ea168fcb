"""What mail servers say about a mail that we sent: that it came back, waits, or arrived (RFC 3464, and the free text of
qmail, old Exim and others), or that its recipient complained (RFC 5965). Called by `receiver.py`; pure.

What a report says is believed only if it names one of our mails by something that only its receivers can know; that is
looked up by whoever calls.
"""

import re
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses
from typing import Literal

from history.clean import one_line
from history.mail.receive.reading import ReadMail, children, header

ReportKind = Literal["bounce", "delay", "success", "complaint"]

ACTIONS: dict[str, ReportKind] = {
    "failed": "bounce",
    "delayed": "delay",
    "delivered": "success",
    "relayed": "success",
    "expanded": "success",
}
CLASSES: dict[str, ReportKind] = {"5": "bounce", "4": "delay", "2": "success"}

DAEMON = re.compile(r"^(mailer-?daemon|postmaster|mdaemon|mail-?delivery\S*)@")
COMPLAINTS = ("abuse", "fraud", "virus", "opt-out", "opt-out-list", "complaint")
"""Feedback types that mean that the recipient does not want this; others, such as not-spam, do not."""

ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
BASIC = re.compile(r"(?<![\d.])([45])\d\d(?=[ -])")
UNKNOWN_ADDRESS = re.compile(
    r"(user|mailbox|recipient|address|account)\s+(is\s+|was\s+)?(unknown|not found|does(n't| not) exist|not exist"
    r"|invalid|unavailable)|unknown (user|address|recipient)|no such (user|mailbox|recipient|person|address|account)"
    r"|no mailbox here|unrouteable address|couldn't be found|wasn't found",
    re.IGNORECASE,
)
FULL_MAILBOX = re.compile(r"(mailbox|quota|inbox)\S*\s+(is\s+)?(full|exceeded)|over ?quota", re.IGNORECASE)
WAITS = re.compile(
    r"delay|not yet (been )?delivered|will (be retried|keep trying|retry)|still (trying|being retried)"
    r"|do not need to resend|warning:|temporar",
    re.IGNORECASE,
)
GAVE_UP = re.compile(
    r"permanent|giv(e|en|ing) up|gave up|undeliver|could not be delivered|couldn't be delivered|failed|failure|returned"
    r"|unable to deliver|wasn't able to deliver|did not reach|not delivered|expired|bounced",
    re.IGNORECASE,
)
PERMANENT = re.compile(r"permanent (error|failure)|giving up|gave up|given up|has been returned", re.IGNORECASE)
COPY_BELOW = re.compile(r"^\W*(below this line|this is a copy|original message)", re.IGNORECASE | re.MULTILINE)

DETAIL_LETTERS = 300
FREE_TEXT_LETTERS = 4000


@dataclass(frozen=True, slots=True)
class Report:
    """`status` is an enhanced status code (RFC 3463) or the feedback type. `tokens` are texts that may hold the token
    of our mail's envelope, the surest first; `message_ids` those of returned headers."""

    kind: ReportKind
    status: str = ""
    detail: str = ""
    recipients: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()


def read_report(mail: ReadMail, envelope_sender: str | None) -> Report | None:
    """The report that the mail is; None if it is none."""
    message = mail.message
    parts = list(message.walk())
    returned = returned_headers(parts)
    if complaint := complaint_in(parts, returned):
        return complaint
    if status := next((part for part in parts if part.get_content_type() == "message/delivery-status"), None):
        return delivery_status(status, returned)
    failed = header(message, "X-Failed-Recipients")
    from_daemon = envelope_sender == "" or header(message, "Return-Path") == "<>" or DAEMON.match(mail.sender)
    return free_text(mail, failed, returned) if failed or from_daemon else None


def returned_headers(parts: list["Message[str, str]"]) -> list["Message[str, str]"]:
    """The headers of mails that the report brings back."""
    found = []
    for part in parts:
        if part.get_content_type() == "text/rfc822-headers":
            found.append(headers_of(str(part.get_payload())))
        elif part.get_content_type() in ("message/rfc822", "message/global"):
            found += children(part)[:1]
    return found


def headers_of(text: str) -> "Message[str, str]":
    message: Message[str, str] = Message()
    for name, value in re.findall(r"^([\w-]+):[ \t]*((?:.*)(?:\r?\n[ \t].*)*)", text, re.MULTILINE):
        message[name] = " ".join(value.split())
    return message


def message_ids(returned: list["Message[str, str]"]) -> tuple[str, ...]:
    return tuple(filter(None, (header(one, "Message-ID") for one in returned)))


def complaint_in(parts: list["Message[str, str]"], returned: list["Message[str, str]"]) -> Report | None:
    feedback = next((part for part in parts if part.get_content_type() == "message/feedback-report"), None)
    if feedback is not None:
        fields = headers_of(feedback_text(feedback))
        kind = header(fields, "Feedback-Type").lower()
        if kind not in COMPLAINTS:
            return None
        return Report(
            "complaint",
            kind,
            header(fields, "User-Agent")[:DETAIL_LETTERS],
            addresses(header(fields, "Original-Rcpt-To")),
            (header(fields, "Original-Envelope-Id"), header(fields, "Original-Mail-From")),
            message_ids(returned),
        )
    hotmail = next((one for one in returned if one.get("X-HmXmrOriginalRecipient")), None)
    if hotmail is None:
        return None
    recipients = addresses(header(hotmail, "X-HmXmrOriginalRecipient"))
    return Report("complaint", "abuse", "", recipients, (), message_ids(returned))


def feedback_text(part: "Message[str, str]") -> str:
    """The fields of a part that the parser takes for a mail, or leaves as text."""
    inner = children(part)
    return inner[0].as_string() if inner else str(part.get_payload())


def delivery_status(part: "Message[str, str]", returned: list["Message[str, str]"]) -> Report | None:
    """The first recipient that has an outcome; our mails have one recipient."""
    blocks = children(part)
    of_mail = blocks[0] if blocks else Message()
    for block in blocks:
        action = header(block, "Action").lower().partition(" ")[0]
        diagnostic = header(block, "Diagnostic-Code")
        status = finer_status(header(block, "Status"), diagnostic)
        kind = ACTIONS.get(action) or CLASSES.get(status[:1])
        if kind is None:
            continue
        named = (header(block, name).partition(";")[2] for name in ("Original-Recipient", "Final-Recipient"))
        return Report(
            kind,
            status,
            one_line(diagnostic.partition(";")[2] or diagnostic)[:DETAIL_LETTERS],
            tuple(filter(None, (one_line(name).lower() for name in named))),
            (header(of_mail, "Original-Envelope-Id"),),
            message_ids(returned),
        )
    return None


def finer_status(status: str, diagnostic: str) -> str:
    """The status; where it says no more than its class, the one in the other side's words."""
    given, told = ENHANCED.search(status), ENHANCED.search(diagnostic)
    if told and (given is None or (given[0].endswith(".0.0") and told[1] == given[1])):
        return told[0]
    if given is None and (basic := BASIC.search(diagnostic)):
        return f"{basic[1]}.0.0"
    return given[0] if given else ""


def free_text(mail: ReadMail, failed: str, returned: list["Message[str, str]"]) -> Report | None:
    """What a program says in sentences; None if it says nothing about a delivery."""
    text = mail.text[:FREE_TEXT_LETTERS]
    if copy := COPY_BELOW.search(text):
        text = text[: copy.start()]
    said = f"{header(mail.message, 'Subject')}\n{text}"
    status = free_status(text)
    gave_up, waits = bool(GAVE_UP.search(said)), bool(WAITS.search(said))
    if not (gave_up or waits) or header(mail.message, "Auto-Submitted").startswith("auto-replied"):
        return None
    kind: ReportKind = "delay" if waits and not status.startswith("5") and not PERMANENT.search(said) else "bounce"
    ids = tuple(re.findall(r"^Message-ID:\s*(<[^<>\s]+>)", mail.text, re.IGNORECASE | re.MULTILINE))
    return Report(
        kind,
        status,
        line_with(status, text)[:DETAIL_LETTERS],
        addresses(failed) or addresses_in_text(text),
        (),
        message_ids(returned) + ids,
    )


def free_status(text: str) -> str:
    """The status in a text: its own code, or what its words mean; without either, the class of an SMTP code."""
    if enhanced := ENHANCED.search(text):
        return enhanced[0]
    if UNKNOWN_ADDRESS.search(text):
        return "5.1.1"
    if FULL_MAILBOX.search(text):
        return "5.2.2"
    basic = BASIC.search(text)
    return f"{basic[1]}.0.0" if basic else ""


def line_with(status: str, text: str) -> str:
    lines = [one_line(line) for line in text.split("\n")]
    return next((line for line in lines if status and status in line), next(filter(None, lines), ""))


def addresses(field: str) -> tuple[str, ...]:
    return tuple(address.lower() for _, address in getaddresses([field.rpartition(";")[2]]) if "@" in address)


def addresses_in_text(text: str) -> tuple[str, ...]:
    return tuple(found.lower() for found in re.findall(r"^\s*<?([^\s<>@]+@[^\s<>@:]+)>?:?\s*$", text, re.MULTILINE))
