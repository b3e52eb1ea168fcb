"""Programs of JavaScript, run by the Node that comes with Playwright, so there is always one."""

import json
import subprocess
from pathlib import Path
from typing import Any

import playwright

from tests.set_up import JUDGES, judges

NODE = Path(playwright.__file__).parent / "driver" / "node"


def run_node(*arguments: str | Path) -> Any:
    """What a program prints, which is JSON."""
    run = subprocess.run([NODE, *arguments], stdout=subprocess.PIPE, check=True, timeout=120)
    return json.loads(run.stdout)


def ask_judge(script: str, *files: Path) -> dict[str, Any]:
    """What a script of `judges/` says of files, by their names. Skips the test that asks if npm's are not here."""
    judges()
    said = run_node(JUDGES / script, *files)
    return {Path(name).stem: verdict for name, verdict in said.items()}
