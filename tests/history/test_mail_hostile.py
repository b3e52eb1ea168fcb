"""Mail in bad company: servers that refuse, stall and vanish, clocks and backups that lie, bounces that come early."""

import hashlib
import select
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from history import journal, outbox
from history.chats import Act
from history.db import Driver, Store, Transaction
from history.errors import Busy
from history.mail import doubt, pauses, worker
from history.mail.addresses import MailAddresses, find_reply, make_reply_addresses
from history.mail.background import Background
from history.mail.doubt import EVIDENCE_MS, KEEP_BODY_MS, Doubtful, InDoubt
from history.mail.events import record_event
from history.mail.recorder import Recorder, Try
from history.mail.restored import LastMail
from history.mail.results import Result
from history.mail.send import Files, Mail
from history.mail.smtp import Connection, MailSettings
from history.mail.tables import OutboxItem
from history.mail.worker import SEATS_PER_DOMAIN, Habits
from history.outbox import LEASE_MS, Claim, Rendered
from history.times import HOUR_MS, MINUTE_MS, SECOND_MS, now_ms
from tests.history.conftest import ADDRESSES, StartWorker
from tests.history.mail_server import MailServer, part_of, read
from tests.history.scene import Scene, states, wait_until

NOBODY = Result("connect", None, "refused")
SLOW_DOWN = Result("rcpt", 421, "4.7.0 slow")
CUT_AFTER_THE_DOT = Result("dot", None, "cut")


def sql(scene: Scene, text: str, *params: object) -> None:
    scene.writer.write(lambda t: t.driver.run(text, *params))


def paused(scene: Scene, domain: str = pauses.EVERYTHING) -> str | None:
    with scene.store.reading() as driver:
        return pauses.paused(driver, now_ms(), domain)


# Servers


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
@pytest.mark.parametrize(
    ("orders", "state", "reason", "queue_waits"),
    [
        ({"mail": "550 5.7.1 not you"}, "ready", "5.7.1 not you", True),
        ({"mail": "421 4.3.2 closing"}, "ready", "4.3.2 closing", True),
        ({"rcpt": "550 5.1.1 nobody here"}, "failed", "5.1.1 nobody here", False),
        ({"data": "554 5.6.0 no"}, "failed", "5.6.0 no", False),
        ({"dot": "554 5.7.1 spam"}, "failed", "5.7.1 spam", False),
        ({"data": "451 4.3.0 later"}, "ready", "4.3.0 later", False),
    ],
)
def test_a_refusal_at_each_verb_does_what_it_says(
    scene: Scene,
    smtp: MailSettings,
    mail_server: MailServer,
    start_worker: StartWorker,
    orders: dict[str, str],
    state: str,
    reason: str,
    queue_waits: bool,
    extensions: tuple[str, ...],
) -> None:
    vars(mail_server.orders).update(orders, extensions=extensions)
    scene.closed_chat()
    worker = start_worker(smtp)
    wait_until(lambda: scene.items()[0].reason != "")
    worker.stop()
    (item,) = scene.items()
    assert (item.state, item.reason) == (state, reason)
    assert (paused(scene) is not None) is queue_waits
    assert item.attempts == len(scene.attempts()) == (0 if queue_waits else 1), "what is not the mail's fault is no try"


def test_while_our_server_refuses_us_nothing_is_tried_and_then_everything_goes_out(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    refused = replace(smtp, user="chat", password="wrong")
    scene.closed_chat()
    worker = start_worker(refused)
    wait_until(lambda: paused(scene) is not None)
    worker.stop()
    for _ in range(3):
        scene.closed_chat()
    assert scene.claims() == []
    sql(scene, "DELETE FROM mail_pause")
    start_worker(smtp)
    wait_until(lambda: states(scene) == ["sent"] * 4)
    assert [number for number, _, _ in scene.attempts()] == [1, 1, 1, 1]


def test_two_hours_without_a_server_cost_no_mail_a_try_and_end_within_minutes(scene: Scene) -> None:
    scene.closed_chat()
    at_ms, tries = now_ms(), 0
    until_ms = at_ms + 2 * HOUR_MS
    while at_ms < until_ms:
        for claim in scene.claims(at_ms=at_ms):
            tries += 1
            scene.writer.write(lambda t, c=claim, at=at_ms: outbox.settle(t, c, NOBODY, at, 0))
        at_ms += SECOND_MS * 15
    (item,) = scene.items()
    assert (item.state, item.attempts, scene.attempts()) == ("ready", 0, [])
    assert tries < 40, "nobody hammers on a closed door"
    with scene.store.reading() as driver:
        (until,) = driver.row("SELECT until_ms FROM mail_pause WHERE domain = ''") or (0,)
    assert until <= at_ms + 5 * MINUTE_MS


def test_greylisting_rests_the_domain_and_nobody_else(scene: Scene) -> None:
    scene.closed_chat()
    scene.closed_chat(email="sam@elsewhere.example.org")
    first, second = scene.claims()
    grey = Result("rcpt", 450, "4.7.1 greylisted")
    at_ms = now_ms()
    scene.writer.write(lambda t: outbox.settle(t, first, grey, at_ms, 0))
    scene.writer.write(lambda t: outbox.settle(t, second, Result("rcpt", 450, "4.2.1 busy"), at_ms, 0))
    sql(scene, "UPDATE outbox_item SET due_ms = ?", at_ms)
    assert [c.domain for c in scene.claims(at_ms=at_ms + 5 * MINUTE_MS - 1)] == ["elsewhere.example.org"]
    (again,) = scene.claims(at_ms=at_ms + 5 * MINUTE_MS)
    scene.writer.write(lambda t: outbox.settle(t, again, Result("done", 250), at_ms, 0))
    assert paused(scene, "example.com") is None


def test_pauses_grow_and_end_with_the_first_success(scene: Scene) -> None:
    minutes, at_ms = [], 0
    for _ in range(7):
        for _ in range(3):  # what was on its way, too, tells no more than the first
            scene.writer.write(lambda t, at=at_ms: pauses.follow(t, "d.example.com", SLOW_DOWN, at, 0))
        with scene.store.reading() as driver:
            (until_ms,) = driver.row("SELECT until_ms FROM mail_pause WHERE domain = 'd.example.com'") or (0,)
        minutes.append((until_ms - at_ms) // MINUTE_MS)
        at_ms = until_ms
    assert minutes == [1, 5, 15, 60, 120, 240, 480]
    scene.writer.write(lambda t: pauses.follow(t, "d.example.com", Result("done", 250), 0, 0))
    assert paused(scene, "d.example.com") is None


@pytest.mark.parametrize(
    ("orders", "domain", "longest_ms", "tries"),
    [
        ({"rcpt": "450 4.7.1 greylisted"}, "example.com", 6 * MINUTE_MS, SEATS_PER_DOMAIN),
        ({"mail": "550 5.7.1 not you"}, pauses.EVERYTHING, 18 * SECOND_MS, 0),
    ],
)
def test_many_mails_at_once_cause_one_short_pause_and_wait_for_its_end(
    scene: Scene,
    smtp: MailSettings,
    mail_server: MailServer,
    start_worker: StartWorker,
    orders: dict[str, str],
    domain: str,
    longest_ms: int,
    tries: int,
) -> None:
    vars(mail_server.orders).update(orders)
    scene.closed_chats(40)
    start_worker(smtp)
    wait_until(lambda: paused(scene, domain) is not None)
    wait_until(lambda: states(scene) == ["ready"] * 40)
    with scene.store.reading() as driver:
        ((until_ms, failures),) = driver.rows("SELECT until_ms, failures FROM mail_pause")
    assert failures == 1
    assert until_ms <= now_ms() + longest_ms
    assert sum(item.attempts for item in scene.items()) == len(scene.attempts()) <= tries, "the others were not tried"


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
def test_a_421_between_two_mails_costs_nothing(
    smtp: MailSettings, mail_server: MailServer, extensions: tuple[str, ...]
) -> None:
    mail_server.orders.extensions = extensions
    connection = Connection(smtp)
    assert connection.send(mail(), lambda: True) == Result("done", 250, "taken")
    mail_server.orders.once.append("421 4.4.2 you were idle")
    assert connection.send(mail(), lambda: True) == Result("done", 250, "taken")
    assert (mail_server.orders.connections, len(mail_server.orders.taken)) == (2, 2)
    connection.close()


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
def test_a_connection_that_was_reset_between_two_mails_costs_nothing(
    smtp: MailSettings, mail_server: MailServer, extensions: tuple[str, ...]
) -> None:
    connection, orders = Connection(smtp), mail_server.orders
    orders.extensions = extensions
    assert connection.send(mail(), lambda: True) == Result("done", 250, "taken")
    assert connection.smtp is not None and connection.smtp.sock is not None
    watch = select.poll()
    watch.register(connection.smtp.sock)
    mail_server.reset_connections()
    wait_until(lambda: any(seen & select.POLLERR for _, seen in watch.poll(0)))
    assert connection.send(mail(), lambda: True) == Result("done", 250, "taken")
    assert (orders.connections, len(orders.taken)) == (2, 2)
    connection.close()


@pytest.mark.parametrize("refused", ["mail", "rcpt"])
def test_a_server_that_waits_for_the_body_of_a_mail_that_it_refused_gets_none(
    smtp: MailSettings, mail_server: MailServer, refused: str
) -> None:
    connection, orders = Connection(smtp), mail_server.orders
    orders.extensions = ("PIPELINING",)
    setattr(orders, refused, "550 5.1.1 no")
    orders.data = "354 go on"
    assert connection.send(mail(), lambda: True) == Result(refused, 550, "5.1.1 no")
    setattr(orders, refused, "250 OK")
    orders.data = ""
    assert connection.send(mail(), lambda: True) == Result("done", 250, "taken")
    assert (orders.connections, orders.taken) == (2, [mail().content])
    connection.close()


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
@pytest.mark.parametrize("verb", ["mail", "rcpt", "data", "dot"])
def test_a_connection_is_kept_for_the_next_mail_after_a_refusal(
    smtp: MailSettings, mail_server: MailServer, extensions: tuple[str, ...], verb: str
) -> None:
    connection, orders = Connection(smtp), mail_server.orders
    orders.extensions = extensions
    usual = getattr(orders, verb)
    setattr(orders, verb, "550 5.1.1 no")
    assert connection.send(mail(), lambda: True) == Result(verb, 550, "5.1.1 no")
    setattr(orders, verb, usual)
    assert connection.send(mail(), lambda: True) == Result("done", 250, "taken")
    assert (orders.connections, orders.taken[-1]) == (1, mail().content)
    connection.close()


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
def test_what_the_fence_holds_back_is_no_mail_for_the_server_either(
    smtp: MailSettings, mail_server: MailServer, extensions: tuple[str, ...]
) -> None:
    connection, orders = Connection(smtp), mail_server.orders
    orders.extensions = extensions
    assert connection.send(mail(), lambda: False) is None
    assert connection.send(mail(), lambda: True) == Result("done", 250, "taken")
    assert orders.taken == [mail().content]
    connection.close()


def test_a_server_that_can_is_asked_for_reports_that_carry_nothing_back(
    smtp: MailSettings, mail_server: MailServer
) -> None:
    mail_server.orders.extensions = ("DSN",)
    for settings in (smtp, replace(smtp, success_reports=True)):
        connection = Connection(settings)
        assert connection.send(mail(), lambda: True) is not None
        connection.close()
    assert mail_server.orders.envelopes == [
        "FROM:<b+token@bounce.example.com> RET=HDRS ENVID=token",
        "TO:<alex@example.com> NOTIFY=FAILURE,DELAY",
        "FROM:<b+token@bounce.example.com> RET=HDRS ENVID=token",
        "TO:<alex@example.com> NOTIFY=SUCCESS,FAILURE,DELAY",
    ]


def test_letters_that_the_server_does_not_take_fail_in_words(smtp: MailSettings, mail_server: MailServer) -> None:
    connection = Connection(smtp)
    result = connection.send(replace(mail(), recipient="jörg@example.com"), lambda: True)
    connection.close()
    assert result is not None and (result.fate, result.code) == ("failed", 553)
    assert mail_server.orders.envelopes == []


def mail() -> Mail:
    return Mail("0190-a", 0, "b+token@bounce.example.com", "alex@example.com", "token", b"Subject: x\r\n\r\nx\r\n")


def test_the_last_answer_is_waited_for_and_the_lease_lives_meanwhile(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    mail_server.orders.patience = threading.Event()
    scene.closed_chat()
    quick = Habits(lease_ms=600)
    start_worker(smtp, habits=quick)
    wait_until(lambda: states(scene) == ["started"])
    (began,) = scene.items()
    start_worker(smtp, habits=quick)
    wait_until(lambda: (scene.items()[0].lease_until_ms or 0) > (began.lease_until_ms or 0) + 3 * 600)
    assert states(scene) == ["started"], "nobody took it for lost"
    mail_server.orders.patience.set()
    wait_until(lambda: states(scene) == ["sent"])
    assert len(mail_server.orders.taken) == 1


# Doubt


def in_doubt(scene: Scene) -> Claim:
    scene.closed_chat()
    (claim,) = scene.claims()
    assert scene.fence(claim)
    scene.writer.write(lambda t: outbox.settle(t, claim, CUT_AFTER_THE_DOT, t.now_ms, 0))
    assert states(scene) == ["uncertain"]
    return claim


def resolve(scene: Scene, *, taken: bool | None = None, after_ms: int = 0, way: InDoubt = "resend") -> OutboxItem:
    with scene.store.reading() as driver:
        found: list[Doubtful] = doubt.read_in_doubt(driver)
    for item in found:
        at_ms = item.since_ms + after_ms
        scene.writer.write(lambda t, item=item, at_ms=at_ms: doubt.resolve(t, item, taken, way, at_ms))
    (item,) = scene.items()
    return item


def test_what_the_server_says_it_took_was_sent(scene: Scene) -> None:
    in_doubt(scene)
    item = resolve(scene, taken=True)
    assert (item.state, item.body) == ("sent", None)


def test_what_the_server_did_not_take_goes_out_with_the_same_bytes(scene: Scene) -> None:
    claim = in_doubt(scene)
    assert resolve(scene, taken=False).state == "ready"
    (again,) = scene.claims()
    assert (again.body, again.message_id, again.bounce_token) == (b"mail", claim.message_id, claim.bounce_token)


@pytest.mark.parametrize("kind", ["success", "bounce", "delay"])
def test_whatever_is_heard_of_a_mail_proves_that_it_was_taken(scene: Scene, kind: str) -> None:
    claim = in_doubt(scene)
    scene.writer.write(lambda t: record_event(t, claim.id, kind))  # type: ignore[arg-type]
    assert resolve(scene).state == "sent"


def test_of_what_nothing_is_heard_the_same_bytes_go_out_once_more(scene: Scene) -> None:
    in_doubt(scene)
    assert resolve(scene, after_ms=EVIDENCE_MS - 1).state == "uncertain"
    assert resolve(scene, after_ms=EVIDENCE_MS).state == "ready"
    scene.does(scene.customer, "rate", score=5)
    for _ in range(2):
        (claim,) = scene.claims(at_ms=now_ms() + 2 * EVIDENCE_MS)
        assert claim.body == b"mail"
        assert scene.gives_back(claim), "the store was busy before the fence"
    (claim,) = scene.claims(at_ms=now_ms() + 2 * EVIDENCE_MS)
    assert scene.fence(claim, head=1), "the same bytes, whatever has been said meanwhile"
    scene.writer.write(lambda t: outbox.settle(t, claim, CUT_AFTER_THE_DOT, t.now_ms, 0))
    assert resolve(scene, after_ms=2 * EVIDENCE_MS).state == "uncertain", "once more is not twice more"


def test_a_mail_in_doubt_is_held_for_a_person_where_it_is_so_set(scene: Scene) -> None:
    in_doubt(scene)
    item = resolve(scene, after_ms=2 * EVIDENCE_MS, way="hold")
    assert (item.state, item.body) == ("uncertain", b"mail")
    item = resolve(scene, after_ms=KEEP_BODY_MS, way="hold")
    assert (item.state, item.body) == ("uncertain", None)


def test_a_mail_in_doubt_of_a_reopened_thread_is_not_sent_again(scene: Scene) -> None:
    in_doubt(scene)
    scene.does(scene.customer, "reopen")
    assert resolve(scene, after_ms=EVIDENCE_MS).state == "ready"
    (claim,) = scene.claims(at_ms=now_ms() + 2 * EVIDENCE_MS)
    assert not scene.fence(claim)
    scene.gives_back(claim)
    assert states(scene) == ["cancelled"]


def test_a_bounce_that_comes_before_our_own_250_is_recorded_loses_nothing(scene: Scene) -> None:
    scene.closed_chat()
    (claim,) = scene.claims()
    assert scene.fence(claim)
    scene.writer.write(lambda t: record_event(t, claim.id, "bounce", "5.1.1", "nobody here"))
    assert scene.writer.write(lambda t: outbox.settle(t, claim, Result("done", 250), t.now_ms, 0))
    assert states(scene) == ["sent"]


# Clocks, backups, databases


def test_a_worker_whose_clock_is_five_minutes_fast_doubles_nothing(scene: Scene) -> None:
    scene.closed_chat()
    (slow,) = scene.claims("slow")
    fast_ms = now_ms() + 5 * MINUTE_MS
    scene.writer.write(lambda t: outbox.recover(t, fast_ms))
    (fast,) = scene.claims("fast", at_ms=fast_ms)
    assert not scene.fence(slow), "the other has it now"
    assert scene.fence(fast)
    scene.writer.write(lambda t: outbox.recover(t, fast_ms + LEASE_MS))
    assert states(scene) == ["uncertain"], "not ready: it is on its way"
    assert scene.writer.write(lambda t: outbox.settle(t, fast, Result("done", 250), t.now_ms, 0))
    assert states(scene) == ["sent"]


def test_an_older_backup_sends_nothing_again_that_may_have_been_sent(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    habits = Habits(last_mail=LastMail(tmp_path / "last-mail"))
    scene.closed_chat()
    worker = start_worker(smtp, habits=habits)
    wait_until(lambda: states(scene) == ["sent"])
    worker.stop()
    sql(scene, "UPDATE outbox_item SET state = 'ready', started_ms = NULL, done_ms = NULL")  # as the backup has it
    sql(scene, "DELETE FROM attempt")
    start_worker(smtp, habits=habits)
    wait_until(lambda: states(scene) == ["uncertain"])
    scene.closed_chat()
    wait_until(lambda: states(scene) == ["uncertain", "sent"])
    assert len(mail_server.orders.taken) == 2, "the old one once, the new one once"


def test_many_mails_may_pass_the_fence_at_once(tmp_path: Path) -> None:
    last, path = LastMail(tmp_path / "last-mail"), tmp_path / "last-mail"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(last.note, range(1, 400)))
    assert last.read() == 399
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_takes_no_note_holds_up_no_mail(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    scene.closed_chat()
    start_worker(smtp, habits=Habits(last_mail=LastMail(tmp_path / "nowhere" / "last-mail")))
    wait_until(lambda: states(scene) == ["sent"])
    assert len(mail_server.orders.taken) == 1


def test_a_restart_after_a_refusal_is_no_older_backup(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    habits = Habits(last_mail=LastMail(tmp_path / "last-mail"))
    mail_server.orders.dot = "451 4.3.0 later"
    scene.closed_chat()
    worker = start_worker(smtp, habits=habits)
    wait_until(lambda: scene.attempts() != [])
    worker.stop()
    mail_server.orders.dot = "250 taken"
    sql(scene, "UPDATE outbox_item SET due_ms = 0")
    start_worker(smtp, habits=habits)
    wait_until(lambda: states(scene) == ["sent"])


def fails_at_first(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, *errors: Exception) -> None:
    """The module's function raises these, one a call, before it does what it does."""
    usual: Callable[..., object] = getattr(module, name)
    failures = iter(errors)

    def at_first(*args: object, **named: object) -> object:
        for error in failures:
            raise error
        return usual(*args, **named)

    monkeypatch.setattr(module, name, at_first)


@pytest.mark.parametrize(
    ("module", "at"),
    [
        (outbox, "claim"),
        (worker, "read_backgrounds"),
        (outbox, "start"),
        (outbox, "settle_sent"),
        (outbox, "settle"),
    ],
)
def test_a_store_that_is_busy_at_any_moment_doubles_and_loses_nothing(
    scene: Scene,
    smtp: MailSettings,
    mail_server: MailServer,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    at: str,
) -> None:
    fails_at_first(monkeypatch, module, at, Busy("locked"), Busy("locked"), Busy("locked"))
    if at == "settle":  # which is for those whose success ends a pause
        sql(scene, "INSERT INTO mail_pause (domain, until_ms, failures, reason) VALUES ('', 0, 1, 'refused')")
    scene.closed_chat()
    start_worker(smtp, habits=Habits(lease_ms=600))
    wait_until(lambda: states(scene) == ["sent"])
    assert len(mail_server.orders.taken) == 1
    assert scene.items()[0].attempts == 1, "what is the store's fault is no try"


def test_mails_that_cannot_be_read_at_once_are_read_one_by_one(
    scene: Scene, files: Files, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.closed_chats(3)
    at_once, alone = ValueError("one of them"), ValueError("that one")
    fails_at_first(monkeypatch, worker, "read_backgrounds", at_once, alone)
    start_worker(files, habits=Habits(lease_ms=600))
    wait_until(lambda: states(scene) == ["sent"] * 3)
    assert sorted(item.attempts for item in scene.items()) == [1, 1, 2], "the lease brought one back"


def test_long_chats_are_not_read_before_a_seat_is_there_for_them(
    scene: Scene, files: Files, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, together = worker.read_backgrounds, []

    def noted(driver: Driver, claims: Sequence[Claim]) -> list[Background]:
        together.append(len(claims))
        return usual(driver, claims)

    monkeypatch.setattr(worker, "read_backgrounds", noted)
    monkeypatch.setattr(worker, "READ_AHEAD_EVENTS", 20)
    scene.start()
    for number in range(20):
        scene.says(scene.agent, f"{number}")
    scene.does(scene.agent, "close")
    scene.closed_chats(2)
    start_worker(files)
    wait_until(lambda: states(scene) == ["sent"] * 3)
    assert together == [2, 1]


def test_an_outcome_that_cannot_be_recorded_holds_up_no_other(scene: Scene) -> None:
    scene.closed_chats(3)
    claims = scene.claims()
    recorded: list[Try] = []
    recorder = Recorder(scene.writer, recorded.append)
    for claim, code in zip(claims, (250, 1 << 70, 250), strict=True):  # the second has no room in the database
        assert scene.writer.write(lambda t, c=claim: outbox.start(t, c, Rendered(b"mail", head_of(t, c)), t.now_ms))
        recorder.put(claim, Result("done", code))
    recorder.start()
    recorder.stop()
    recorder.thread.join()
    by_id = {item.id: item.state for item in scene.items()}
    assert [by_id[claim.id] for claim in claims] == ["sent", "started", "sent"]
    assert [each.claim.id for each in recorded] == [claim.id for claim in claims]


def head_of(transaction: Transaction, claim: Claim) -> int:
    (head,) = transaction.driver.row("SELECT head FROM chat WHERE pk = ?", claim.chat_pk) or (0,)
    return int(head)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of a few kilobytes, to whoever may mount one."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("NO SMALL DISK: this needs the right to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_mails_wait_for_room_on_the_disk_and_none_is_lost(
    scene: Scene, files: Files, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(files.folder):
        for _ in range(6):
            scene.closed_chat()
        start_worker(files)
        wait_until(lambda: paused(scene) == "The folder of mails: No space left on device")
        wait_until(lambda: not {"leased", "started"} & set(states(scene)))
        assert set(states(scene)) == {"ready", "sent"}
        assert [file.suffix for file in files.folder.iterdir()] == [".eml"] * states(scene).count("sent")
        assert "all mail waits: The folder of mails: No space left on device" in caplog.text
        subprocess.run(["mount", "-o", "remount,size=1m", files.folder], check=True)
        sql(scene, "DELETE FROM mail_pause")
        wait_until(lambda: states(scene) == ["sent"] * 6)
        assert {item.attempts for item in scene.items()} == {1}
        whole = {read(file.read_bytes())["Message-ID"] for file in files.folder.iterdir()}
        assert whole == {item.message_id for item in scene.items()}


def test_a_mail_that_is_too_large_for_the_server_goes_out_once_more_without_its_file(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    scene.start()
    scene.proves_address()
    for number in range(400):
        scene.says(scene.agent, f"{number}: {'word ' * 100}")
    scene.does(scene.agent, "close")
    mail_server.orders.dot_once = ["552 5.3.4 too large"]
    start_worker(smtp)
    wait_until(lambda: states(scene) == ["sent"])
    large, small = (read(mail) for mail in mail_server.orders.taken)
    assert large["Message-ID"] == small["Message-ID"]
    assert [part.get_filename() for part in large.iter_attachments()] == ["transcript.txt"]
    assert list(small.iter_attachments()) == []
    for subtype in ("plain", "html"):
        assert "are too much for this mail; they stand in the chat" in part_of(small, subtype)
        assert "399: word" in part_of(small, subtype) and "200: word" not in part_of(small, subtype)
    assert [code for _, _, code in scene.attempts()] == [552, 250]


def test_a_mail_that_stays_too_large_fails(
    scene: Scene, smtp: MailSettings, mail_server: MailServer, start_worker: StartWorker
) -> None:
    mail_server.orders.dot = "552 5.3.4 too large"
    scene.closed_chat()
    start_worker(smtp)
    wait_until(lambda: states(scene) == ["failed"])
    assert [code for _, _, code in scene.attempts()] == [552, 552]


def test_the_last_answer_is_waited_for_longer_than_nine_minutes(smtp: MailSettings, mail_server: MailServer) -> None:
    mail_server.orders.patience = threading.Event()
    connection = Connection(smtp)
    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(
            connection.send, Mail("0190-a", 0, "a@example.com", "b@example.com", "e", b"x\r\n"), passed
        )
        wait_until(lambda: mail_server.orders.taken != [])
        assert connection.smtp is not None and connection.smtp.sock is not None
        assert connection.phase == "dot"
        assert connection.smtp.sock.gettimeout() > 9 * 60
        mail_server.orders.patience.set()
        assert sending.result() == Result("done", 250, "taken")
    connection.close()


def passed() -> bool:
    return True


# The chat meanwhile


def test_what_is_redacted_between_claim_and_fence_is_not_mailed(
    scene: Scene, files: Files, start_worker: StartWorker
) -> None:
    scene.closed_chat()
    redaction = iter([Act(scene.agent, scene.id(), "redact", {"seq": 5})])

    def redact_meanwhile(transaction: Transaction, chat_id: str, customer_id: str) -> str:
        journal.apply(scene.policy, transaction, list(redaction))
        return "https://chat.example.com/r#secret"

    start_worker(files, redact_meanwhile)
    wait_until(lambda: states(scene) == ["sent"])
    (file,) = files.folder.glob("*.eml")
    head = scene.transcript().head
    assert scene.items()[0].rendered_rev == head
    assert "Here I am" not in part_of(read(file.read_bytes()), "plain")


def test_after_a_change_of_domain_and_brand_old_reply_addresses_work(scene: Scene) -> None:
    scene.closed_chat()
    item_id = scene.items()[0].id
    address = scene.writer.write(lambda t: make_reply_addresses(t, ADDRESSES, [item_id])[0])
    moved = MailAddresses(("newer key", *ADDRESSES.keys), "hello@new.example.net", "answers+{token}@new.example.net")
    with scene.store.reading() as driver:
        assert find_reply(driver, moved, address).chat_id == scene.customer.chat_id


def test_mails_in_doubt_and_late_ones_are_counted(store: Store) -> None:
    scene = Scene(store)
    in_doubt(scene)
    scene.closed_chat()
    with store.reading() as driver:
        health = outbox.health(driver, now_ms() + HOUR_MS)
    scene.stop()
    assert health.counts == {"uncertain": 1, "ready": 1}
    assert health.overdue_ms >= HOUR_MS - MINUTE_MS


def test_a_rendered_mail_is_what_its_digest_says(scene: Scene) -> None:
    scene.closed_chat()
    (claim,) = scene.claims()
    mail = Rendered(b"mail", scene.transcript().head)
    scene.writer.write(lambda t: outbox.start(t, claim, mail, t.now_ms))
    assert scene.items()[0].digest == hashlib.sha256(b"mail").hexdigest()
