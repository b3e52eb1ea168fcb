"""What the embedded engine finds, in which order, and what it cannot be made to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from history.errors import Invalid
from history.models import INTERNAL, PUBLIC
from history.times import DAY_MS
from search import whoosh_matching
from search.engine import Ask, Scope
from search.parser import parse
from search.query import Words
from search.whoosh_engine import WhooshEngine
from tests.search.engines import whoosh
from tests.search.index import EVERYTHING, START_MS, find, message


def test_the_best_fit_comes_first_when_asked_for(engine: WhooshEngine) -> None:
    engine.commit([message(1, "coat coat coat", at=1), message(2, "a coat and many other things", at=2)])
    query = parse("coat", 0, "")
    assert [hit.key.seq for hit in engine.search(query, EVERYTHING, Ask("new")).items] == [2, 1]
    assert [hit.key.seq for hit in engine.search(query, EVERYTHING, Ask("best")).items] == [1, 2]


def test_an_empty_scope_finds_nothing(engine: WhooshEngine) -> None:
    engine.commit([message(1, "coat")])
    for scope in (Scope(chats=frozenset()), Scope(streams=frozenset()), Scope(customer_id="")):
        assert find(engine, "coat", scope) == []


@pytest.mark.parametrize(
    "q",
    [
        *("from:c2", ") OR (from:c2", '" OR "', "canary -coat", "-coat", "after:1970", "can*", "canarx~", "-(-canary)"),
        *("from:customer", "from:agent -x", "from:@c2", "tags:customer:c2", "@customer:c2", "@chat:2", "{a TO z}"),
    ],
)
def test_no_query_leads_out_of_the_scope(engine: WhooshEngine, q: str) -> None:
    engine.commit([message(1, "coat"), message(2, "canary c2 or", chat=2, customer="c2")])
    page = engine.search(parse(q, START_MS, "c2"), Scope(customer_id="c1"), Ask())
    assert {hit.key.chat_pk for hit in page.items} <= {1} and page.total <= 1


def test_a_page_goes_on_behind_the_last_hit_though_new_ones_have_come(engine: WhooshEngine) -> None:
    engine.commit([message(seq, "coat", at=seq) for seq in range(1, 6)])
    query = parse("coat", 0, "")
    first = engine.search(query, EVERYTHING, Ask(limit=2))
    engine.commit([message(9, "coat", at=9)])
    assert [hit.key.seq for hit in engine.search(query, EVERYTHING, Ask(cursor=first.next, limit=2)).items] == [3, 2]


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "' OR 1=1", "A" * 10_000])
def test_a_wrong_cursor_is_refused(engine: WhooshEngine, cursor: str) -> None:
    with pytest.raises(Invalid):
        engine.search(parse("coat", 0, ""), EVERYTHING, Ask(cursor=cursor))


def test_what_lies_beyond_the_heads_is_cut_off(engine: WhooshEngine) -> None:
    engine.commit(
        [message(1, "coat"), message(2, "coat"), message(3, "coat", stream=INTERNAL), message(4, "coat", chat=2)]
    )
    engine.cut({(1, PUBLIC): 1, (1, INTERNAL): 3})
    assert sorted(find(engine, "coat")) == [1, 3]


def test_many_small_commits_keep_few_segments_and_all_messages(engine: WhooshEngine, tmp_path: Path) -> None:
    for seq in range(1, 101):
        engine.commit([message(seq, f"coat number{seq}")], [message(seq - 7, "").key] if seq % 10 == 0 else [])
    assert engine.count() == 90
    assert find(engine, "number99") == [99] and find(engine, "number93") == []
    assert len(list((tmp_path / "index").glob("*.seg"))) < 25


def test_a_prefix_of_very_many_words_stands_for_the_most_frequent_and_says_so(
    engine: WhooshEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whoosh_matching, "EXPANSIONS", 2)
    engine.commit([message(1, "coata coata"), message(2, "coatb"), message(3, "coatb coatc"), message(4, "coatc")])
    page = engine.search(parse("coat*", 0, ""), EVERYTHING, Ask())
    assert page.partial and {hit.key.seq for hit in page.items} == {2, 3, 4}


COSTLY = [
    '"' + "a " * 120 + '"',
    "-" + '"' + "a " * 120 + '"',
    '"a a" ' * 24,
    "aaa* " * 24,
    "-aaa* " * 24,
    "a " * 24,
    "-a " * 24,
    "a" * 512,
    "a-" * 128,
    "from:a " * 24,
]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhooshEngine]:
    """An engine with very many words."""
    with whoosh(tmp_path_factory.mktemp("full") / "index") as engine:
        engine.search_seconds = 10.0
        engine.commit([message(seq, "a " * 4000 + f"aaa{seq} aaab") for seq in range(1, 40)])
        yield engine


@pytest.mark.parametrize("q", COSTLY)
def test_a_costly_search_ends_when_its_time_is_over(
    full: WhooshEngine, q: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that moves on by itself: what counts is how often the search goes on after its end."""
    looks = iter(range(10_000))
    monkeypatch.setattr(whoosh_matching.time, "monotonic", lambda: float(next(looks)))
    full.search(parse(q, 0, ""), EVERYTHING, Ask())
    assert next(looks) < 200


def test_dates_are_borders_of_days(engine: WhooshEngine) -> None:
    day = START_MS - START_MS % DAY_MS
    engine.commit(
        [message(seq, "coat")._replace(at_ms=day + offset) for seq, offset in enumerate((-1, 0, DAY_MS - 1, DAY_MS), 1)]
    )
    assert find(engine, "after:2023-11-14") == [4, 3, 2]
    assert find(engine, "before:2023-11-15 after:2023-11-14") == [3, 2]


def test_words_and_phrases_next_to_each_other(engine: WhooshEngine) -> None:
    engine.commit([message(1, "The red coat"), message(2, "coat, red"), message(3, "a coat of Red")])
    assert find(engine, "red coat") == [3, 2, 1]
    assert find(engine, '"red coat"') == [1]
    assert find(engine, 'coat -"red coat"') == [3, 2]
    assert isinstance(parse('"red coat"', 0, "").where.clauses[0], Words)
