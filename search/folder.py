"""The folder of an index on disk: ours alone, with one process that writes in it. Called by the engines with files."""

import fcntl
import os
from pathlib import Path

OWNER_FILE = "owner.lock"


def make_private(folder: Path) -> bool:
    """Makes the folder if need be, for our eyes only. False if others could write to it until now: what lies in it is
    not to be trusted then. Raises PermissionError if it is somebody else's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stat = folder.stat()
    if stat.st_uid != os.geteuid():
        raise PermissionError(f"The index folder {folder} belongs to another user")
    if stat.st_mode & 0o077:
        folder.chmod(0o700)
    return not stat.st_mode & 0o022


def sync(path: Path) -> None:
    """Waits until the file or folder is on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Ownership:
    """The right to write in a folder: one process has it, until it releases it or ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / OWNER_FILE
        self.handle: int | None = None

    def acquire(self) -> bool:
        """False while another one has it."""
        if self.handle is not None:
            return True
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self.handle = handle
        return True

    def release(self) -> None:
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
