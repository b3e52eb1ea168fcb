"""The engine of a fleet: long texts, one server that writes, tables that others may touch, and a time limit."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.errors import QueryCanceled

from history.db import Store
from history.errors import Busy, Invalid
from search.engine import Ask, Key
from search.parser import parse
from search.places import PLACE_FORM, write_cursor
from search.postgres_engine import PostgresEngine
from search.postgres_time import TimedCursor
from tests.conftest import MakeDatabase
from tests.history.scene import wait_until
from tests.search.engines import postgres
from tests.search.index import EVERYTHING, FIRST_PAGE, START_MS, find, message

MONTH_MS = 30 * 24 * 3_600_000


@pytest.fixture(scope="module")
def url(make_postgres: MakeDatabase) -> Iterator[str]:
    with make_postgres() as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[PostgresEngine]:
    with postgres(url) as engine:
        yield engine


def test_a_long_text_of_many_words_is_found_by_each(engine: PostgresEngine) -> None:
    words = [f"w{number}" for number in range(2500)]
    engine.commit([message(1, " ".join(words)), message(2, "\\ ' '' :1A w7 & | ! <-> %s")])
    assert find(engine, "w0 w1234 w2499") == [1]
    assert find(engine, '"w1233 w1234"') == [1]
    engine.commit([message(3, " ".join(f"number{number}" for number in range(20_000)))])
    assert find(engine, '"number19000 number19001"') == [3] and find(engine, '"number19001 number19000"') == []
    assert find(engine, '"number16381 number19000"') == [], "a tsvector's last places are one"
    assert find(engine, "w7") == [2, 1]


def test_one_server_writes_all_search_and_another_takes_over(url: str, engine: PostgresEngine) -> None:
    with closing(Store(url)) as store, closing(PostgresEngine(store, "a", 60.0)) as other:
        edition = engine.commit([message(1, "coat")])
        assert not other.claim()
        with pytest.raises(Busy):
            other.commit([message(2, "coat")])
        assert find(other, "coat") == [1]
        engine.close()
        assert other.claim() and other.check() == edition
        other.commit([message(2, "coat")])
        assert find(engine, "coat") == [2, 1]


def test_a_server_that_lost_its_connection_writes_nothing_before_it_has_the_lock_again(
    url: str, engine: PostgresEngine
) -> None:
    engine.commit([message(1, "coat")])
    assert engine.owner
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", (engine.owner.info.backend_pid,))
    with pytest.raises(Busy):
        engine.commit([message(2, "coat")])
    assert find(engine, "coat") == [1]
    assert engine.claim()
    engine.commit([message(2, "coat")])
    assert find(engine, "coat") == [2, 1]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM search_a.message WHERE seq = 1",
        "DROP TABLE search_a.message",
        "DELETE FROM search_a.said WHERE id = 1",
        "DELETE FROM search_a.kind",
        "UPDATE search_a.said SET words = '' WHERE id = 1; REINDEX TABLE search_a.message; "
        "UPDATE search_a.said SET words = (SELECT words FROM search_a.said WHERE id = 2) WHERE id = 1",
        "DROP TABLE search_a.said",
        "DROP TABLE search_a.kind",
        "DROP TABLE search_a.word",
        "DROP INDEX search_a.message_words",
        "DROP FUNCTION search_a.said_of",
        "DROP FUNCTION search_a.words_of CASCADE",
        "DROP TABLE search_a.edition",
        "UPDATE search_a.edition SET format = 'another'",
    ],
)
def test_an_index_that_was_touched_is_not_trusted(url: str, engine: PostgresEngine, damage: str) -> None:
    engine.commit([message(1, "coat"), message(2, "coat")])
    assert engine.check()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(damage)
    assert engine.check() is None
    before = engine.reset()
    assert engine.check() == before and engine.count() == 0


def test_tables_that_vanish_put_the_index_in_doubt(url: str, engine: PostgresEngine) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP TABLE search_a.message")
    with pytest.raises(Busy):
        find(engine, "coat")
    assert engine.doubt


def test_a_search_beside_tables_that_are_being_made_is_told_to_wait(url: str, engine: PostgresEngine) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DELETE FROM search_a.edition")
    with pytest.raises(Busy):
        find(engine, "coat")


def test_a_commit_that_fails_leaves_nothing(engine: PostgresEngine) -> None:
    before = engine.commit([message(1, "coat")])
    with pytest.raises(psycopg.DataError):
        engine.commit([message(2, "coat"), message(2**63, "coat")])
    assert engine.check() == before and find(engine, "coat") == [1]
    assert engine.frequencies(["coat"]) == {"coat": 1}


def test_a_search_without_time_says_that_there_may_be_more(engine: PostgresEngine) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    engine.commit([message(seq, f"{words} {words[::-1]}") for seq in range(1, 3000)])
    engine.search_seconds = 0.001
    query = parse(" ".join(f"-x{number} word{number}*" for number in range(9, 19)), START_MS, "c1")
    assert engine.search(query, EVERYTHING, FIRST_PAGE).partial


def test_what_is_found_too_often_to_be_gathered_is_looked_for_among_the_newest(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.postgres_answer.EXACT_HITS", 3)
    monkeypatch.setattr("search.postgres_gather.EXACT_HITS", 3)
    monkeypatch.setattr("search.postgres_counts.EXACT_HITS", 3)
    engine.commit([message(seq, "coat", chat=seq) for seq in range(1, 8)])

    def found(text: str, ask: Ask) -> tuple[int, int | None, bool, list[int]]:
        hits = engine.search(parse(text, START_MS, "c1"), EVERYTHING, ask)
        return hits.total, hits.chats, hits.partial, [hit.key.seq for hit in hits.items]

    assert found("coat", Ask(limit=2)) == (7, None, False, [7, 6])
    assert found("coat -hat", Ask(limit=2)) == (3, None, True, [7, 6])
    assert found("coat", Ask("best", limit=2)) == (7, None, False, [7, 6])
    assert found("coat", Ask(limit=2, collapse=True)) == (7, None, False, [7, 6])
    assert found("coat -hat", Ask(limit=2, collapse=True)) == (3, None, True, [7, 6])


def test_facets_of_what_is_found_too_often_are_estimated_by_some_chats(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.commit([message(1, "coat", chat=chat, at=chat % 2 * 2 * MONTH_MS) for chat in range(1, 1001)])
    query, ask = parse("coat", START_MS, "c1"), Ask(facets=True)
    exact = engine.search(query, EVERYTHING, ask).facets
    assert exact and not exact.estimated and len(exact.by_chat) == 1000
    for most in ("EXACT_FACETS", "EXACT_HITS"):
        monkeypatch.setattr(f"search.postgres_answer.{most}", 3)
        hits = engine.search(query, EVERYTHING, ask)
        found = hits.facets
        assert found and found.estimated and hits.total == 1000 and not hits.partial
        assert 1 < len(found.by_chat) < 500
        assert sum(found.by_chat.values()) == sum(found.by_month.values()) == 1000
        assert found.by_month.keys() == exact.by_month.keys() and min(found.by_month.values()) > 250
        assert found.by_tag == exact.by_tag, "all have the same"


@pytest.mark.parametrize("words", ["coat", "coat OR hat", "coat OR hat sort:best"])
def test_where_facets_are_estimated_all_else_is_exact_but_in_how_many_chats(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    engine.commit([message(seq, "a coat", chat=chat, at=chat) for chat in range(1, 501) for seq in (1, 2)])
    engine.commit([message(3, "hat", chat=chat, at=chat) for chat in range(1, 3)])
    query = parse(words, START_MS, "c1")
    for collapse in (False, True):
        ask = Ask(query.sort or "new", facets=True, collapse=collapse)
        exact = engine.search(query, EVERYTHING, ask)
        with monkeypatch.context() as patch:
            patch.setattr("search.postgres_answer.EXACT_FACETS", 3)
            hits = engine.search(query, EVERYTHING, ask)
        assert hits.facets and hits.facets.estimated and not hits.partial
        assert (hits.total, hits.items, hits.next) == (exact.total, exact.items, exact.next)
        assert hits.chats is None if not collapse else 250 < (hits.chats or 0) < 1000


def test_two_words_are_found_where_they_stand_next_to_each_other(engine: PostgresEngine) -> None:
    engine.commit(
        [message(1, "a coat, red"), message(2, "a red coat"), message(3, "a red-blue coat"), message(4, "red")]
    )
    assert find(engine, '"red coat"') == [2]
    assert find(engine, '"blue coat"') == [3] and find(engine, '"a red"') == [3, 2]
    assert find(engine, '"a red coat"') == [2] and find(engine, '"red coat" OR "coat red"') == [2, 1]
    assert find(engine, '-"red coat"') == [4, 3, 1]
    engine.commit([message(5, "one refundable red coat"), message(6, "refundable: one coat, red")])
    assert find(engine, '"refundable red"') == [5] and find(engine, '"one refundable red coat"') == [5]
    assert find(engine, '"refundable red" OR "coat red"') == [6, 5, 1]


def test_the_best_of_an_empty_index_are_none(engine: PostgresEngine) -> None:
    assert find(engine, "coat OR -hat", ask=Ask("best")) == []


@pytest.mark.parametrize("collapse", [False, True])
def test_the_best_are_the_same_however_few_are_scored_first(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch, collapse: bool
) -> None:
    texts = ["coats", "a coat", "red coats and a coat", "the red coat that has everything", "coat", "a red hat"]
    engine.commit([message(seq, texts[seq % 6], chat=1 + seq % 9, at=seq) for seq in range(1, 60)])

    def pages() -> Iterator[list[tuple[float, Key]]]:
        cursor = None
        while True:
            hits = engine.search(
                parse("coat OR red", START_MS, "c1"), EVERYTHING, Ask("best", cursor, 3, collapse=collapse)
            )
            yield [(hit.score, hit.key) for hit in hits.items]
            if (cursor := hits.next) is None:
                return

    scored_all = list(pages())
    monkeypatch.setattr("search.postgres_gather.SCORED", 5)
    monkeypatch.setattr("search.postgres_gather.SCORED_BEHIND", 5)
    assert list(pages()) == scored_all and len(scored_all) > 2


def test_the_pages_of_what_is_found_too_often_go_on_to_the_last_one(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.postgres_answer.EXACT_HITS", 3)
    monkeypatch.setattr("search.postgres_gather.EXACT_HITS", 3)
    monkeypatch.setattr("search.postgres_page.EDGE_MESSAGES", 2)
    engine.commit([message(seq, "coat" if seq < 7 else "hat", chat=seq) for seq in range(1, 13)])
    for text in ("coat", "coat -scarf"):
        pages: list[list[int]] = []
        cursor: str | None = None
        while cursor or not pages:
            hits = engine.search(parse(text, START_MS, "c1"), EVERYTHING, Ask("new", cursor, limit=2))
            pages.append([hit.key.seq for hit in hits.items])
            cursor = hits.next
        assert pages == [[6, 5], [4, 3], [2, 1]]


def test_the_best_of_a_common_word_or_a_rare_one_are_looked_for_among_few(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.commit([message(seq, "coat" if seq % 2 else "hat") for seq in range(1, 80)])
    engine.commit([message(seq, "coat" if seq % 2 else "hat", at=MONTH_MS) for seq in range(80, 120)])
    engine.commit([message(200, "a coat among many other things that somebody said of something very rare indeed")])
    statements: list[str] = []
    execute = TimedCursor.execute

    def counted(cursor: TimedCursor, sql: str, params: Sequence[Any] = ()) -> Any:
        statements.append(sql)
        return execute(cursor, sql, params)

    monkeypatch.setattr(TimedCursor, "execute", counted)
    monkeypatch.setattr("search.postgres_best.LOOKED_AT", (30,))
    monkeypatch.setattr("search.postgres_score.RARE_MESSAGES", 5)
    assert find(engine, "coat OR rare", ask=Ask("best", limit=2)) == [200, 119]
    assert len(statements) == 5, (
        "two that count, two that look at those of the most worth or with it, one that counts all"
    )
    assert "count(*)" in statements[-1] and "score" not in statements[-1]


def test_a_time_that_is_up_ends_each_statement_until_there_is_more(url: str) -> None:
    with closing(Store(url)) as store, store.reading() as driver:
        cursor = TimedCursor(driver.cursor, time.monotonic())
        cursor.begin()
        for _ in range(2):
            with pytest.raises(QueryCanceled):
                cursor.execute("SELECT pg_sleep(60)")
            cursor.back(time.monotonic())
        cursor.back(time.monotonic() + 60)
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    "command",
    [
        "REINDEX TABLE search_a.message",
        "REINDEX INDEX search_a.message_words",
        "VACUUM FULL search_a.message",
        "CLUSTER search_a.message USING message_in_time",
    ],
)
def test_an_index_that_is_made_again_beside_a_commit_has_its_words(
    url: str, engine: PostgresEngine, command: str
) -> None:
    engine.commit([message(seq, "hat") for seq in range(1, 2000)])

    def waiting() -> int:
        (count,) = admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() or (0,)
        return int(count)

    with (
        ThreadPoolExecutor() as threads,
        psycopg.connect(url, autocommit=True) as beside,
        psycopg.connect(url, autocommit=True) as admin,
    ):
        with admin.transaction():
            admin.execute("LOCK TABLE search_a.word IN SHARE MODE")  # what a commit writes last
            commit = threads.submit(engine.commit, [message(2000, "coat")])
            wait_until(lambda: waiting() == 1)
            remake = threads.submit(beside.execute, command)
            wait_until(lambda: waiting() == 2)
        commit.result()
        remake.result()
    assert find(engine, "coat") == [2000]


@pytest.mark.parametrize("collapse", [False, True])
def test_what_is_looked_for_among_the_newest_is_looked_for_in_its_time(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch, collapse: bool
) -> None:
    monkeypatch.setattr("search.postgres_answer.EXACT_HITS", 3)
    monkeypatch.setattr("search.postgres_gather.EXACT_HITS", 3)
    monkeypatch.setattr("search.postgres_answer.EDGE_MESSAGES", 3)
    monkeypatch.setattr("search.postgres_page.AHEAD", 1_000_000)
    engine.commit([message(seq, "coat", chat=seq, at=seq // 7 * MONTH_MS) for seq in range(1, 13)])
    for sort, seqs in (("new", [6, 5]), ("old", [1, 2]), ("best", [6, 5])):
        assert find(engine, "coat before:2023-12-01", ask=Ask(sort, limit=2, collapse=collapse)) == seqs


def test_a_page_that_is_found_is_shown_though_nothing_can_be_counted(url: str, engine: PostgresEngine) -> None:
    engine.commit([message(seq, "coat") for seq in range(1, 100)])
    engine.search_seconds = 3.0
    with psycopg.connect(url) as admin:
        admin.execute("LOCK TABLE search_a.kind")
        hits = engine.search(parse("coat", START_MS, "c1"), EVERYTHING, Ask(limit=2, facets=True))
    assert [hit.key.seq for hit in hits.items] == [99, 98] and hits.next
    assert hits.partial and hits.total == 2


def test_what_is_left_of_very_many_is_not_counted_if_it_must_be_too_many(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.commit([message(seq, "coat hat" if seq in (3, 5) else "coat", at=seq) for seq in range(1, 9)])

    def found(text: str) -> tuple[int, bool, list[int]]:
        hits = engine.search(parse(text, START_MS, "c1"), EVERYTHING, Ask(limit=3))
        return hits.total, hits.partial, [hit.key.seq for hit in hits.items]

    for text, seqs in (("coat -hat", [8, 7, 6]), ("coat -scarf", [8, 7, 6]), ("-hat", [8, 7, 6]), ("hat -coat", [])):
        exact = found(text)
        assert exact[1:] == (False, seqs), text
        with monkeypatch.context() as patch:
            for module in ("answer", "gather", "counts"):
                patch.setattr(f"search.postgres_{module}.EXACT_HITS", 3)
            total = min(exact[0], 3)
            assert found(text) == (total, exact[0] > 3, seqs), text


def test_a_page_of_more_than_was_foreseen_is_the_right_one(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.commit([message(1, "coat" if chat < 5 else "hat", chat=chat, at=chat) for chat in range(1, 9)])
    monkeypatch.setattr("search.postgres_answer.EXACT_FACETS", 2)
    for module in ("answer", "gather", "counts"):
        monkeypatch.setattr(f"search.postgres_{module}.EXACT_HITS", 5)
    hits = engine.search(parse("coat OR hat", START_MS, "c1"), EVERYTHING, Ask(limit=10, collapse=True, facets=True))
    assert hits.partial and hits.total == 5 and hits.facets and hits.facets.estimated
    assert [hit.key.chat_pk for hit in hits.items] == [8, 7, 6, 5, 4, 3], "not the first six"


def test_the_sample_is_not_cut(engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.commit([message(1, "coat", chat=chat, at=chat // 501 * 3 * MONTH_MS) for chat in range(1, 1001)])
    for module in ("answer", "counts"):
        monkeypatch.setattr(f"search.postgres_{module}.EXACT_HITS", 10)
    found = engine.search(parse("coat", START_MS, "c1"), EVERYTHING, Ask(facets=True)).facets
    assert found and len(found.by_month) == 2 and min(found.by_month.values()) > 250


def test_facets_of_few_chats_are_counted(engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.commit([message(seq, "coat", chat=chat, at=seq) for chat in range(1, 11) for seq in range(1, 6)])
    monkeypatch.setattr("search.postgres_answer.EXACT_FACETS", 3)
    hits = engine.search(parse("coat", START_MS, "c1"), EVERYTHING, Ask(collapse=True, facets=True))
    assert hits.facets and not hits.facets.estimated
    assert hits.facets.by_chat == dict.fromkeys(range(1, 11), 5) and hits.chats == 10


@pytest.mark.parametrize("score", [0.0, -1.0, 5e-324, 1e308])
def test_a_cursor_of_another_order_is_no_error(engine: PostgresEngine, score: float) -> None:
    engine.commit([message(seq, "a coat", at=seq) for seq in range(1, 4)])
    cursor = write_cursor((score, b"\x7f" * PLACE_FORM.size))
    hits = engine.search(parse("coat", START_MS, "c1"), EVERYTHING, Ask("best", limit=1, cursor=cursor))
    assert len(hits.items) == (score > 1)


@pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan])
def test_a_cursor_without_a_score_is_refused(engine: PostgresEngine, score: float) -> None:
    cursor = write_cursor((score, b"\x7f" * PLACE_FORM.size))
    with pytest.raises(Invalid, match="cursor"):
        engine.search(parse("coat", START_MS, "c1"), EVERYTHING, Ask("best", cursor=cursor))
