"""The folder of the embedded engine: who may use it, and what is noticed about it."""

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest

from history.errors import Busy
from search.whoosh_engine import WhooshEngine
from search.whoosh_storage import open_folder
from tests.search.engines import PATIENCE_SECONDS, whoosh
from tests.search.index import check_damage_is_noticed, find, message


def test_an_index_is_there_again_after_a_restart(tmp_path: Path) -> None:
    with whoosh(tmp_path) as engine:
        edition = engine.commit([message(1, "coat")])
    with closing(WhooshEngine(tmp_path, PATIENCE_SECONDS)) as again:
        assert again.check() == edition
        assert find(again, "coat") == [1]


def test_a_new_index_has_another_identity(engine: WhooshEngine) -> None:
    assert engine.check() is not None
    assert engine.reset().identity != engine.reset().identity


def test_an_altered_a_missing_and_a_truncated_file_are_noticed(tmp_path: Path) -> None:
    with whoosh(tmp_path) as engine:
        engine.commit([message(1, "coat")])
        engine.commit([message(2, "hat")])
        files = [file for file in tmp_path.iterdir() if file.suffix in (".seg", ".toc", ".json")]
        assert len(files) == 4
        check_damage_is_noticed(
            engine, files, lambda whole: (whole[:-1], whole[: len(whole) // 2] + b"?" + whole[len(whole) // 2 + 1 :])
        )


def test_an_index_of_an_older_format_is_not_used(engine: WhooshEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.whoosh_storage.FORMAT", "another")
    assert engine.check() is None


def test_a_damaged_index_puts_itself_in_doubt(engine: WhooshEngine, tmp_path: Path) -> None:
    engine.commit([message(1, "coat")])
    for file in (tmp_path / "index").glob("*.toc"):
        file.unlink()
    with pytest.raises(Busy):
        find(engine, "coat")
    assert engine.doubt


def test_whoever_opens_an_altered_segment_notices(engine: WhooshEngine, tmp_path: Path) -> None:
    engine.commit([message(1, "coat")])
    (file,) = (tmp_path / "index").glob("*.seg")
    whole = file.read_bytes()
    for broken in (whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], whole[:-1], whole[:3], b""):
        file.write_bytes(broken)
        with closing(WhooshEngine(tmp_path / "index", PATIENCE_SECONDS)) as reader:
            with pytest.raises(Busy):
                find(reader, "coat")
            assert reader.doubt


def test_what_was_deleted_leaves_the_disk_with_the_same_commit(engine: WhooshEngine, tmp_path: Path) -> None:
    engine.commit([message(1, "canary"), *(message(seq, "coat") for seq in range(2, 100))])
    engine.commit([], [message(1, "").key])
    assert not [file.name for file in (tmp_path / "index").iterdir() if b"canary" in file.read_bytes()]


def test_only_one_process_writes_an_index(engine: WhooshEngine, tmp_path: Path) -> None:
    with closing(WhooshEngine(tmp_path / "index", PATIENCE_SECONDS)) as other:
        assert not other.claim()
        engine.close()
        assert other.claim()


def test_another_process_sees_what_was_committed(engine: WhooshEngine, tmp_path: Path) -> None:
    with closing(WhooshEngine(tmp_path / "index", PATIENCE_SECONDS)) as reader:
        for seq in range(1, 20):
            engine.commit([message(seq, "coat", at=seq)])
            assert find(reader, "coat")[0] == seq


def test_another_process_notices_that_the_index_was_made_again(engine: WhooshEngine, tmp_path: Path) -> None:
    with closing(WhooshEngine(tmp_path / "index", PATIENCE_SECONDS)) as reader:
        engine.commit([message(1, "coat")])
        assert find(reader, "coat") == [1]
        engine.reset()
        engine.commit([message(2, "hat")])
        assert find(reader, "coat") == [] and find(reader, "hat") == [2]


def test_the_folder_is_for_our_eyes_only(tmp_path: Path) -> None:
    with whoosh(tmp_path / "new"):
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_what_others_could_have_written_is_not_trusted(tmp_path: Path) -> None:
    with whoosh(tmp_path) as engine:
        engine.commit([message(1, "coat")])
    tmp_path.chmod(0o777)
    (tmp_path / "notes.txt").write_text("not ours")
    with closing(WhooshEngine(tmp_path, PATIENCE_SECONDS)) as engine:
        assert engine.check() is None
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(PermissionError):
        open_folder(tmp_path)
