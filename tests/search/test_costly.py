"""Searches that bring down other search engines are answered or refused, and the next one is answered as ever."""

import pytest

from tests.search.office import AGENT, Office

COSTLY = {
    "one word 160 times, quoted": '"' + "coat " * 160 + '"',
    "as long a phrase as is allowed": '"' + "a " * 127 + 'a"',
    "3,000 words": "coat " * 3000,
    "200 kB of words": " ".join(f"word{number}" for number in range(25_000)),
    "a word of 512 letters": "a" * 512,
    "a word of 100,000 letters": "a" * 100_000,
    "spelling ~9": "coat~9",
    "a spelling of 500 letters": "a" * 500 + "~",
    "24 spellings": " ".join(f"coatings{number}~" for number in range(24)),
    "24 beginnings": "coa* " * 24,
    "a beginning of one letter": "u*",
    "stars everywhere": "*w*1* " * 8,
    "a star alone": "*",
    "a range": "[a TO zzz]",
    "nearness": '"w1 w2"~999999',
    "fields": "text:* *:* tags:*",
    "1,000 brackets": "(" * 1000 + "coat" + ")" * 1000,
    "brackets to the limit": "(" * 255 + "coat" + ")" * 255,
    "2,000 minuses": "-" * 2000 + "coat",
    "2,000 NOTs": "NOT " * 2000 + "coat",
    "24 words unwanted": "-coat " * 24,
    "24 alternatives": " OR ".join(["coat"] * 24),
    "alternatives of alternatives": "((a OR b) OR (c OR d)) -((e OR f) OR (a OR g))",
    "everything but something": "-(coat hat)",
    "another's query": ") OR (customer:other",
    "half of a letter": "\ud800*",
    "nothing": "\x00",
}


@pytest.fixture
def stocked(office: Office) -> Office:
    chat = office.starts("My coat is lost")
    for number in range(20):
        office.says(chat, f"coat coats coating{number} " + "a " * 2000)
    office.waits()
    return office


def test_a_costly_search_is_answered_or_refused_and_the_next_one_answered(stocked: Office) -> None:
    for name, q in COSTLY.items():
        answer = stocked.asks(AGENT, q.encode("utf-8", "replace").decode())
        assert answer["status"] in (200, 422), name
        assert answer["status"] == 200 or answer["detail"], name
        assert stocked.asks(AGENT, "lost")["total"] == 1, name
    assert not stocked.whoosh.doubt
