"""The embedded engine against a reader who goes through all messages, one by one."""

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history.errors import Invalid
from history.models import INTERNAL, PUBLIC
from history.times import DAY_MS
from search import whoosh_matching
from search.engine import Document, Hits, Key, Scope
from search.query import Author, Clause, Query, Words, parse
from search.whoosh_engine import WhooshEngine
from search.words import tokens
from tests.search.index import EVERYTHING, START_MS, an_engine, find, message

# The oracle


def is_found(document: Document, query: Query, scope: Scope) -> bool:
    return (
        (scope.chats is None or document.key.chat_pk in scope.chats)
        and (scope.customer_id is None or document.customer_id == scope.customer_id)
        and document.key.stream in scope.streams
        and (query.after_ms is None or document.at_ms >= query.after_ms)
        and (query.before_ms is None or document.at_ms < query.before_ms)
        and all(holds(document, clause) for clause in query.wanted)
        and not any(holds(document, clause) for clause in query.unwanted)
    )


def holds(document: Document, clause: Clause) -> bool:
    if isinstance(clause, Author):
        names = {token.text for token in tokens(document.name)}
        return (
            clause.role in (None, document.role)
            and clause.person_id in (None, document.person_id)
            and names.issuperset(clause.names)
        )
    places = defaultdict(set)
    for token in tokens(document.text):
        places[token.position].add(token.text)
    if clause.prefix:
        return any(name.startswith(clause.terms[0]) for names in places.values() for name in names)
    if any(clause.whole in names for names in places.values()):
        return True
    return any(
        all(term in places.get(place + behind, ()) for behind, term in enumerate(clause.terms))
        for place in list(places)
    )


VOCABULARY = ["red", "redder", "blue", "red-blue", "a", "the", "京都", "京", "👍", "ORD-17", "x.y"]
TEXTS = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=6).map(" ".join)
NAMES = st.sampled_from(["Alice Smith", "Bob Smith", "Zoë"])
KEYS = st.builds(Key, st.integers(1, 3), st.sampled_from([PUBLIC, INTERNAL]), st.integers(1, 8))
DOCUMENTS = st.builds(
    Document,
    KEYS,
    st.integers(START_MS, START_MS + 5),
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["customer", "agent"]),
    st.sampled_from(["c1", "c2", "mira"]),
    NAMES,
    TEXTS,
)
COMMITS = st.lists(
    st.tuples(st.lists(DOCUMENTS, max_size=6), st.lists(KEYS, max_size=2)),
    max_size=4,
)
CLAUSES = st.sampled_from(
    [
        *("red", "the", "redder", "red*", "ord*", "京", "京都", "👍", "x.y", "red-blue", "redblue", "ord-17", "17"),
        *('"red blue"', '"a a"', '"the red blue"', '"a the"', '"blue red 京都"', "from:customer", "from:me"),
        *("from:smith", 'from:"alice smith"', "from:zoe", "from:nobody", "absent", '"absent red"'),
    ]
).map(lambda typed: parse(typed, 0, "c1").wanted[0])
QUERIES = st.builds(
    Query,
    st.lists(CLAUSES, max_size=3).map(tuple),
    st.lists(CLAUSES, max_size=2).map(tuple),
    st.none() | st.integers(START_MS, START_MS + 5),
    st.none() | st.integers(START_MS, START_MS + 6),
)
SCOPES = st.builds(
    Scope,
    st.none() | st.frozensets(st.integers(1, 3)),
    st.none() | st.sampled_from(["c1", "c2", "nobody"]),
    st.sampled_from([frozenset({PUBLIC}), frozenset({PUBLIC, INTERNAL}), frozenset()]),
)


@settings(max_examples=60, deadline=None)
@given(COMMITS, st.lists(st.tuples(QUERIES, SCOPES), min_size=1, max_size=8))
def test_it_finds_what_somebody_finds_who_reads_all_messages(
    commits: list[tuple[list[Document], list[Key]]], asked: list[tuple[Query, Scope]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, an_engine(Path(folder) / "index") as engine:
        kept: dict[Key, Document] = {}
        for added, deleted in commits:
            new = {document.key: document for document in added}
            engine.commit(new.values(), [*deleted, *new])  # what is added again replaces what was there
            kept = {key: document for key, document in kept.items() if key not in deleted} | new
        assert engine.count() == len(kept)
        for query, scope in asked:
            check_answer(engine, kept.values(), query, scope, limit=2)


def test_it_finds_the_same_among_many_messages(engine: WhooshEngine) -> None:
    """Enough for posting lists of several blocks."""
    dice = random.Random(17)
    documents = [
        message(seq, " ".join(dice.choices(VOCABULARY, k=6)), chat=seq % 7, customer=f"c{seq % 3}", at=seq % 50)
        for seq in range(1, 801)
    ]
    engine.commit(documents[:600])
    engine.commit(documents[600:], [document.key for document in documents[:50]])
    for text in (
        "red blue",
        "redder -red",
        '"red blue" the',
        "京* -blue",
        "ord-17 from:alice -x.y",
        "-red -the",
        "red*",
    ):
        for scope in (EVERYTHING, Scope(customer_id="c1"), Scope(chats=frozenset({2, 3}))):
            check_answer(engine, documents[50:], parse(text, 0, ""), scope, limit=40)


def check_answer(engine: WhooshEngine, kept: Iterable[Document], query: Query, scope: Scope, limit: int) -> None:
    found = sorted(((doc.at_ms, doc.key) for doc in kept if is_found(doc, query, scope)), reverse=True)
    for sort in ("new", "best"):
        pages = list(all_pages(engine, query, scope, sort, limit))
        hits = [(hit.at_ms, hit.key) for page in pages for hit in page.items]
        assert {page.total for page in pages} == {len(found)}
        assert not any(page.partial for page in pages)
        assert (hits if sort == "new" else sorted(hits, reverse=True)) == found


def all_pages(engine: WhooshEngine, query: Query, scope: Scope, sort: str, limit: int) -> Iterator[Hits]:
    cursor = None
    while True:
        page = engine.search(query, scope, sort, cursor, limit)  # type: ignore[arg-type]
        yield page
        if (cursor := page.next) is None:
            return


def test_the_best_fit_comes_first_when_asked_for(engine: WhooshEngine) -> None:
    engine.commit([message(1, "coat coat coat", at=1), message(2, "a coat and many other things", at=2)])
    query = parse("coat", 0, "")
    assert [hit.key.seq for hit in engine.search(query, EVERYTHING, "new").items] == [2, 1]
    assert [hit.key.seq for hit in engine.search(query, EVERYTHING, "best").items] == [1, 2]


def test_an_empty_scope_finds_nothing(engine: WhooshEngine) -> None:
    engine.commit([message(1, "coat")])
    for scope in (Scope(chats=frozenset()), Scope(streams=frozenset()), Scope(customer_id="")):
        assert find(engine, "coat", scope) == []


@pytest.mark.parametrize(
    "q",
    [
        *("customer:c2", ") OR (customer:c2", '" OR "', "canary -coat", "-coat", "after:1970", "can*", "chat:2"),
        *("from:customer", "from:agent -x", "customer:c2*", "tags:customer:c2", "{a TO z}"),
    ],
)
def test_no_query_leads_out_of_the_scope(engine: WhooshEngine, q: str) -> None:
    engine.commit([message(1, "coat"), message(2, "canary c2 or", chat=2, customer="c2")])
    page = engine.search(parse(q, START_MS, "c2"), Scope(customer_id="c1"))
    assert {hit.key.chat_pk for hit in page.items} <= {1} and page.total <= 1


def test_a_page_goes_on_behind_the_last_hit_though_new_ones_have_come(engine: WhooshEngine) -> None:
    engine.commit([message(seq, "coat", at=seq) for seq in range(1, 6)])
    query = parse("coat", 0, "")
    first = engine.search(query, EVERYTHING, limit=2)
    engine.commit([message(9, "coat", at=9)])
    assert [hit.key.seq for hit in engine.search(query, EVERYTHING, cursor=first.next, limit=2).items] == [3, 2]


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "' OR 1=1", "A" * 10_000])
def test_a_wrong_cursor_is_refused(engine: WhooshEngine, cursor: str) -> None:
    with pytest.raises(Invalid):
        engine.search(parse("coat", 0, ""), EVERYTHING, cursor=cursor)


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
    page = engine.search(parse("coat*", 0, ""), EVERYTHING)
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


@pytest.mark.parametrize("q", COSTLY)
def test_a_costly_search_ends_when_its_time_is_over(
    engine: WhooshEngine, q: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that moves on by itself: what counts is how often the search goes on after its end."""
    engine.search_seconds = 10.0
    engine.commit([message(seq, "a " * 4000 + f"aaa{seq} aaab") for seq in range(1, 40)])
    looks = iter(range(10_000))
    monkeypatch.setattr(whoosh_matching.time, "monotonic", lambda: float(next(looks)))
    engine.search(parse(q, 0, ""), EVERYTHING)
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
    assert isinstance(parse('"red coat"', 0, "").wanted[0], Words)
