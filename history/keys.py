"""The key file: a signing key made at the first start and kept in the instance folder, readable by its owner only."""

import os
import secrets
from pathlib import Path

KEY_FILE = "key"


def read_or_make_key(folder: Path) -> str:
    """The key in `folder`, made if there is none yet. Two processes that start together agree on one."""
    path = folder / KEY_FILE
    if not path.exists():
        draft = folder / f".{KEY_FILE}-{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
