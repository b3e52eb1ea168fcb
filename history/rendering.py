"""Jinja as we use it: every value escaped, a missing one an error. Shared by pages and mails of this room."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def environment(folder: Path) -> Environment:
    """Templates of `folder`. Lines that hold only a tag leave no trace, so that mails stay small."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
