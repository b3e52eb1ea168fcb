"""Are the files of a tantivy index as they were written? tantivy puts a checksum behind each file, and looks at none
of them when it opens an index. Called by `tantivy_engine.py`, before tantivy reads a file.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

META_FILE = "meta.json"
"""tantivy's table of contents, replaced at each commit and merge."""

PARTS = ("term", "idx", "pos", "fast", "fieldnorm", "store")

TAIL = struct.Struct("<II")
"""The length of the footer, and a number that says that it is one."""

TAIL_NUMBER = 1337


def check_files(folder: Path) -> None:
    """Raises FileNotFoundError if there is no index, or a file is missing; ValueError or LookupError if one is not as
    it was written.
    """
    meta = json.loads((folder / META_FILE).read_bytes())
    for segment in meta["segments"]:
        for name in names_of(segment):
            check_file(folder / name)


def names_of(segment: dict[str, object]) -> Iterator[str]:
    name = str(segment["segment_id"]).replace("-", "")
    yield from (f"{name}.{part}" for part in PARTS)
    deletes = segment["deletes"]
    if isinstance(deletes, dict):
        yield f"{name}.{deletes['opstamp']}.del"


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
