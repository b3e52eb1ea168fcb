"""The one masker: card numbers (Luhn, 13 to 19 digits) and IBANs (mod 97) become `•••• 1234`. Pure.

Applied to every text that leaves in a transcript for reading or in a mail; the stored record is not touched.
"""

import re
from collections.abc import Callable

CARD_DIGITS = range(13, 20)
IBAN_LENGTHS = range(15, 35)

DIGIT_GROUPS = re.compile(r"\d+(?:[\s.\-\u2010-\u2015]{1,3}\d+)*")
DIGITS = re.compile(r"\d+")
IBAN_GROUPS = re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[ \u00a0-]?[A-Z0-9]+)*", re.ASCII | re.IGNORECASE)
LETTERS_AND_DIGITS = re.compile(r"[A-Z0-9]+", re.ASCII | re.IGNORECASE)


def mask(text: str) -> str:
    """`text` without card numbers and IBANs, whatever stands before or behind them."""
    text = IBAN_GROUPS.sub(lambda run: mask_run(run[0], LETTERS_AND_DIGITS, IBAN_LENGTHS, is_iban), text)
    return DIGIT_GROUPS.sub(lambda run: mask_run(run[0], DIGITS, CARD_DIGITS, is_card), text)


def mask_run(run: str, group: re.Pattern[str], lengths: range, is_secret: Callable[[str], bool]) -> str:
    """Masks the longest secrets in a run of groups; a secret begins and ends with a group."""
    groups = list(group.finditer(run))
    shown, kept, first = [], 0, 0
    while first < len(groups):
        last = longest_secret(groups, first, lengths, is_secret)
        if last is None:
            first += 1
            continue
        secret = "".join(part[0] for part in groups[first : last + 1])
        shown += [run[kept : groups[first].start()], "•••• ", secret[-4:]]
        kept, first = groups[last].end(), last + 1
    return "".join(shown) + run[kept:]


def longest_secret(
    groups: list[re.Match[str]], first: int, lengths: range, is_secret: Callable[[str], bool]
) -> int | None:
    """The group with which the longest secret from group `first` on ends."""
    text, found = "", None
    for last in range(first, len(groups)):
        text += groups[last][0]
        if len(text) >= lengths.stop:
            break
        if len(text) in lengths and is_secret(text):
            found = last
    return found


def is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812), for decimal digits of any script."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """ISO 13616: two letters, two check digits, and the whole is 1 modulo 97 (ISO 7064)."""
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]+", text, re.ASCII | re.IGNORECASE):
        return False
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1
