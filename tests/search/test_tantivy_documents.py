"""A message on its way into tantivy's index: nothing that people write breaks the JSON that it travels in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.engine import Ask, Document, Key, Scope
from search.query import AllOf, Query, Tagged
from search.tantivy_engine import TantivyEngine
from tests.search.engines import tantivy
from tests.search.index import START_MS, find, message

STRANGE = (
    *("\x00", "\x01", "\t", "\n", "\r\n", "\x1f", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\uffff", "\U0010ffff"),
    *(
        '"',
        '""',
        "\\",
        "\\\\",
        '\\"',
        '"\\',
        "\\u0022",
        "\\n",
        '",',
        '"}',
        '"]}',
        '{"text":"x"}',
        "[0,0,0",
        "%s",
        "{0}",
    ),
    *("'", "a b", " ", "", "é", "e\u0301", "京", "👍🏽", "🇩🇪", "~a", "@customer:c1"),
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[TantivyEngine]:
    with tantivy(tmp_path / "index") as engine:
        yield engine


def tagged(seq: int, strange: str) -> Document:
    return Document(Key(seq, 0, seq), START_MS, f"c{strange}", frozenset({f"person:{strange}", "via:web"}), "coat")


def test_strange_texts_are_found_by_the_words_in_them(engine: TantivyEngine) -> None:
    texts = [f"coat {strange}hat{strange} t-shirt {strange}{strange}" for strange in STRANGE]
    texts += [f"{strange} coat \ud800 t-shirt{strange}" for strange in STRANGE if not strange.isalnum()]
    engine.commit([message(seq, text) for seq, text in enumerate(texts, 1)])
    assert engine.count() == len(texts)
    for word in ("coat", "tshirt OR t", "from:alice"):
        assert len(find(engine, word, ask=Ask(limit=200))) == len(texts), word


def test_strange_tags_and_customers_are_nobody_elses(engine: TantivyEngine) -> None:
    engine.commit([tagged(seq, strange) for seq, strange in enumerate(STRANGE, 1)])
    assert engine.count() == len(STRANGE)
    for seq, strange in enumerate(STRANGE, 1):
        query = Query(AllOf((Tagged(f"person:{strange}"),)))
        for scope in (Scope(), Scope(customer_id=f"c{strange}")):
            assert [hit.key.seq for hit in engine.search(query, scope, Ask()).items] == [seq], strange


def test_a_phrase_goes_through_a_place_with_several_names_and_on(engine: TantivyEngine) -> None:
    engine.commit([message(1, "i like a t-shirt and 東京都 today ok"), message(2, "ok"), message(3, "a-b c-d")])
    engine.commit([message(4, "email an e-mail to a@b.example or e-mail email")])
    for phrase in ("mail email", "an email", "email an e mail to", "or email", "or e mail email", "to abexample or"):
        assert find(engine, f'"{phrase}"') == ([4] if "abexample" not in phrase else []), phrase
    for phrase in ("like a t shirt and", "a tshirt", "shirt and 東京 都 today ok", "today ok"):
        assert find(engine, f'"{phrase}"') == [1], phrase
    for phrase in ("tshirt and", "and today", "東京都 ok", "ok i", "ab cd"):
        assert find(engine, f'"{phrase}"') == [], phrase
