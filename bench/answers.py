"""Answers by mail: how soon one that is handed over by LMTP is on an agent's screen, how many are taken a second, and
whether each is one message though each is handed over twice. Beside it a mail server that keeps nothing.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from smtplib import LMTP

import orjson
from websockets.sync.client import ClientConnection, connect

from bench.crowd import HOST
from bench.machine import percentile
from bench.people import LIVE
from bench.references.servers import lmtp_server
from bench.scale import Scale
from bench.service import LIFTED_LIMITS, Service, StartedChat, new_agent_key, serving
from bench.table import Row
from tests.servers import free_port

CHATS = 20
SEEN_ONE_BY_ONE = 50
CONNECTIONS = 4
POST_S, SEEN_S = 60.0, 30.0
SEEN_GOAL_S, RATE_GOAL = 2.0, 100

QUOTED = "\r\n".join(f"> Line {line} of the transcript, with some words of an earlier day" for line in range(40))


@dataclass(frozen=True)
class Correspondence:
    """A chat whose transcript its customer has got, and can answer."""

    chat: StartedChat
    customer: str
    reply_address: str

    def answer(self, number: int) -> bytes:
        lines = [
            f"From: Alex <{self.customer}>",
            f"To: {self.reply_address}",
            "Subject: Re: Your chat",
            f"Message-ID: <answer.{number}@example.com>",
            "Content-Type: text/plain; charset=utf-8",
            "",
            text_of(number),
            "",
            "On Mon, 23 Nov 2026 at 10:14, Stillhere <chat@localhost.example> wrote:",
            QUOTED,
        ]
        return "\r\n".join(lines).encode()


def text_of(number: int) -> str:
    return f"Answer {number}: the lid is dark green."


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """The rows about answers."""
    port = free_port()
    key = new_agent_key(folder)
    settings = {
        "STILLHERE_REPLIES_LISTEN": f"{HOST}:{port}",
        "STILLHERE_REPLY_ADDRESS": "r+{token}@reply.localhost.example",
        "STILLHERE_SETTLE_SECONDS": "0",
    }
    with serving(folder, LIFTED_LIMITS | settings) as service:
        letters = correspond(service, key, min(CHATS, scale.mail_answers))
        seen_s = list(seen(service, key, letters, port))
        numbers = range(SEEN_ONE_BY_ONE, SEEN_ONE_BY_ONE + scale.mail_answers)
        rate = handed_over(letters, numbers, port)
        handed_over(letters, numbers, port)
        said = [texts(service, letter.chat) for letter in letters]
    with lmtp_server(folder) as bare:
        bare_rate = handed_over(letters, numbers, bare.port)
    p95 = percentile(seen_s, 0.95)
    yield Row("answer by mail on an agent's screen: p95", f"{p95:.3f} s", goal="<= 2 s", ok=p95 <= SEEN_GOAL_S)
    yield Row(
        "answers by mail",
        f"{rate:,.0f}/s",
        f"aiosmtpd that keeps nothing: {bare_rate:,.0f}/s",
        rate / bare_rate,
        f">= {RATE_GOAL}/s",
        rate >= RATE_GOAL,
    )
    expected = {text_of(number) for number in (*range(SEEN_ONE_BY_ONE), *numbers)}
    posted = [text for chat in said for text in chat if text in expected]
    lost, double = len(expected - set(posted)), len(posted) - len(set(posted))
    what = "answers by mail, each handed over twice: lost, double"
    yield Row(what, f"{lost}, {double} of {len(expected):,}", goal="0, 0", ok=not lost + double, is_correctness=True)


def correspond(service: Service, key: str, count: int) -> list[Correspondence]:
    """Chats that an agent answered and closed, with the reply addresses of their transcripts."""
    chats: dict[str, StartedChat] = {}
    for number in range(count):
        first = {"id": f"first-message-of-{number:06}", "data": {"text": "The lid is missing"}}
        customer = f"alex{number}@example.com"
        with service.door(number=number) as door:
            made = door.post("/api/v1/chats", {"name": f"Alex {number}", "email": customer, "message": first})
        chats[customer] = StartedChat(made["chat"], made["token"], made["state"]["head"])
        with service.door(key) as desk:
            path = f"/api/v1/chats/{made['chat']}"
            desk.post(f"{path}/messages", {"id": f"answer-in-chat-{number:06}", "data": {"text": "Which colour?"}})
            desk.post(f"{path}/actions", {"id": f"close-of-chat-{number:06}", "action": "close"})
    found: dict[str, str] = {}
    end = time.monotonic() + POST_S
    while len(found) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"only {len(found)} of {count} transcripts went out within {POST_S:.0f} s")
        mails = (message_from_bytes(file.read_bytes()) for file in (service.folder / "outbox").glob("*.eml"))
        found = {str(mail["To"]): str(mail["Reply-To"]) for mail in mails}
    return [Correspondence(chats[customer], customer, address) for customer, address in found.items()]


def seen(service: Service, key: str, letters: Sequence[Correspondence], port: int) -> Iterator[float]:
    """Seconds from the first word at the door to the message on an agent's screen, one answer after the other."""
    for number in range(SEEN_ONE_BY_ONE):
        letter = letters[number % len(letters)]
        with closing(watching(service, key, letter.chat)) as screen, LMTP(HOST, port) as door:
            door.ehlo()
            begin = time.perf_counter()
            door.sendmail(letter.customer, letter.reply_address, letter.answer(number))
            wait_for(screen, text_of(number))
            yield time.perf_counter() - begin


def watching(service: Service, key: str, chat: StartedChat) -> ClientConnection:
    """An agent's live connection that watches the chat."""
    screen = connect(
        f"ws://{HOST}:{service.port}{LIVE}",
        subprotocols=["stillhere.v1"],  # type: ignore[list-item]
        additional_headers={"Authorization": f"Bearer {key}"},
        proxy=None,
    )
    screen.send(orjson.dumps({"type": "hello", "chats": []}).decode())
    wait_for(screen, '"type":"welcome"')
    screen.send(orjson.dumps({"type": "watch", "chats": [{"chat": chat.id, "have": 0, "rev": 0}]}).decode())
    wait_for(screen, '"type":"resume"')
    return screen


def wait_for(screen: ClientConnection, words: str) -> None:
    while words not in screen.recv(SEEN_S):
        pass


def handed_over(letters: Sequence[Correspondence], numbers: range, port: int) -> float:
    """Answers a second, over a few connections at once."""

    def post(share: range) -> None:
        with LMTP(HOST, port) as door:
            door.ehlo()
            for number in share:
                letter = letters[number % len(letters)]
                door.sendmail(letter.customer, letter.reply_address, letter.answer(number))

    begin = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(post, [numbers[first::CONNECTIONS] for first in range(CONNECTIONS)]))
    return len(numbers) / (time.perf_counter() - begin)


def texts(service: Service, chat: StartedChat) -> list[str]:
    return [event["data"]["text"] for event in service.events(chat) if event["kind"] == "message"]
