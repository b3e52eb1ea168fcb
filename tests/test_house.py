"""The house stands as architecture.md draws it: imports run one way, and what is written down is so."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import history.mail.tables  # noqa: F401  (fills the metadata, with the tables of models.py that it refers to)
from app import Settings
from history.db import Store, newest_migration

ROOT = Path(__file__).parent.parent
ROOMS = ("history", "resume", "search")
ALLOWED = {"history": {"history"}, "resume": {"history", "resume"}, "search": {"history", "search"}}

FOREIGN = re.compile(
    r"(?:/(?:home|Users|root|work)/|[A-Z]:\\Users)\w|(?:pypi|registry)\.[a-z]+\.[a-z]+|files\.pythonhosted"
)
"""Paths of somebody's machine, and hosts from which packages come."""


def imports_of(file: Path) -> Iterator[str]:
    """The names of the top-level packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports by a relative name"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    ours = {*ROOMS, "app", "tests", "bench"}
    against = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / room).rglob("*.py")
        for name in imports_of(file)
        if name in ours - ALLOWED[room]
    }
    assert against == set()


def test_every_module_says_what_it_is() -> None:
    modules = (file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    assert [file for file in modules if not ast.get_docstring(ast.parse(file.read_text()))] == []


def test_every_setting_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = {f"STILLHERE_{name.upper()}" for name in Settings.model_fields} - set(
        re.findall(r"STILLHERE_\w+", readme)
    )
    assert missing == set()


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    named = set(re.findall(r"STILLHERE_\w+", (ROOT / "README.md").read_text()))
    assert named - {f"STILLHERE_{name.upper()}" for name in Settings.model_fields} == set()


def test_every_journey_that_is_named_is_there() -> None:
    table = (ROOT / "tests/journeys/README.md").read_text()
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(range(1, 31))
    assert {
        name for name in re.findall(r"test_\w+\.py", table) if not (ROOT / "tests/journeys" / name).exists()
    } == set()


def test_every_hostile_case_of_mail_has_tests_that_are_there() -> None:
    table = (ROOT / "tests/history/README.md").read_text()
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(range(1, 51))
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", table)
    assert len(named) >= 50
    missing = {f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / "tests" / file).read_text()}
    assert missing == set()


def test_the_migrated_schema_is_that_of_the_models(store: Store) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_a_migration_may_be_repeated(store: Store) -> None:
    store.migrate()


def test_what_is_migrated_has_the_number_of_the_newest_file(store: Store) -> None:
    with store.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == newest_migration()


def test_no_file_speaks_of_a_machine_or_a_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    found = {
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in files
        if file != Path(__file__) and file.is_file()
        for match in FOREIGN.finditer(file.read_text(errors="ignore"))
    }
    assert found == set()
