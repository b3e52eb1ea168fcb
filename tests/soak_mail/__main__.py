"""`python -m tests.soak_mail`

    python -m tests.soak_mail --seed 1
    python -m tests.soak_mail --sqlite 40000 300 50000 --postgres 12000 200 10000

The numbers are mails, kills and reopens.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conftest import migrate
from tests.postgres import running_cluster
from tests.soak_mail.run import Report, Scale, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak_mail", formatter_class=argparse.RawTextHelpFormatter)
    parser.description = __doc__
    three = {"type": int, "nargs": 3, "metavar": ("MAILS", "KILLS", "REOPENS")}
    parser.add_argument("--sqlite", default=(40_000, 300, 50_000), **three)
    parser.add_argument("--postgres", default=(12_000, 200, 10_000), **three)
    parser.add_argument("--seed", type=int, default=1, help="decides what fails (1)")
    wanted = parser.parse_args()
    violations = 0
    with tempfile.TemporaryDirectory(prefix="stillhere-mail-") as name:
        folder = Path(name)
        if wanted.sqlite[0]:
            url = f"sqlite:///{folder / 'soak.db'}"
            violations += tell("SQLite", play(folder / "sqlite", url, Scale(*wanted.sqlite), wanted.seed))
        if wanted.postgres[0]:
            with running_cluster() as cluster:
                scale = Scale(*wanted.postgres)
                violations += tell("PostgreSQL", play(folder / "postgres", cluster.create(), scale, wanted.seed))
    return 1 if violations else 0


def play(folder: Path, url: str, scale: Scale, seed: int) -> Report:
    folder.mkdir()
    migrate(url)
    return soak(folder, url, scale, seed)


def tell(database: str, report: Report) -> int:
    """Prints what came of it; returns the number of violations."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(report.states.items()))
    print(
        f"{database}: {report.mails} mails taken in {report.seconds:.0f} s, {report.kills} workers killed, "
        f"{report.reopens} reopens ({report.raced} of them too late); {states}; violations: {len(report.violations)}",
        flush=True,
    )
    for violation in report.violations[:20]:
        print(f"  {violation}")
    return len(report.violations)


if __name__ == "__main__":
    sys.exit(main())
