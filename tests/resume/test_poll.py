"""When what has come for a long poll is worth an answer."""

import json
from typing import Any

import pytest

from resume.live.poll import Gathered, check_poll

STATE = {"chat": "one", "head": 3, "hash": "aa", "rev": 7, "status": "open", "participants": []}
RESUME: dict[str, Any] = {"chat": "one", "me": "p_me", "events": [], "gap": None, "reset": None, "state": STATE}
ANN = {"id": "p_ann", "online": True, "last_seen": "2026-11-23T20:31:00.123Z"}


def gathered(*frames: dict[str, Any], rev: int | None = 7) -> Gathered:
    """For a poll that knows chat `one` at `rev`, and says these frames besides."""
    hello = {"type": "hello", "chats": [{"chat": "one", "have": 3, "hash": "aa", "rev": rev}]}
    return Gathered(check_poll({"frames": [hello, *frames], "wait_ms": 0}))


def add(to: Gathered, type: str, **fields: Any) -> None:
    to.add(json.dumps({"type": type, **fields}).encode())


def welcome(to: Gathered, **differences: Any) -> None:
    add(to, "welcome", chats=[RESUME | differences])


NEWS = {
    "an event": {"events": [{"seq": 4}]},
    "a gap": {"gap": {"from": 4, "to": 9}},
    "a reset": {"reset": "diverged"},
    "another state": {"state": STATE | {"rev": 8}},
    "another chat": {"chat": "two"},
}


@pytest.mark.parametrize("difference", NEWS.values(), ids=NEWS)
def test_a_welcome_that_tells_something_is_news(difference: dict[str, Any]) -> None:
    poll = gathered()
    welcome(poll, **difference)
    assert poll.is_complete
    assert poll.has_news


@pytest.mark.parametrize("rev", [7, None])
def test_a_welcome_that_tells_what_is_known_is_none(rev: int | None) -> None:
    poll = gathered(rev=rev)
    welcome(poll)
    assert poll.is_complete
    assert not poll.has_news


def test_a_state_is_news_only_if_it_differs_in_more_than_a_sign_of_life() -> None:
    poll = gathered()
    welcome(poll, state=STATE | {"participants": [ANN]})
    add(poll, "state", chat="one", state=STATE | {"participants": [ANN | {"last_seen": None}], "head": 4})
    add(poll, "ping", n=1)
    assert not poll.has_news
    assert len(poll.texts) == 1
    add(poll, "state", chat="one", state=STATE | {"participants": [ANN | {"online": False}]})
    assert poll.has_news
    assert len(poll.texts) == 2


def test_that_one_is_here_oneself_is_no_news() -> None:
    poll = gathered()
    me = ANN | {"id": "p_me", "online": False}
    welcome(poll, state=STATE | {"participants": [me]})
    add(poll, "state", chat="one", state=STATE | {"participants": [me | {"online": True}]})
    assert not poll.has_news


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a send": ({"type": "send", "chat": "one", "id": "x"}, {"type": "ack", "chat": "one", "id": "x"}),
    "an act": ({"type": "act", "chat": "one", "id": "x"}, {"type": "nack", "chat": "one", "id": "x"}),
    "a send without an id": ({"type": "send", "chat": "one"}, {"type": "nack", "chat": "one", "id": None}),
    "a send of nothing": ({"type": "send"}, {"type": "nack", "chat": None, "id": None}),
    "a get": ({"type": "get", "chat": "one"}, {"type": "page", "chat": "one"}),
    "a get that is refused": ({"type": "get", "chat": "one"}, {"type": "nack", "chat": "one", "id": None}),
    "a watch": ({"type": "watch", "chats": [{"chat": "two"}]}, {"type": "resume", "chat": "two"}),
    "a watch that is refused": ({"type": "watch"}, {"type": "nack", "chat": None, "id": None}),
}


@pytest.mark.parametrize(("question", "answer"), ASKED.values(), ids=ASKED)
def test_what_was_asked_is_waited_for(question: dict[str, Any], answer: dict[str, Any]) -> None:
    poll = gathered(question, question)
    welcome(poll)
    add(poll, "typing", chat="one")
    for _ in range(2):
        assert not poll.is_complete
        poll.add(json.dumps(answer).encode())
    assert poll.is_complete


def test_what_has_no_answer_is_not_waited_for() -> None:
    unanswered = ("read", "typing", "pong", "unwatch", "queue", "nonsense")
    poll = gathered(*({"type": type, "chat": "one"} for type in unanswered), {"type": "watch", "chats": []})
    welcome(poll)
    assert poll.is_complete
