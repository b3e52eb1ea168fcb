# ruff: noqa: RUF001  (digits of many scripts are what this is about)
"""Numbers that must not travel by mail."""

import pytest

from history.masking import mask


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("4111111111111111", "•••• 1111"),
        ("my card 4111 1111 1111 1111 please", "my card •••• 1111 please"),
        ("4111-1111-1111-1111", "•••• 1111"),
        ("4111 1111\n1111 1111", "•••• 1111"),
        ("4111 1111 1111 1111 12/29", "•••• 1111 12/29"),
        ("order 1 4111 1111 1111 1111", "order 1 •••• 1111"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "•••• ١١١١"),
        ("3782 822463 10005", "•••• 0005"),
        ("4111 1111 1111 1111 and 5500 0000 0000 0004", "•••• 1111 and •••• 0004"),
        ("DE89 3704 0044 0532 0130 00 is mine", "•••• 3000 is mine"),
        ("GB29NWBK60161331926819", "•••• 6819"),
        ("gb29 nwbk 6016 1331 9268 19 thanks", "•••• 6819 thanks"),
        ("4111\u200b1111\u20601111_1111", "•••• 1111"),
        ("DE89 3704 0044\n0532 0130 00", "•••• 3000"),
        ("４１１１ １１１１ １１１１ １１１１", "•••• １１１１"),
    ],
)
def test_a_card_or_bank_number_keeps_its_last_four_signs(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("4111 1111 1111 1111 12/29 123", "•••• 1111 12/29 •••"),
        ("4111 1111 1111 1111, 07.2029\nand on the back 4321.", "•••• 1111, 07.2029\nand on the back •••."),
        ("٤١١١ ١١١١ ١١١١ ١١١١ رمز الأمان ١٢٣", "•••• ١١١١ رمز الأمان •••"),
        ("My CVV is 123", "My CVV is •••"),
        ("Prüfnummer: 9876", "Prüfnummer: •••"),
        ("セキュリティコードは123です", "セキュリティコードは•••です"),
        ("Password: hunter2 and more", "Password: ••• and more"),
        ("user: ann\npasswort=geheim!", "user: ann\npasswort=•••"),
        ("PIN: 0000", "PIN: •••"),
        ("パスワード：himitsu", "パスワード：•••"),
    ],
)
def test_what_opens_a_card_or_an_account_is_not_shown_at_all(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111 1111 1111 1112",
        "call 030 1234567",
        "order 12345678901",
        "22 November 2026, 23:47",
        "DE88 3704 0044 0532 0130 00",
        "we are 12 and they are 13",
        "my password does not work",
        "the pin of the plug is bent",
        "room 123, floor 4",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert mask(text) == text
