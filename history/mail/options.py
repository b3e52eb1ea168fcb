"""What can be set about mail, in and out. Part of the settings in `app.py`; others see only values made of it."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field, field_validator

from history.mail.addresses import check_pattern
from history.mail.smtp import MailSettings

if TYPE_CHECKING:  # the extra `replies` may not be here
    from history.mail.receive.mailbox import MailboxSettings


class MailOptions(BaseModel):
    """The settings about mail."""

    mail_from: str = Field("chat@localhost.example", description="The sender of mails")
    reply_address: str = Field(
        "", description="Where answers to mails go, such as r+{token}@reply.example.com; empty: nowhere"
    )
    bounce_address: str = Field(
        "", description="Where bounces go, such as b+{token}@bounce.example.com; empty: to the sender"
    )
    postal_address: str = Field("", description="The postal address in the footer of mails")
    privacy_url: str = Field("", description="The privacy notice that the footer of mails leads to")
    smtp_host: str = Field("", description="The mail server; empty: mails are files in the folder, seen at /outbox")
    smtp_port: int = Field(587, ge=1, le=65535, description="The mail server's port")
    smtp_user: str = Field("", description="The mail server's user, if it wants one")
    smtp_password: str = Field("", description="The mail server's password")
    smtp_tls: Literal["starttls", "implicit", "none"] = Field("starttls", description="How mail is encrypted")
    smtp_utf8: bool = Field(
        False, description="Whether the mail server takes addresses with letters beyond ASCII before the @"
    )
    away_mail_seconds: int = Field(
        120, ge=0, description="After how long an unread answer is mailed to the customer; 0: never"
    )
    mails_per_network: int = Field(
        20, ge=1, description="Mails a day that customers of one network may cause to addresses that nothing proves"
    )
    mail_success_reports: bool = Field(
        False, description="Whether the mail server is asked to report what was delivered, which settles mails in doubt"
    )
    mail_in_doubt: Literal["resend", "hold"] = Field(
        "resend", description="A mail that may or may not have been taken: sent once more after 15 minutes, or held"
    )
    replies_listen: str = Field(
        "",
        description="Where your mail server hands over mails by LMTP or SMTP: HOST:PORT or unix:PATH; empty: nowhere",
    )
    replies_trust: str = Field(
        "", description="Your mail server's name in its Authentication-Results; empty: no sender counts as proven"
    )
    imap_host: str = Field("", description="The server of a mailbox in which mails arrive; empty: none is looked into")
    imap_port: int = Field(993, ge=1, le=65535, description="The mailbox server's port")
    imap_user: str = Field("", description="The mailbox's user")
    imap_password: str = Field("", description="The mailbox's password")
    imap_tls: Literal["implicit", "starttls", "none"] = Field("implicit", description="How the mailbox is encrypted")
    imap_folder: str = Field("INBOX", description="The mailbox's folder")
    imap_seconds: float = Field(20, gt=0, description="How often the mailbox is looked into")

    @field_validator("reply_address", "bounce_address")
    @classmethod
    def check_token_address(cls, value: str) -> str:
        if value:
            check_pattern(value)
        return value

    @field_validator("replies_listen")
    @classmethod
    def check_replies_listen(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (value.startswith("unix:/") or (host and port.isdecimal())):
            raise ValueError("must be HOST:PORT or unix:/PATH")
        return check_extra(value, "aiosmtpd", "replies")

    @field_validator("imap_host")
    @classmethod
    def check_imap_host(cls, value: str) -> str:
        return check_extra(value, "imap_tools", "replies")

    def smtp(self, domain: str) -> MailSettings:
        """The mail server, to which we are known as `domain`."""
        return MailSettings(
            name=domain,
            host=self.smtp_host,
            port=self.smtp_port,
            user=self.smtp_user,
            password=self.smtp_password,
            tls=self.smtp_tls,
            success_reports=self.mail_success_reports,
        )

    def mailbox(self) -> "MailboxSettings":
        """The mailbox in which mails arrive."""
        from history.mail.receive.mailbox import MailboxSettings

        return MailboxSettings(
            host=self.imap_host,
            port=self.imap_port,
            user=self.imap_user,
            password=self.imap_password,
            tls=self.imap_tls,
            folder=self.imap_folder,
            every_s=self.imap_seconds,
        )


def check_extra(value: str, module: str, extra: str) -> str:
    """`value`, if it is empty or the package that it needs is here."""
    if value and find_spec(module) is None:
        raise ValueError(f"needs an extra: pip install stillhere[{extra}]")
    return value
