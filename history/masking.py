"""The one masker, for all that leaves the record for reading: card numbers (Luhn, 13 to 19 digits) and IBANs (mod 97)
become `•••• 1234`, a card's check number and what stands behind "password:" becomes `•••`. Pure.

Applied to every text before it is laid out, in transcripts of all formats and in mails; the record is not touched.
"""

import re
from collections.abc import Callable
from typing import Any

CARD_DIGITS = range(13, 20)
IBAN_LENGTHS = range(15, 35)

HIDDEN = "•••"
INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Signs of no width, which would part a number without being seen."""

DIGIT_GROUPS = re.compile(rf"\d+(?:[\s._\-\u2010-\u2015{INVISIBLE}]{{1,3}}\d+)*")
DIGITS = re.compile(r"\d+")
IBAN_GROUPS = re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[ \u00a0\n_-]?[A-Z0-9]+)*", re.ASCII | re.IGNORECASE)
LETTERS_AND_DIGITS = re.compile(r"[A-Z0-9]+", re.ASCII | re.IGNORECASE)

NEAR_CARD = re.compile(
    r"(•••• \d{4}(?!\d)(?:(?!\n\n).){1,40}?)(?<!•••• )(?<![\d/.:,-])\d{3,4}(?![\d/.:,-]*\d)", re.DOTALL
)
"""A group of three or four digits soon after a masked number: a card's check number, or at worst a year."""

CHECK_NUMBER = re.compile(
    r"(\b(?:cvv2?|cvc2?|cvn|csc|security code|prüfnummer|prüfziffer|cryptogramme|code de sécurité|código de seguridad"
    r"|رمز الأمان|رمز التحقق|セキュリティコード)\D{0,6}?)\d{3,4}(?!\d)",
    re.IGNORECASE,
)
SECRET_FIELD = re.compile(
    r"((?:passwor[dt]|kennwort|passphrase|mot de passe|contraseña|كلمة المرور|كلمة السر|パスワード|暗証番号"
    r"|\bpin(?:[ -]?code)?|\bpasscode)[ \t]*[:=\uff1a][ \t]*)\S+",
    re.IGNORECASE,
)

TEXT_KEYS = {"text", "comment", "name", "by_name", "note"}
"""What people wrote, in the data of events."""


def mask(text: str) -> str:
    """`text` without the secrets that can be told by their form, whatever stands before or behind them."""
    if DIGITS.search(text):
        text = IBAN_GROUPS.sub(lambda run: mask_run(run[0], LETTERS_AND_DIGITS, IBAN_LENGTHS, is_iban), text)
        text = DIGIT_GROUPS.sub(lambda run: mask_run(run[0], DIGITS, CARD_DIGITS, is_card), text)
        text = NEAR_CARD.sub(rf"\1{HIDDEN}", text)
        text = CHECK_NUMBER.sub(rf"\1{HIDDEN}", text)
    return SECRET_FIELD.sub(rf"\1{HIDDEN}", text)


def mask_data(data: Any) -> Any:
    """An event's data with what people wrote in it masked."""
    if isinstance(data, dict):
        return {
            key: mask(value) if key in TEXT_KEYS and isinstance(value, str) else mask_data(value)
            for key, value in data.items()
        }
    return [mask_data(value) for value in data] if isinstance(data, list) else data


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
