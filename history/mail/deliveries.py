"""What was mailed about a chat: to whom, when, and what came of it. For those who may see the chat."""

from typing import Any

from history.db import Driver
from history.times import rfc3339

ITEMS = (
    "SELECT id, kind, recipient, state, reason, created_ms, due_ms, done_ms, attempts FROM outbox_item "
    "WHERE chat_pk = ? ORDER BY created_ms DESC, id DESC LIMIT ?"
)
ANSWERS = (
    "SELECT a.item_id, a.at_ms, a.phase, a.code, a.answer FROM attempt a JOIN outbox_item i ON i.id = a.item_id "
    "WHERE i.chat_pk = ? ORDER BY a.number"
)
HEARD = (
    "SELECT e.item_id, e.kind, e.at_ms, e.status FROM mail_event e JOIN outbox_item i ON i.id = e.item_id "
    "WHERE i.chat_pk = ? ORDER BY e.pk"
)
SHOWN = 50

STATES = {"bounce": "bounced", "complaint": "complained", "success": "confirmed"}
"""What a mail that was sent is called when this was heard of it; the first that applies."""

TROUBLES = frozenset({"failed", "dead", "uncertain", "bounced", "complained"})
"""States that agents should know of."""


def deliveries(driver: Driver, chat_pk: int) -> list[dict[str, Any]]:
    """The mails about a chat, newest first, as objects for HTTP."""
    answers = {item: last for item, *last in driver.rows(ANSWERS, chat_pk)}
    heard: dict[str, list[tuple[str, int, str]]] = {}
    for item, *event in driver.rows(HEARD, chat_pk):
        heard.setdefault(item, []).append(tuple(event))
    return [delivery(row, answers.get(row[0]), heard.get(row[0], [])) for row in driver.rows(ITEMS, chat_pk, SHOWN)]


def delivery(row: Any, answer: Any | None, heard: list[tuple[str, int, str]]) -> dict[str, Any]:
    id, kind, recipient, state, reason, created_ms, due_ms, done_ms, attempts = row
    kinds = {what for what, _, _ in heard}
    shown = next((name for what, name in STATES.items() if what in kinds), state) if state == "sent" else state
    return {
        "id": id,
        "kind": kind,
        "to": recipient,
        "state": shown,
        "reason": reason,
        "trouble": shown in TROUBLES,
        "created_at": rfc3339(created_ms),
        "due_at": rfc3339(due_ms) if state == "ready" else None,
        "done_at": rfc3339(done_ms) if done_ms is not None else None,
        "attempts": attempts,
        "last_answer": answer_json(answer),
        "events": [{"kind": what, "at": rfc3339(at_ms), "status": status} for what, at_ms, status in heard],
    }


def answer_json(answer: Any | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    at_ms, phase, code, words = answer
    return {"at": rfc3339(at_ms), "phase": phase, "code": code, "text": words}
