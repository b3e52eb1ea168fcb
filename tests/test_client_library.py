"""The JavaScript of the widget and the desk: its unit tests run in Node's own runner."""

import subprocess
from pathlib import Path

import playwright

# Playwright's wheel brings a Node, so there is always one.
NODE = Path(playwright.__file__).parent / "driver" / "node"
TESTS = Path(__file__).parent / "js"


def test_the_client_library_keeps_its_rules() -> None:
    files = sorted(TESTS.glob("*.test.mjs"))
    run = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert "# pass 0" not in run.stdout and files
