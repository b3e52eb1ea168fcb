"""Mails as they are made: how long rendering and building take, beside the standard library building a mail of the same
two parts; how long they are; and how long a PDF takes. Nothing is sent and no database is asked.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from itertools import cycle, islice

from bench.scale import Scale
from bench.table import Row
from history.mail.compose import HTML_LIMIT_BYTES, compose, html_part, text_part
from history.mail.letter import Letter
from history.mail.mime import encoded
from history.mail.samples import chats, sample
from history.times import MINUTE_MS
from history.transcript_pdf import as_pdf

GOALS_MS = {24: 10, 300: 60}
SMALL_MESSAGES, SMALL_BYTES = 25, 16_000
UNTRIMMED_MESSAGES = 200
PDF_MESSAGES = 100

SHORT = {
    "Latin": "Could you look at my order again, please?",
    "Cyrillic": "Посмотрите, пожалуйста, мой заказ ещё раз.",
    "Arabic": "هل يمكنك النظر في طلبي مرة أخرى من فضلك؟",
    "Japanese": "注文をもう一度確認していただけますか。",
    "Devanagari": "क्या आप मेरा ऑर्डर फिर से देख सकते हैं?",
}


def measure(scale: Scale) -> Iterator[Row]:
    """The rows about time, then those about size."""
    rounds = scale.letter_rounds
    for messages, goal_ms in GOALS_MS.items():
        yield speed_row(messages, goal_ms, rounds)
    yield pdf_row(rounds)
    yield from size_rows()


def letter(messages: int, text: str = SHORT["Latin"], code: str = "en") -> Letter:
    """A chat of so many short messages, in which both sides write in turn."""
    made = sample("transcript", code)
    both = [next(entry for entry in made.transcript.entries if entry.by.role == role) for role in ("customer", "agent")]
    entries = tuple(
        replace(entry, seq=number, kind="message", at_ms=entry.at_ms + number * MINUTE_MS, data={"text": text})
        for number, entry in enumerate(islice(cycle(both), messages), 1)
    )
    return replace(made, transcript=replace(made.transcript, entries=entries))


def speed_row(messages: int, goal_ms: float, rounds: int) -> Row:
    made = letter(messages)
    text, html = text_part(made), html_part(made)[0]
    ours = median_ms(lambda: compose(replace(made)), rounds)  # a new letter has laid out nothing yet
    bare = median_ms(lambda: built(text, html), rounds)
    return Row(
        f"a mail of {messages} messages, rendered and built",
        f"{ours:.1f} ms",
        f"email, the same parts: {bare:.1f} ms",
        ours / bare,
        f"<= {goal_ms} ms",
        ours <= goal_ms,
    )


def built(text: str, html: str) -> bytes:
    mail = EmailMessage(policy=policy.SMTP)
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def pdf_row(rounds: int) -> Row:
    made = letter(PDF_MESSAGES)

    def draw() -> bytes:
        return as_pdf(made.transcript, made.brand, made.locale, made.time_zone)

    pdf_ms = median_ms(draw, max(3, rounds // 10), time.perf_counter)
    return Row(f"a PDF of {PDF_MESSAGES} messages", f"{pdf_ms:.0f} ms")


def size_rows() -> Iterator[Row]:
    for script, text in SHORT.items():
        html, is_whole = html_part(letter(UNTRIMMED_MESSAGES, text))
        small = len(compose(letter(SMALL_MESSAGES, text)))
        yield Row(
            f"HTML of {UNTRIMMED_MESSAGES} messages, {script}",
            f"{len(encoded(html).content) / 1000:.1f} kB",
            goal="nothing left out",
            ok=is_whole,
            is_correctness=True,
        )
        goal = f"<= {SMALL_BYTES / 1000:.0f} kB" if script == "Latin" else ""
        yield Row(
            f"whole mail of {SMALL_MESSAGES} messages, {script}",
            f"{small / 1000:.1f} kB",
            goal=goal,
            ok=small <= SMALL_BYTES if goal else None,
            is_correctness=bool(goal),
        )
    longest = max(
        len(encoded(html_part(letter(messages, text, code))[0]).content)
        for messages in (250, 400, 3000)
        for code in chats()
        for text in SHORT.values()
    )
    yield Row(
        "longest HTML, 250 to 3,000 messages, all languages",
        f"{longest / 1000:.1f} kB",
        goal=f"<= {HTML_LIMIT_BYTES / 1000:.0f} kB",
        ok=longest <= HTML_LIMIT_BYTES,
        is_correctness=True,
    )


def median_ms(work: Callable[[], object], rounds: int, clock: Callable[[], float] = time.thread_time) -> float:
    """How long `work` takes; by the processor's time, unless other threads do it."""

    def once() -> float:
        begin = clock()
        work()
        return (clock() - begin) * 1000

    once()
    return statistics.median(once() for _ in range(rounds))
