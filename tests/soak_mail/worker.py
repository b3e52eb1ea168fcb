"""A process that does nothing but send mail, as the mail worker of a server would."""

import logging
import os
import sys
import threading
from functools import partial
from pathlib import Path

from history import journal
from history.db import Store, Transaction
from history.mail.addresses import MailAddresses
from history.mail.prepare import House
from history.mail.smtp import Connection, MailSettings
from history.mail.worker import Habits, MailWorker
from history.outbox import MailPolicy
from history.times import DAY_MS
from history.writer import Writer, only_answer
from tests.soak_mail.evidence import SinkLog

LEASE_MS = 3000
DOMAIN = "soak.test"
ADDRESSES = MailAddresses(("key",), f"chat@{DOMAIN}", f"r+{{token}}@{DOMAIN}", f"b+{{token}}@{DOMAIN}")


def link(_transaction: Transaction, chat_id: str, _customer_id: str) -> str:
    return f"https://{DOMAIN}/{chat_id}"


def main() -> None:
    """Sends mail until it is killed. Its arguments: the database's URL, the mail server's port, the sink's log."""
    url, port, log_path = sys.argv[1:]
    logging.getLogger("stillhere").setLevel(logging.CRITICAL)  # that mails are late is what this is about
    store = Store(url)
    writer = Writer(store, journal.writing(MailPolicy(0, DOMAIN)), only_answer)
    writer.start()
    settings = MailSettings(f"w{os.getpid()}.{DOMAIN}", "127.0.0.1", int(port), tls="none")
    house = House("Soak", DOMAIN, f"https://{DOMAIN}", ADDRESSES, link, link, DAY_MS)
    habits = Habits(evidence=SinkLog(Path(log_path)).evidence, lease_ms=LEASE_MS)
    worker = MailWorker(store, writer, house, partial(Connection, settings), habits)
    worker.start()
    threading.Event().wait()
