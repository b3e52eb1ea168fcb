"""Random records and random searches, and the judgement of an engine by the oracle.

Used by `test_engines.py` in short, and by `python -m tests.search.soak` in long. A case is one search of one record.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from history.models import INTERNAL, PUBLIC
from history.times import DAY_MS
from search.engine import KNOWN_CHATS, Ask, Document, Engine, Hits, Key, Scope
from search.facts import tags_of
from search.parser import parse
from search.query import AllOf, AnyOf, ChatIs, Clause, InChats, Not, Query, Sort
from search.spelling import is_near
from tests.search import oracle

START_MS = 1_700_000_000_000

VOCABULARY = (
    *("red", "redder", "blue", "bleu", "red-blue", "a", "the", "coat", "coats", "coast", "running", "run", "refund"),
    *("ORD-26274052", "ORD-26274053", "ord", "26274052", "t-shirt", "jose.anna2@example.com", "x.y", "+1 408 247-8880"),
    *("https://example.com/a?b=1", "don't", "C++", "1.5"),
    *("京都", "京", "東京都", "東京タワー", "สวัสดี", "ครับ", "한국어", "مرحبا", "الطلب", "طلب", "नमस्ते"),
    *("👍", "👍🏽", "🇩🇪", "❤️", "café", "cafe\u0301", "Straße", "ЁЛКА", "refundable", "recipt", "receipt", "packages"),
)
TYPED = (
    *VOCABULARY,
    *(
        "ref*",
        "red*",
        "ord-2627*",
        "ord*",
        "coat~",
        "receipt~",
        "packagse~",
        "ruf*",
        "absent",
        "東*",
        "東京",
        "京*",
        "สวั",
    ),
    *(
        '"red blue"',
        '"a a"',
        '"the red coat"',
        '"東京都"',
        '"a the"',
        '"👍 👍"',
        '"26274052 red"',
        '"absent red"',
        "ٱلطَّلَب",
    ),
    *("redblue", "4082478880", "example.com", '"ord 26274052"', "COATS", "ran", "refunds", "package", "shirts"),
    *("from:customer", "from:agent", "from:me", "from:smith", 'from:"alice smith"', "from:zoe", "from:@mira"),
    *("has:link", "has:order", "has:phone", "has:email", "is:note", "in:email", "in:web", "from:nobody"),
)
NAMES = {"c1": "Alice Smith", "c2": "Bob Smith", "mira": "Zoë", "bot": "Helper"}


SIZES = (1, 1, 1, 1, 8)


@dataclass
class Record:
    """What an engine was told to keep."""

    chance: Random
    chats: int = 5
    size: int = 1
    """So many times as many messages as in a small one."""
    kept: dict[Key, Document] = field(default_factory=dict)

    def change(self, engine: Engine) -> None:
        """A commit of new and edited messages, redactions, sometimes a cut, sometimes a chat with another owner."""
        chance = self.chance
        added = {document.key: document for document in self.messages(chance.randint(0, 12 * self.size))}
        if chance.random() < 0.2:
            added |= self.moved(chance.randint(1, self.chats), chance.choice(["c1", "c2"]))
        gone = chance.sample(sorted(self.kept), min(len(self.kept), chance.choice([0, 0, 1, 3])))
        engine.commit(added.values(), [*gone, *(key for key in added if key in self.kept)])
        self.kept = {key: document for key, document in self.kept.items() if key not in gone} | added
        if chance.random() < 0.1:
            self.cut(engine)

    def messages(self, count: int) -> Iterator[Document]:
        chance = self.chance
        for _ in range(count):
            chat = chance.randint(1, self.chats)
            stream = chance.choice([PUBLIC, PUBLIC, PUBLIC, INTERNAL])
            person = chance.choice(["c1", "c2"]) if stream == PUBLIC and chance.random() < 0.6 else "mira"
            role = "agent" if person == "mira" else "customer"
            text = " ".join(chance.choices(VOCABULARY, k=chance.randint(1, 7)))
            data = {"via": "email"} if chance.random() < 0.2 else {}
            tags = tags_of(stream, role, person, NAMES[person], text, data)
            at_ms = START_MS + chance.choice([0, 1, 5, DAY_MS, 40 * DAY_MS]) + chance.randint(0, 3)
            key = Key(chat, stream, chance.randint(1, 30 * self.size))
            yield Document(key, at_ms, f"c{1 + chat % 2}", tags, text)

    def moved(self, chat: int, customer: str) -> dict[Key, Document]:
        """A chat's messages again, which now are another customer's."""
        return {k: doc._replace(customer_id=customer) for k, doc in self.kept.items() if k.chat_pk == chat}

    def cut(self, engine: Engine) -> None:
        heads = {
            (chat, stream): self.chance.randint(0, 40 * self.size) for chat in range(1, self.chats) for stream in (0, 1)
        }
        engine.cut(heads)
        self.kept = {key: doc for key, doc in self.kept.items() if key.seq <= heads.get(key[:2], 0)}


def random_query(chance: Random) -> Query:
    clauses = tuple(random_clause(chance, 3) for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 3])))
    moments = [START_MS + offset for offset in (0, 1, 6, DAY_MS + 1, 40 * DAY_MS)]
    after = chance.choice(moments) if chance.random() < 0.2 else None
    before = chance.choice(moments) if chance.random() < 0.2 else None
    return Query(AllOf(clauses), after, before)


def random_clause(chance: Random, depth: int) -> Clause:
    kind = chance.random()
    if depth == 0 or kind < 0.7:
        if kind < 0.05:
            return InChats(frozenset(chance.sample(range(1, 8), chance.randint(0, 4))))
        clause = parse(chance.choice(TYPED), START_MS, "c1").where.clauses[0]
        assert not isinstance(clause, ChatIs)
        return clause
    if kind < 0.8:
        return Not(random_clause(chance, depth - 1))
    inner = tuple(random_clause(chance, depth - 1) for _ in range(chance.randint(1, 3)))
    return AnyOf(inner) if kind < 0.9 else AllOf(inner)


def random_scope(chance: Random) -> Scope:
    if chance.random() < 0.5:
        return Scope()
    chats = frozenset(chance.sample(range(1, 8), chance.randint(0, 5))) if chance.random() < 0.4 else None
    customer = chance.choice(["c1", "c2", "nobody"]) if chance.random() < 0.5 else None
    streams = chance.choice([{PUBLIC}, {PUBLIC}, {PUBLIC, INTERNAL}, {INTERNAL}, set()])
    return Scope(chats, customer, frozenset(streams))


def random_ask(chance: Random) -> Ask:
    sorts: list[Sort] = ["new", "old", "best"]
    return Ask(chance.choice(sorts), None, chance.choice([1, 3, 20]), chance.random() < 0.4, chance.random() < 0.5)


def check_search(engine: Engine, kept: dict[Key, Document], query: Query, scope: Scope, ask: Ask) -> None:
    """Raises AssertionError if any page differs from what the oracle knows."""
    truth = oracle.truth(kept.values(), query, scope, ask)
    pages = list(all_pages(engine, query, scope, ask))
    items = [hit for page in pages for hit in page.items]
    shown = [(hit.at_ms, hit.key) for hit in items]
    for page in pages:
        assert page.total == len(truth.found)
        assert page.chats == (len(truth.facets.by_chat) if ask.collapse and page is pages[0] else None)
        assert not page.partial
        assert page.facets == (truth.facets if ask.facets else None)
        assert len(page.items) == ask.limit or page is pages[-1]
    if ask.sort != "best":
        assert shown == truth.shown
    else:
        ranks = [(hit.score, hit.at_ms, hit.key) for hit in items]
        assert ranks == sorted(ranks, reverse=True)
        assert len(shown) == len(truth.shown) == len(set(shown)) and set(shown) <= set(truth.found)
        assert not ask.collapse or len({hit.key.chat_pk for hit in items}) == len(items)
    for hit in items:
        assert hit.in_chat == (truth.facets.by_chat[hit.key.chat_pk] if ask.collapse else 1)


def all_pages(engine: Engine, query: Query, scope: Scope, ask: Ask) -> Iterator[Hits]:
    while True:
        page = engine.search(query, scope, ask)
        yield page
        if page.next is None:
            return
        ask = replace(ask, cursor=page.next)


def check_vocabulary(engine: Engine, kept: dict[Key, Document], chance: Random) -> None:
    words = [word for typed in chance.choices(TYPED, k=3) for word in typed.lower().split()]
    counted = engine.frequencies(words)
    assert all(counted[word] >= count for word, count in oracle.frequencies(kept.values(), words).items())
    assert "absent" not in counted
    for word in ("coat", "recept", "blue"):
        expected = oracle.near_words(list(kept.values()), word, 1, KNOWN_CHATS)
        assert engine.near_words(word, 1) == expected
        assert all(is_near(word, other, 1) for other in expected)


def check_record(engine: Engine, seed: int, cases: int) -> None:
    """So many cases on one record that changes all the time; the engine is empty. Raises AssertionError."""
    chance = Random(seed)
    record = Record(chance, size=chance.choice(SIZES))
    for case in range(cases):
        if case % 10 == 0:
            record.change(engine)
            assert engine.count() == len(record.kept)
        if case % 50 == 0:
            check_vocabulary(engine, record.kept, chance)
        query, scope, ask = random_query(chance), random_scope(chance), random_ask(chance)
        try:
            check_search(engine, record.kept, query, scope, ask)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, case {case}: {query} {scope} {ask}") from error
