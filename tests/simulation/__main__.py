"""`python -m tests.simulation`: many runs, or one of them again.

python -m tests.simulation --runs 10000
python -m tests.simulation --seed 4711 --verbose
"""

import argparse
import json
import sys
import time

from tests.simulation.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this run only")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs (10,000)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first of them (0)")
    parser.add_argument("--verbose", action="store_true", help="show what happened")
    wanted = parser.parse_args()
    seeds = [wanted.seed] if wanted.seed is not None else range(wanted.first, wanted.first + wanted.runs)
    begin = time.process_time()
    failed = [seed for seed in seeds if not play(seed, verbose=wanted.verbose)]
    spent = time.process_time() - begin
    print(f"{len(seeds) - len(failed)} of {len(seeds)} runs kept every promise, in {spent:.1f} s of processor time")
    return 1 if failed else 0


def play(seed: int, *, verbose: bool) -> bool:
    """Plays one run and tells what is wrong with it; with `verbose` all of it."""
    played = run(seed)
    if verbose:
        print(f"seed {seed}: {', '.join(played.deeds)}")
        for line in played.record:
            print(json.dumps(line))
    for violation in played.violations:
        print(f"seed {seed}: {violation}")
    return not played.violations


if __name__ == "__main__":
    sys.exit(main())
