"""The words of an index of tantivy that are near another, and how often they occur. Called by `tantivy_engine.py`.

tantivy finds the messages with such words, and tells no words; so they are read in messages, those that were found
already being left out of the next look.
"""

import tantivy

from search.engine import EXACT_HITS, EXPANSIONS, KNOWN_CHATS
from search.spelling import near_words
from search.tantivy_documents import CHAT, SCHEMA, TEXT
from search.tantivy_page import count_of
from search.tantivy_query import all_of, term

LOOKED_AT = 64
"""So many messages are read at once."""


def words_near(searcher: tantivy.Searcher, word: str, near: int) -> set[str]:
    """At most EXPANSIONS and a few."""
    messages = tantivy.Query.fuzzy_term_query(SCHEMA, TEXT, word, near)
    found: set[str] = set()
    while len(found) < EXPANSIONS:
        others = all_of([messages], [tantivy.Query.term_set_query(SCHEMA, TEXT, list(found))])
        hits = searcher.search(others, LOOKED_AT, count=False).hits
        if not hits:
            break
        for _, address in hits:
            words = " ".join(map(str, searcher.doc(address).get_all(TEXT))).split()
            found.update(near_words(word, near, words))
    return found


def known_count(searcher: tantivy.Searcher, word: str) -> int:
    """In how many messages the word is; 0 if these are in fewer than KNOWN_CHATS chats."""
    query = term(word)
    for size in (LOOKED_AT, EXACT_HITS):
        addresses = [address for _, address in searcher.search(query, size, count=False).hits]
        if len(set(searcher.fast_field_values(CHAT, addresses))) >= KNOWN_CHATS:
            return count_of(searcher, query)
        if len(addresses) < size:
            break
    return 0
