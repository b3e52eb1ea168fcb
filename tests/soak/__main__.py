"""`python -m tests.soak`

    python -m tests.soak --messages 1000000 --seed 1
    python -m tests.soak --database sqlite:///soak.db

Without a database: a PostgreSQL of its own with two servers, then SQLite with one, half of the messages each.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conftest import migrate
from tests.postgres import running_cluster
from tests.soak.run import Report, Scale, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", formatter_class=argparse.RawTextHelpFormatter)
    parser.description = __doc__
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many are to be acked (1,000,000)")
    parser.add_argument("--seed", type=int, default=1, help="decides what fails (1)")
    parser.add_argument("--database", default="", help="the URL of an empty database")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stillhere-soak-") as name:
        folder = Path(name)
        if wanted.database:
            violations = tell("given", play(folder, wanted.database, wanted.messages, wanted.seed))
        else:
            half = wanted.messages // 2
            with running_cluster() as cluster:
                violations = tell("PostgreSQL", play(folder / "postgres", cluster.create(), half, wanted.seed))
            url = f"sqlite:///{folder / 'soak.db'}"
            violations += tell("SQLite", play(folder / "sqlite", url, wanted.messages - half, wanted.seed))
    return 1 if violations else 0


def play(folder: Path, url: str, messages: int, seed: int) -> Report:
    folder.mkdir(exist_ok=True)
    migrate(url)
    return soak(folder, url, Scale(messages), seed)


def tell(database: str, report: Report) -> int:
    """Prints what came of it; returns the number of violations."""
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(report.faults.items()))
    print(
        f"{database}: {report.messages} messages acked in {report.chats} chats in {report.seconds:.0f} s "
        f"({report.messages / report.seconds:.0f}/s); faults: {faults}; violations: {len(report.violations)}"
    )
    for violation in report.violations[:20]:
        print(f"  {violation}")
    return len(report.violations)


if __name__ == "__main__":
    sys.exit(main())
