"""Many random searches of many random records, judged by the oracle: `python -m tests.search.soak --engine whoosh`.

Prints what it did, and for a difference the seed of the record, which `--seed` with `--cases 1` repeats.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tqdm import tqdm

from search.engine import Engine
from tests.conftest import migrate
from tests.postgres import running_cluster
from tests.search.conformance import check_record
from tests.search.engines import ENGINES, postgres

MakeEngine = Callable[[Path], AbstractContextManager[Engine]]

CASES = 100_000
CASES_A_RECORD = 200


def main() -> None:
    arguments = read_arguments()
    began, differences = time.monotonic(), 0
    records = max(1, arguments.cases // CASES_A_RECORD)
    with maker_of(arguments.engine) as make:
        for number in tqdm(range(records), unit="record", disable=None):
            differences += not is_right(make, arguments.seed + number)
    seconds = time.monotonic() - began
    print(
        f"{arguments.engine}: {records * CASES_A_RECORD:,} cases on {records:,} records from seed {arguments.seed}, "
        f"{seconds:,.0f} s: {differences} differences"
    )
    sys.exit(differences > 0)


@contextmanager
def maker_of(name: str) -> Iterator[MakeEngine]:
    if name in ENGINES:
        yield ENGINES[name]
        return
    with running_cluster() as cluster:
        url = cluster.create()
        migrate(url)
        yield lambda _folder: postgres(url)


def is_right(make: MakeEngine, seed: int) -> bool:
    """False if there is a difference, which is printed."""
    with tempfile.TemporaryDirectory() as folder, make(Path(folder) / "index") as engine:
        try:
            check_record(engine, seed, CASES_A_RECORD)
        except AssertionError as error:
            traceback.print_exception(error)
            return False
    return True


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.search.soak", description=__doc__)
    parser.add_argument("--engine", choices=[*ENGINES, "postgres"], default="whoosh")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000_000))
    return parser.parse_args()


if __name__ == "__main__":
    main()
