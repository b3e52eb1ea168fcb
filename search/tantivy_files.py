"""Are the files of a tantivy index as they were written? tantivy puts a checksum behind each file, and looks at none
of them when it opens an index. Called by `tantivy_engine.py`, before tantivy reads a file.
"""

import json
import struct
import zlib
from pathlib import Path

META_FILE = "meta.json"
"""tantivy's table of contents, replaced at each commit and merge."""

PARTS = ("term", "idx", "pos", "fast", "fieldnorm", "store")

TAIL = struct.Struct("<II")
"""The length of the footer, and a number that says that it is one."""

TAIL_NUMBER = 1337

COUNT = struct.Struct("<I")
"""How many documents a file of deletes covers, at its beginning."""


def check_files(folder: Path) -> None:
    """Raises FileNotFoundError if there is no index, or a file is missing; ValueError or LookupError if one is not as
    it was written.
    """
    meta = json.loads((folder / META_FILE).read_bytes())
    for segment in meta["segments"]:
        name = str(segment["segment_id"]).replace("-", "")
        for part in PARTS:
            check_file(folder / f"{name}.{part}")
        if segment["deletes"]:
            check_deletes(folder / f"{name}.{segment['deletes']['opstamp']}.del", segment["max_doc"])


def check_deletes(path: Path, documents: int) -> None:
    """tantivy takes from this file how many documents are left, so it alone tells whether the table of contents has
    the number of all that there were.
    """
    check_file(path)
    with path.open("rb") as file:
        (covered,) = COUNT.unpack(file.read(COUNT.size))
    if covered != documents:
        raise ValueError(f"{path.name} is of {covered} documents, not {documents}")


def check_file(path: Path) -> None:
    content = path.read_bytes()
    if len(content) < TAIL.size:
        raise ValueError(f"{path.name} has no end")
    length, number = TAIL.unpack(content[-TAIL.size :])
    body = len(content) - TAIL.size - length
    if number != TAIL_NUMBER or body < 0:
        raise ValueError(f"{path.name} has no end")
    footer = json.loads(content[body : -TAIL.size])
    if zlib.crc32(memoryview(content)[:body]) != footer["crc"]:
        raise ValueError(f"{path.name} is not as it was written")


def wipe(folder: Path) -> None:
    """Removes the index, and nothing else."""
    for file in folder.iterdir():
        if file.name in (META_FILE, ".managed.json", ".tantivy-meta.lock", ".tantivy-writer.lock") or is_part(file):
            file.unlink(missing_ok=True)


def is_part(file: Path) -> bool:
    return file.suffix[1:] in (*PARTS, "del", "temp")
