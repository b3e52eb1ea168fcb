"""The folder of tantivy's engine: what is there after a restart, and what is noticed about it."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from history.errors import Busy
from search.engine import Ask
from search.parser import parse
from search.tantivy_engine import TantivyEngine
from search.tantivy_files import META_FILE
from tests.search.engines import tantivy
from tests.search.index import EVERYTHING, START_MS, check_damage_is_noticed, find, message


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[TantivyEngine]:
    with tantivy(tmp_path / "index") as engine:
        yield engine


def test_an_index_is_there_again_after_a_restart(tmp_path: Path) -> None:
    with tantivy(tmp_path) as engine:
        edition = engine.commit([message(1, "coat")])
    with closing(TantivyEngine(tmp_path)) as again:
        assert again.check() == edition
        assert find(again, "coat") == [1]


def test_each_commit_has_the_next_number_and_a_new_index_another_identity(engine: TantivyEngine) -> None:
    before = engine.check()
    assert before
    assert engine.commit([message(1, "coat")]) == engine.check() == before._replace(commits=1)
    assert engine.reset().identity != before.identity
    assert engine.count() == 0


def test_an_altered_a_missing_and_a_truncated_file_are_noticed(tmp_path: Path) -> None:
    with tantivy(tmp_path) as engine:
        engine.commit([message(1, "coat"), message(2, "t-shirt")])
        engine.commit([message(3, "hat")], [message(1, "coat").key])
    with closing(TantivyEngine(tmp_path)) as engine:
        assert engine.check() is not None
        files = [file for file in tmp_path.iterdir() if not file.name.startswith(".") and file.suffix != ".lock"]
        assert len(files) > 7
        check_damage_is_noticed(
            engine, files, lambda whole: (whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:])
        )


def test_another_number_in_the_table_of_contents_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    with tantivy(tmp_path) as engine:
        engine.commit([message(number, "coat" + " tea" * number) for number in range(1, 20)])
        engine.commit([message(20, "hat")], [message(number, "coat").key for number in range(5)])
    contents = tmp_path / META_FILE
    whole = contents.read_bytes()
    query, ask = parse("coat sort:best", START_MS, "c1"), Ask("best", facets=True)
    with closing(TantivyEngine(tmp_path)) as engine:
        edition, hits = engine.check(), engine.search(query, EVERYTHING, ask)
        places = [at for at, letter in enumerate(whole) if chr(letter).isdigit()]
        noticed = 0
        for at in places:
            contents.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            found = engine.check()
            noticed += found is None
            assert found is None or (found == edition and engine.search(query, EVERYTHING, ask) == hits), at
    assert noticed > len(places) / 2


def test_an_index_of_another_format_is_not_used(engine: TantivyEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.tantivy_documents.FORMAT", "another")
    assert engine.check() is None


def test_an_index_that_vanishes_while_it_is_used_puts_itself_in_doubt(engine: TantivyEngine, tmp_path: Path) -> None:
    engine.commit([message(1, "coat")])
    (tmp_path / "index" / META_FILE).unlink()
    with pytest.raises(Busy):
        find(engine, "coat")
    assert engine.doubt


def test_one_process_writes_and_another_reads_what_it_commits(engine: TantivyEngine, tmp_path: Path) -> None:
    with closing(TantivyEngine(tmp_path / "index")) as reader:
        assert not reader.claim()
        for seq in (1, 2, 3):
            engine.commit([message(seq, "coat")])
            assert find(reader, "coat") == list(range(seq, 0, -1))
        engine.reset()
        engine.commit([message(7, "coat")])
        assert find(reader, "coat") == [7]
    engine.close()
    with closing(TantivyEngine(tmp_path / "index")) as other:
        assert other.claim()


def test_a_commit_that_fails_leaves_nothing(engine: TantivyEngine) -> None:
    before = engine.commit([message(1, "coat")])
    with pytest.raises(ValueError, match="year"):
        engine.commit([message(2, "coat"), message(3, "coat")._replace(at_ms=10**15)])
    assert engine.check() == before and find(engine, "coat") == [1]
    engine.commit([message(2, "coat")])
    assert find(engine, "coat") == [2, 1]


def test_a_search_without_time_shows_its_page_and_counts_no_further(engine: TantivyEngine) -> None:
    engine.commit([message(seq, "coat", chat=seq) for seq in (1, 2, 3)])
    engine.search_seconds = 0.0
    hits = engine.search(parse("coat", START_MS, "c1"), EVERYTHING, Ask(limit=2, collapse=True, facets=True))
    assert hits.partial and hits.total == 3 and [hit.key.seq for hit in hits.items] == [3, 2] and hits.next


def test_of_very_many_hits_chats_are_estimated_by_the_newest(
    engine: TantivyEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tantivy_page.EXACT_HITS", 3)
    monkeypatch.setattr("search.tantivy_page.NEWEST_HITS", 2)
    engine.commit([message(seq, "coat", chat=seq, at=seq) for seq in range(1, 6)])
    hits = engine.search(parse("coat", START_MS, "c1"), EVERYTHING, Ask(limit=2, collapse=True, facets=True))
    assert hits.total == 5 and hits.chats is None and not hits.partial
    assert hits.facets and hits.facets.estimated
    assert hits.facets.by_chat == {5: 2, 4: 3} and sum(hits.facets.by_month.values()) == 5


def test_the_folder_is_for_our_eyes_only(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / META_FILE).write_text("{}")
    with closing(TantivyEngine(folder)) as engine:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not (folder / META_FILE).exists()
        assert engine.check() is None
