"""The folder of a Whoosh index, with what Whoosh leaves out: files that survive a power cut, and a seal
over them.

A commit of Whoosh ends with the renaming of its table of contents (TOC). Just before it everything new is
flushed to the disk, and a seal is written: the index's identity and the checksum of each file. Index files
hold pickles, so the seal is verified before Whoosh reads any of them, and the folder belongs to us alone.
Called by `whoosh_engine.py`.
"""

import json
import logging
import re
import secrets
import sys
import unicodedata
import zlib
from pathlib import Path
from typing import Any

from whoosh.filedb.filestore import FileStorage
from whoosh.index import TOC

from search.engine import Edition
from search.folder import make_private, sync
from search.whoosh_writer import FILE_ENDING, SCHEMA

INDEX_NAME = "MAIN"
TOC_FILE = re.compile(rf"_{INDEX_NAME}_([0-9]+)\.toc")
OUR_FILE = re.compile(rf"_?{INDEX_NAME}_.*|seal_[0-9]+\.json")
FORMAT = f"3 {sys.byteorder} {unicodedata.unidata_version}"
"""Raise the number when fields or tokenizer change; another Unicode may cut other words, too."""

IDENTITY_BITS = 62
"""An identity fits into a signed number of eight bytes."""

log = logging.getLogger("stillhere.search")


class SealedStorage(FileStorage):  # type: ignore[misc]
    """Whoosh's folder of files; see the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.path = folder
        self.identity = 0
        self.fresh: set[str] = set()
        self.sums: dict[str, int] = {}

    def create_file(self, name: str, excl: bool = False, mode: str = "wb", **kwargs: Any) -> Any:
        self.fresh.add(name)
        return super().create_file(name, excl=excl, mode=mode, **kwargs)

    def rename_file(self, oldname: str, newname: str, safe: bool = False) -> None:
        """Whoosh renames the TOC only: this is the moment of the commit."""
        toc = TOC_FILE.fullmatch(newname)
        assert toc, "nothing else is renamed"
        present = {file.name for file in self.path.iterdir()}
        for name in self.fresh & present:
            sync(self.path / name)
            self.sums[name] = checksum(self.path / name)
        self.sums[newname] = self.sums.pop(oldname)
        self.sums = {name: value for name, value in self.sums.items() if name in present or name == newname}
        self._write_seal(int(toc[1]))
        sync(self.path)  # the names of the new files, before the one that speaks of them
        super().rename_file(oldname, newname, safe=safe)
        self.fresh.clear()
        sync(self.path)
        self._drop_old_seals(int(toc[1]))

    def _write_seal(self, generation: int) -> None:
        seal = self.path / seal_name(generation)
        seal.write_text(json.dumps({"format": FORMAT, "identity": self.identity, "files": self.sums}))
        sync(seal)

    def _drop_old_seals(self, generation: int) -> None:
        for seal in self.path.glob("seal_*.json"):
            if seal.name != seal_name(generation):
                seal.unlink(missing_ok=True)

    def verify(self) -> Edition | None:
        """The edition in the folder, with every file as it was sealed; None if any is missing or altered."""
        try:
            generation = newest_generation(self.path)
            seal = json.loads((self.path / seal_name(generation)).read_bytes())
            if seal["format"] != FORMAT:
                raise ValueError("another version wrote it")
            identity, sums = int(seal["identity"]), dict(seal["files"])
            self._check_file(toc_name(generation), sums)
            for segment in TOC.read(self, INDEX_NAME, schema=SCHEMA).segments:
                self._check_file(segment.segment_id() + FILE_ENDING, sums)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            log.warning("the search index cannot be used: %r", error)
            return None
        self.identity, self.sums = identity, sums
        return Edition(identity, generation)

    def _check_file(self, name: str, sums: dict[str, int]) -> None:
        if checksum(self.path / name) != sums[name]:
            raise ValueError(f"{name} is not as it was written")

    def wipe(self) -> None:
        """Removes the index, and nothing that is not ours. The next commit begins a new identity."""
        for file in self.path.iterdir():
            if OUR_FILE.fullmatch(file.name):
                file.unlink(missing_ok=True)
        self.fresh.clear()
        self.sums = {}
        self.identity = secrets.randbits(IDENTITY_BITS)


def open_folder(folder: Path) -> SealedStorage:
    """The storage in `folder`, made if need be, for our eyes only.

    Raises PermissionError if it is somebody else's. What lies in a folder that others could write to is not
    trusted.
    """
    is_trusted = make_private(folder)
    storage = SealedStorage(folder)
    if not is_trusted:
        storage.wipe()
    return storage


def toc_name(generation: int) -> str:
    return f"_{INDEX_NAME}_{generation}.toc"


def seal_name(generation: int) -> str:
    return f"seal_{generation}.json"


def newest_generation(path: Path) -> int:
    """The number of the newest TOC. Raises FileNotFoundError if there is none."""
    generations = [int(toc[1]) for file in path.iterdir() if (toc := TOC_FILE.fullmatch(file.name))]
    if not generations:
        raise FileNotFoundError("There is no index")
    return max(generations)


def checksum(path: Path) -> int:
    return zlib.crc32(path.read_bytes())
