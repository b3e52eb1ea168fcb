"""A post office on loopback: a real Postfix that takes mail and hands it on, a real Dovecot with mailboxes. It has its
own folders and ports, knows no other host, and is closed in the end. Needs root, as Postfix does.

    office.hand_in(sender, recipient, text)      a mail program sends a mail (swaks)
    office.mails_of(user)                        what lies in a mailbox
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from imap_tools import MailBoxUnencrypted

from tests.servers import free_port
from tests.set_up import POST_OFFICE, find, wanted

PATIENCE_S = 30
PASSWORD = "secret"
HOME = "marlow.example"
REPLIES, BOUNCES = f"reply.{HOME}", f"bounce.{HOME}"
ELSEWHERE = "example.net"
"""Where customers have their mailboxes; mail to others there comes back."""

USERS = (f"alex@{ELSEWHERE}", f"replies@{HOME}")

RESULTS = f"Authentication-Results: mx.{HOME}; dmarc=pass header.from={ELSEWHERE}"
"""What the office writes into mails of the first user, as a filter that asks the DNS would."""

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
myhostname = mx.{home}
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relay_domains = {replies}, {bounces}
virtual_mailbox_domains = {elsewhere}, {home}
virtual_transport = lmtp:inet:127.0.0.1:{dovecot}
transport_maps = inline:{{ {{ {replies} = {listener} }}, {{ {bounces} = {listener} }} }}
smtpd_sender_restrictions = check_sender_access inline:{{ {{ {vouched} = PREPEND {results} }} }}
lmtp_destination_recipient_limit = 1
default_transport = error:there is no other host
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
"""
MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
recipient_delimiter = +
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {dovecot}
  }}
}}
"""


@dataclass
class PostOffice:
    """The ports are where Postfix takes mail, Dovecot takes it for mailboxes and shows them, and where Stillhere is to
    listen for answers and bounces."""

    folder: Path
    smtp: int = field(default_factory=free_port)
    dovecot: int = field(default_factory=free_port)
    imap: int = field(default_factory=free_port)
    stillhere: int = field(default_factory=free_port)

    @property
    def listener(self) -> str:
        return f"lmtp:inet:127.0.0.1:{self.stillhere}"

    @property
    def settings(self) -> dict[str, str]:
        """Of a server that mails by this office."""
        return {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.smtp),
            "SMTP_TLS": "none",
            "MAIL_FROM": f"chat@{HOME}",
            "BOUNCE_ADDRESS": f"b+{{token}}@{BOUNCES}",
            "REPLY_ADDRESS": f"r+{{token}}@{REPLIES}",
            "REPLIES_TRUST": f"mx.{HOME}",
            "REPLIES_LISTEN": f"127.0.0.1:{self.stillhere}",
            "SETTLE_SECONDS": "0",
            "BRAND": "Marlow & Finch",
        }

    def hand_in(self, sender: str, recipient: str, text: str, *headers: str) -> None:
        """A mail program sends a mail."""
        swaks = find("swaks")
        assert swaks
        where = ["--server", "127.0.0.1", "--port", str(self.smtp), "--timeout", str(PATIENCE_S)]
        mail = ["--from", sender, "--to", recipient, "--h-Subject", "Re: Your chat", "--body", text]
        mail += [part for header in headers for part in ("--add-header", header)]
        done = subprocess.run([swaks, *where, *mail], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def mails_of(self, user: str) -> list[bytes]:
        with MailBoxUnencrypted("127.0.0.1", self.imap).login(user, PASSWORD) as mailbox:
            return [mail.obj.as_bytes() for mail in mailbox.fetch(mark_seen=False)]

    def flagged_of(self, user: str) -> list[str]:
        """The texts of mails that are flagged for a person."""
        with MailBoxUnencrypted("127.0.0.1", self.imap).login(user, PASSWORD) as mailbox:
            return [mail.text.strip() for mail in mailbox.fetch("FLAGGED", mark_seen=False)]

    def first_mail_of(self, user: str) -> bytes:
        """Waits for one."""
        deadline = time.monotonic() + PATIENCE_S
        while not (mails := self.mails_of(user)):
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.05)
        return mails[0]

    def empties(self, user: str) -> None:
        with MailBoxUnencrypted("127.0.0.1", self.imap).login(user, PASSWORD) as mailbox:
            mailbox.delete(mailbox.uids())

    def logs(self) -> str:
        files = (self.folder / "postfix.log", self.folder / "dovecot.log")
        return "\n".join(file.read_text()[-4000:] for file in files if file.exists())

    def write_settings(self) -> None:
        filled = {"home": HOME, "replies": REPLIES, "bounces": BOUNCES, "elsewhere": ELSEWHERE}
        filled |= {"vouched": USERS[0], "results": RESULTS}
        filled |= {name: getattr(self, name) for name in ("folder", "smtp", "dovecot", "imap", "listener")}
        for name in ("postfix", "queue", "data", "run", "state", "mail"):
            (self.folder / name).mkdir(mode=0o755)
        (self.folder / "postfix" / "main.cf").write_text(MAIN.format(**filled))
        (self.folder / "postfix" / "master.cf").write_text(MASTER.format(**filled))
        (self.folder / "dovecot.conf").write_text(DOVECOT.format(**filled))
        (self.folder / "users").write_text("".join(f"{user}:{PASSWORD}:8:8::{self.folder}/mail::\n" for user in USERS))
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail", "mail", "mail")

    def postfix(self, verb: str) -> None:
        program = wanted(POST_OFFICE)
        done = subprocess.run([program, "-c", self.folder / "postfix", verb], capture_output=True, text=True)
        assert done.returncode == 0, f"postfix {verb}: {done.stdout}{done.stderr}{self.logs()}"

    def is_open(self) -> bool:
        with suppress(OSError):
            self.mails_of(USERS[0])
            return True
        return False


@contextmanager
def open_post_office() -> Iterator[PostOffice]:
    """An office that works. Skips the test that asks where there cannot be one."""
    wanted(POST_OFFICE)
    if os.geteuid() != 0:
        pytest.skip("NO POST OFFICE: Postfix is started by root only")
    folder = Path(tempfile.mkdtemp(prefix="post-office-"))
    folder.chmod(0o755)  # their daemons are other users
    office = PostOffice(folder)
    office.write_settings()
    dovecot = subprocess.Popen([find("dovecot") or "", "-F", "-c", folder / "dovecot.conf"], start_new_session=True)
    try:
        office.postfix("start")
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not office.is_open():
                assert dovecot.poll() is None and time.monotonic() < deadline, office.logs()
                time.sleep(0.05)
            yield office
        finally:
            office.postfix("stop")
    finally:
        dovecot.send_signal(signal.SIGTERM)
        dovecot.wait(PATIENCE_S)
        shutil.rmtree(folder)
