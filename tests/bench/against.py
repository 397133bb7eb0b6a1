"""Our server of this checkout against our server of another one, in one interleaved run.

Run it as a program: ``python tests/bench/against.py DIR [--quick]``. DIR is the other checkout, of any commit whose
``tests/bench/our_server.py`` takes ``--upstream``, ``--model`` and ``--port``. That is started as a program, no code of
the other checkout is imported here. Both run on this interpreter, with the packages that are installed beside it.
The exit status says nothing of the figures.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mock_mediawiki.app import open_history
from revertrisk.wiki.table import WikiTable
from tests.bench.compute import MODELS, supported
from tests.bench.figures import Figures, Rounds, Scenario, ratio
from tests.bench.measuring import bench
from tests.bench.processes import ROOT
from tests.bench.traffic import Traffic, edits

SERVER = Path("tests/bench/our_server.py")
CALLERS = 32
COMPUTES = ("no model", *MODELS)


def servers_of(compute: str) -> tuple[str, str]:
    """Return the names of a scenario's servers: of this checkout, and of the other."""
    return ("this", "other") if compute == "no model" else (f"this {compute}", f"other {compute}")


def line(compute: str, rounds: Rounds) -> str:
    """Write what the rounds of one scenario gave, as a row."""
    this, other = servers_of(compute)
    seen = [Figures.median([each[name] for each in rounds]) for name in (this, other)]
    cells: tuple[object, ...] = (
        compute,
        *(f"{each.rate:.0f}" for each in seen),
        ratio(rounds, this, other, lambda each: each.rate),
        *(f"{each.cpu_us:.0f}" for each in seen),
        ratio(rounds, this, other, lambda each: each.cpu_us),
    )
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path, metavar="DIR", help="the other checkout")
    parser.add_argument("--quick", action="store_true", help="about a minute")
    arguments = parser.parse_args()
    other = arguments.directory.resolve()
    if not (other / SERVER).is_file():
        parser.error(f"{other} has no {SERVER}")
    pairs, seconds = (5, 0.6) if arguments.quick else (20, 1.0)
    names = {name: compute for compute in COMPUTES for name in servers_of(compute)}
    roots = {name: other if name.startswith("other") else ROOT for name in names}

    def commands(upstream: str, _: Path) -> dict[str, list[str]]:
        return {
            name: [str(roots[name] / SERVER), "--upstream", upstream]
            + (["--model", compute] if compute in MODELS else [])
            for name, compute in names.items()
        }

    wikis = WikiTable.load()
    with bench(commands, delivering=names, roots=roots) as measuring:
        with open_history(None, wikis) as history:
            measuring.use(Traffic(edits(history, wikis, supported, most=200)))
        measuring.warm_up()
        lines = [
            line(
                compute,
                measuring.measure(Scenario(compute, 0, 0, CALLERS, servers_of(compute)), pairs, seconds),
            )
            for compute in COMPUTES
        ]
    table = [
        f"This checkout against {other}, {CALLERS} callers, no latency, {pairs} pairs.",
        "Medians; ratios are medians over the pairs, with the extremes.",
        "",
        "| model | this req/s | other req/s | ratio | this CPU us a request | other CPU us a request | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *lines,
    ]
    sys.stdout.write("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
