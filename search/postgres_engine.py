"""The engine of a fleet: full text search of PostgreSQL, in the record's database (`engine.py` says what an engine
does). Needs the extra `postgres`, and is imported only where it was chosen.

Every server searches; the one that holds a lock of the database indexes, and writes on the very connection that holds
it, so that whoever has lost the lock cannot write.
"""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import QueryCanceled

from history.db import Cursor, Store
from history.errors import Busy
from search.engine import SEARCH_SECONDS, Ask, Document, Edition, Hits, Key, Scope, being_made_again, nothing
from search.facts import WAYS
from search.places import read_cursor
from search.postgres_answer import ahead, answer, page_of_edge, with_page
from search.postgres_expected import expected
from search.postgres_page import EDGE_MESSAGES, Wanted
from search.postgres_query import any_of, sought
from search.postgres_score import forms_of, score_of
from search.postgres_tables import FORMAT, TABLES, Kind, counted_in, row_of, tag_word
from search.postgres_time import TimedCursor
from search.postgres_vocabulary import (
    Expansion,
    OutOfTime,
    count_words,
    frequencies,
    is_known,
    near_to,
)
from search.query import Query

INDEX_LOCK = 7_465_740
"""The number of the advisory lock of the one server that indexes."""

IDENTITY_BITS = 62
"""An identity fits into a signed number of eight bytes."""

SHARES = (0.25, 0.6)
"""After how much of its time a search must know its words, and must have gathered what is found."""

EDGES = ((0.85, EDGE_MESSAGES), (1.0, EDGE_MESSAGES // 10))
"""Else after how much of it so many messages must have been looked at; the few where even the many take too long."""

SEARCH_SETTINGS = (
    "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '64MB'; "
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; "
    "SET LOCAL plan_cache_mode = force_custom_plan"
)
"""Words are read for the messages that the index has named, one by one."""

NEW_SCHEMA = ("DROP SCHEMA IF EXISTS {} CASCADE", "CREATE SCHEMA {}")
IN_SCHEMA = "SELECT set_config('search_path', %s, true)"

CHECKED = (
    "SELECT messages, identity, commits FROM edition WHERE format = %s "
    "AND messages = ALL(ARRAY[(SELECT count(*) FROM message), (SELECT count(*) FROM said)]) "
    "AND NOT EXISTS (SELECT FROM message WHERE kind NOT IN (SELECT kind FROM kind)) "
    "AND (SELECT count(*) FROM (SELECT near FROM word LIMIT 1) AS known) <= 1 "
    "AND words_of(0) IS NULL AND 'message_words'::regclass IS NOT NULL"
)
"""Of words, only that their table is there."""
BY_WORDS = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off"
INDEXED = "SELECT count(*) FROM message WHERE words_of(id) @@ %s::tsquery"

BEGIN = "INSERT INTO edition VALUES (%s, %s, 0, 0, 0)"
COUNT = "SELECT messages FROM edition"
NEXT = (
    "UPDATE edition SET commits = commits + 1, messages = messages + %s, last_id = last_id + %s "
    "RETURNING identity, commits, messages, last_id"
)
ANALYZE = "ANALYZE message, said, word"
"""Done whenever the index has become twice as large: plans are made by what PostgreSQL knows of it."""

DELETE = (
    "DELETE FROM message USING unnest(%s::bigint[], %s::smallint[], %s::bigint[]) "
    "AS gone (chat_pk, stream, seq) WHERE message.chat_pk = gone.chat_pk AND message.stream = gone.stream "
    "AND message.seq = gone.seq RETURNING message.id"
)
DELETE_WORDS = "DELETE FROM said WHERE id = ANY(%s) RETURNING tsvector_to_array(words)"
ADD_WORDS = "COPY said (id, words, pieces) FROM STDIN"
ADD = "COPY message (id, at_ms, chat_pk, stream, seq, worth, kind) FROM STDIN"
ADD_KINDS = (
    "INSERT INTO kind SELECT (SELECT count(*) FROM kind) + row_number() OVER (), month, shown FROM "
    "(SELECT * FROM unnest(%s::text[], %s::text[]) AS new (month, shown) EXCEPT SELECT month, shown FROM kind) AS new"
)
KINDS = (
    "SELECT month, shown, kind FROM kind "
    "JOIN unnest(%s::text[], %s::text[]) AS here (month, shown) USING (month, shown)"
)
BEYOND = (
    "SELECT chat_pk, stream, seq FROM message LEFT JOIN "
    "unnest(%s::bigint[], %s::smallint[], %s::bigint[]) AS kept (chat_pk, stream, head) USING (chat_pk, stream) "
    "WHERE seq > coalesce(head, 0)"
)

log = logging.getLogger("stillhere.search")


class PostgresEngine:
    """Search in the database of `store`, in the schema of a `place` for an index. `search_seconds` is what a search may
    take before it answers with what it has.
    """

    def __init__(self, store: Store, place: str, search_seconds: float = SEARCH_SECONDS) -> None:
        self.store = store
        self.schema = f"search_{place}"
        self.search_seconds = search_seconds
        self.dsn = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self.doubt = False
        self.owner: psycopg.Connection[Any] | None = None
        """The connection that holds the lock."""

    def claim(self) -> bool:
        if self.owner is not None and not self.owner.closed:
            return True
        owner = psycopg.connect(self.dsn, autocommit=True)
        row = owner.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (INDEX_LOCK, self.schema)).fetchone()
        if not row or not row[0]:
            owner.close()
            return False
        self.owner = owner
        return True

    def check(self) -> Edition | None:
        self.doubt = False
        try:
            with self.store.reading() as driver:
                driver.cursor.execute(IN_SCHEMA, (self.schema,))
                driver.cursor.execute(CHECKED, (FORMAT,))
                messages, *edition = driver.cursor.fetchone() or (None,)
                driver.cursor.execute(BY_WORDS)
                driver.cursor.execute(INDEXED, (any_of(tag_word(f"via:{way}") for way in WAYS),))  # as each has one
                (indexed,) = driver.cursor.fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction):
            return None
        except psycopg.Error as error:
            log.warning("the search index cannot be used: %s", error)
            return None
        return Edition(*edition) if indexed == messages else None

    def reset(self) -> Edition:
        edition = Edition(secrets.randbits(IDENTITY_BITS), 0)
        with self._writing() as cursor:
            for statement in NEW_SCHEMA:
                cursor.execute(sql.SQL(statement).format(sql.Identifier(self.schema)))
            for statement in TABLES:
                cursor.execute(sql.SQL(statement).format(schema=sql.Identifier(self.schema)))
            cursor.execute(BEGIN, (FORMAT, edition.identity))
        return edition

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        kept = {document.key: document for document in added}
        with self._writing() as cursor:
            words, fewer = delete(cursor, {*deleted, *kept})  # what is there already is replaced
            cursor.execute(NEXT, (len(kept) - fewer, len(kept)))
            row = cursor.fetchone()
            assert row, "the edition is made together with the tables"
            *edition, count, last_id = row
            add(cursor, kept.values(), last_id + 1 - len(kept), words)
            count_words(cursor, words)
            if count.bit_length() != (count - len(kept) + fewer).bit_length():
                cursor.execute(ANALYZE)
        return Edition(*edition)

    def cut(self, heads: Mapping[tuple[int, int], int]) -> Edition:
        chats, streams, seqs = [chat for chat, _ in heads], [stream for _, stream in heads], list(heads.values())
        with self._reading() as cursor:
            cursor.execute(BEYOND, (chats, streams, seqs))
            beyond = [Key(*row) for row in cursor.fetchall()]
        return self.commit((), beyond)

    def search(self, query: Query, scope: Scope, ask: Ask) -> Hits:
        if ask.cursor:
            read_cursor(ask.cursor)
        if scope.is_empty():
            return nothing(ask)
        began = time.monotonic()
        expanded, gathered = (began + share * self.search_seconds for share in SHARES)
        with self._reading() as untimed:
            untimed.execute(SEARCH_SETTINGS)
            cursor = TimedCursor(untimed, gathered)
            cursor.begin()
            try:
                expansion = Expansion(cursor, expanded)
                found = sought(query, scope, expansion.one_of)
                count = number_of_messages(cursor)
                known = frequencies(cursor, [form for words in query.all_words for form in forms_of(words)])
                wanted = Wanted(found, *score_of(query, count, known, ask))
            except (OutOfTime, QueryCanceled):
                return replace(nothing(ask), partial=True)
            much = expected(query, scope, count, known, expansion.messages)
            page = None
            try:
                page = ahead(cursor, wanted, much)
                hits = answer(cursor, wanted, query, much, page)
                return replace(hits, partial=hits.partial or expansion.cut)
            except QueryCanceled:
                pass
            for share, messages in EDGES:
                cursor.back(began + share * self.search_seconds)
                try:
                    return with_page(page_of_edge(cursor, wanted, messages), page)
                except QueryCanceled:
                    continue
            return with_page(replace(nothing(ask), partial=True), page)

    def frequencies(self, terms: Collection[str]) -> Mapping[str, int]:
        with self._reading() as cursor:
            return frequencies(cursor, terms)

    def near_words(self, word: str, near: int) -> list[str]:
        with self._reading() as cursor:
            return [
                other
                for other, count in near_to(cursor, word, near)
                if other != word and is_known(cursor, other, count)
            ]

    def count(self) -> int:
        with self._reading() as cursor:
            return number_of_messages(cursor)

    def close(self) -> None:
        if self.owner is not None:
            self.owner.close()
            self.owner = None

    @contextmanager
    def _reading(self) -> Iterator[psycopg.Cursor[Any]]:
        """A snapshot of the database. Raises Busy; whatever is wrong with the tables puts the index in doubt."""
        try:
            with self.store.reading() as driver:
                assert isinstance(driver.cursor, psycopg.Cursor), "only made for PostgreSQL"
                driver.cursor.execute(IN_SCHEMA, (self.schema,))
                yield driver.cursor
        except psycopg.Error as error:
            log.warning("the index could not be read: %s", error)
            self.doubt = True
            raise being_made_again() from error

    @contextmanager
    def _writing(self) -> Iterator[psycopg.Cursor[Any]]:
        """One transaction on the connection that holds the lock."""
        if self.owner is None:
            raise Busy("Another server indexes")
        try:
            with self.owner.transaction(), self.owner.cursor() as cursor:
                cursor.execute(IN_SCHEMA, (self.schema,))
                yield cursor
        except self.store.errors as error:
            raise Busy("The store did not answer") from error


def delete(cursor: psycopg.Cursor[Any], keys: Collection[Key]) -> tuple[Counter[str], int]:
    """How much rarer words have become (as negative numbers), and how many messages were deleted."""
    words: Counter[str] = Counter()
    if not keys:
        return words, 0
    cursor.execute(DELETE, tuple(map(list, zip(*keys, strict=True))))
    ids = [id for (id,) in cursor.fetchall()]
    cursor.execute(DELETE_WORDS, (ids,))
    for (lexemes,) in cursor.fetchall():
        words.subtract(counted_in(lexemes))
    return words, len(ids)


def add(cursor: psycopg.Cursor[Any], documents: Iterable[Document], first_id: int, words: Counter[str]) -> None:
    """Counts their words, too. These come first, as the index reads them; and PostgreSQL takes some while others are
    made.
    """
    rows: list[tuple[int, Key, float, Kind]] = []
    with cursor.copy(ADD_WORDS) as copy:
        for id, document in enumerate(documents, first_id):
            row = row_of(document)
            words.update(row.names)
            copy.write_row((id, row.words, row.pieces))
            rows.append((row.at_ms, row.key, row.worth, row.kind))
    kinds = numbers_of(cursor, {kind for *_, kind in rows})
    with cursor.copy(ADD) as copy:
        for id, (at_ms, key, worth, kind) in enumerate(rows, first_id):
            copy.write_row((id, at_ms, *key, worth, kinds[kind]))


def numbers_of(cursor: psycopg.Cursor[Any], kinds: Collection[Kind]) -> dict[Kind, int]:
    """New kinds come into the table."""
    columns = ([kind.month for kind in kinds], [kind.shown for kind in kinds])
    cursor.execute(ADD_KINDS, columns)
    cursor.execute(KINDS, columns)
    return {Kind(month, shown): number for month, shown, number in cursor.fetchall()}


def number_of_messages(cursor: Cursor) -> int:
    """Raises Busy while the tables are made: in a snapshot from before there are new ones, but without any row."""
    cursor.execute(COUNT)
    row = cursor.fetchone()
    if row is None:
        raise being_made_again()
    return int(row[0])
