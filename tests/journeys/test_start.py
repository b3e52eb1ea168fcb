"""A mistake in a setting stops the start, and the message names the setting."""

from pathlib import Path

import pytest

from tests.servers import run_command

WRONG = [
    ("PORT", {"PORT": "abc"}),
    ("PORT", {"PORT": "70000"}),
    ("SECRET_KEYS", {"SECRET_KEYS": '["short"]'}),
    ("SECRET_KEYS", {"SECRET_KEYS": "no list"}),
    ("WORKERS", {"WORKERS": "2"}),
    ("PUBLIC_URL", {"PUBLIC_URL": "chat.example.com"}),
    ("SMTP_TLS", {"SMTP_TLS": "perhaps"}),
    ("SETTLE_SECONDS", {"SETTLE_SECONDS": "-1"}),
    ("DATABASE_URL", {"DATABASE_URL": "mysql://localhost/chat"}),
    ("DATABASE_URL", {"DATABASE_URL": "nothing"}),
]


@pytest.mark.parametrize(("name", "settings"), WRONG, ids=[" ".join(wrong.values()) for _, wrong in WRONG])
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, settings: dict[str, str]) -> None:
    ended = run_command(tmp_path, "serve", **settings)
    assert (ended.returncode, f"STILLHERE_{name}" in ended.stderr) == (2, True), ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    ended = run_command(tmp_path, "serve", PORT="abc", THREADS="many")
    assert {"STILLHERE_PORT", "STILLHERE_THREADS"} <= set(ended.stderr.replace(":", " ").split())


def test_an_unknown_command_is_named(tmp_path: Path) -> None:
    ended = run_command(tmp_path, "sing")
    assert ended.returncode == 2
    assert "sing" in ended.stderr
