"""A mail of every kind in every language, and a long one: what all judges of our mails are shown. Composed once."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from history.mail.compose import compose
from history.mail.letter import Letter
from history.mail.samples import SAMPLES, chats, sample


def long_letter() -> Letter:
    """One that is too long for mail programs, so that the whole is in a file."""
    letter = sample("transcript", "ja")
    entries = tuple(
        replace(entry, seq=1 + number)
        for number, entry in enumerate(entry for _ in range(60) for entry in letter.transcript.entries)
    )
    return replace(letter, transcript=replace(letter.transcript, head=len(entries), entries=entries))


LETTERS = {f"{name}-{code}": sample(name, code) for name in SAMPLES for code in chats()} | {"long-ja": long_letter()}


@cache
def mails() -> Mapping[str, bytes]:
    """The letters as bytes, by their names."""
    return {name: compose(letter) for name, letter in LETTERS.items()}
