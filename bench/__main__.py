"""`python -m bench`: measures Stillhere beside its references and prints one table.

Exit code 1 if a message was lost, doubled or left out, or a measurement failed. A goal of time that was
missed is printed and decides nothing, for no machine is like another.
"""

import argparse
import gc
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench import (
    answers,
    comeback,
    corpus,
    engines,
    freshness,
    hostile,
    idle,
    j1,
    letters,
    longchat,
    lookup,
    machine,
    post,
    relevance,
    table,
)
from bench.corpus import Dialogue
from bench.references import disk
from bench.references.disk import Disk
from bench.scale import FULL, QUICK, Scale
from bench.table import Row

Measurement = Callable[[Scale, Path, Disk, Sequence[Dialogue]], Iterator[Row]]

MEASUREMENTS: dict[str, Measurement] = {
    "j1": lambda scale, folder, disk, _: j1.measure(scale, folder, disk),
    "resume": lambda scale, folder, *_: comeback.measure_resume(scale, folder),
    "mass": lambda scale, folder, *_: comeback.measure_mass(scale, folder),
    "memory": lambda scale, folder, *_: idle.measure_memory(scale, folder),
    "http": lambda scale, folder, *_: idle.measure_http(scale, folder),
    "search": lookup.measure,
    "engines": lambda scale, folder, _, talks: engines.measure(scale, folder, talks, scale.engines),
    "fresh": lambda scale, folder, *_: freshness.measure(scale, folder),
    "relevance": lambda scale, folder, _, talks: relevance.measure(folder, talks, scale.engines),
    "long": lambda scale, folder, *_: longchat.measure(scale, folder),
    "hostile": lambda scale, folder, *_: hostile.measure(scale, folder),
    "letters": lambda scale, *_: letters.measure(scale),
    "answers": lambda scale, folder, *_: answers.measure(scale, folder),
    "post": lambda scale, folder, *_: post.measure(scale, folder),
}

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    arguments = parse()
    machine.pin(machine.CLIENT_CORE)
    gc.disable()  # a pause of the load generator would be seen as one of the server
    about = machine.description()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        rows = list(measure(arguments, Path(folder)))
    print(table.as_markdown(rows) if arguments.markdown else table.as_text(rows))
    print(f"\n{about}")
    return 0 if table.is_correct(rows) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Stillhere beside its references.")
    parser.add_argument("--quick", action="store_true", help="short: does the bench still work?")
    parser.add_argument("--only", type=names, default=list(MEASUREMENTS), help=", ".join(MEASUREMENTS))
    parser.add_argument("--data", type=Path, help="dialogues to import, in place of made ones")
    parser.add_argument("--messages", type=int, help="how many of them the search engines get")
    parser.add_argument("--engines", type=engine_names, help=", ".join(engines.ENGINES))
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where all servers and references write")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args()


def names(text: str) -> list[str]:
    """The measurements named, separated by commas."""
    return chosen_of(text, MEASUREMENTS)


def engine_names(text: str) -> list[str]:
    return chosen_of(text, engines.ENGINES)


def chosen_of(text: str, known: Collection[str]) -> list[str]:
    chosen = text.split(",")
    unknown = set(chosen) - set(known)
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
    return chosen


def measure(arguments: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """All rows, each measurement in a folder of its own."""
    scale = QUICK if arguments.quick else FULL
    if arguments.messages:
        scale = replace(scale, indexed_messages=arguments.messages)
    if arguments.engines:
        scale = replace(scale, engines=tuple(arguments.engines))
    talks = corpus.read(arguments.data) if arguments.data else corpus.dialogues(scale.dialogues)
    print("disk ...", file=sys.stderr)
    reference = disk.measure(scale, folder, talks)
    yield from reference.rows()
    for name in arguments.only:
        print(f"{name} ...", file=sys.stderr)
        own = folder / name
        own.mkdir()
        try:
            yield from MEASUREMENTS[name](scale, own, reference, talks)
        except Exception:  # the other figures are worth having
            traceback.print_exc()
            yield Row(name, "failed, see above", ok=False, is_correctness=True)


if __name__ == "__main__":
    sys.exit(main())
