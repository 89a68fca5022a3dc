"""Every fault, each for some seconds under clients at work: `python -m tests.faults.chaos`.

Prints a table; exits with 1 when something was lost, or is not right again by itself.
"""

import argparse
import logging
import sys
from collections.abc import Iterator

from tests.faults.cuts import REQUESTS, Cuts, cut_clients, cut_database
from tests.faults.faults import FAULTS, NotPossibleError, Scene
from tests.faults.load import Layer
from tests.faults.trial import Result, kill_main_process, run_fault, scene

_HEAD = (
    "| fault | responses (200/201, 503, broken) | slowest | right again | confirmed | sessions | |"
)
_RULE = "|---|---|---|---|---|---|---|"
RIGHT = "as it should be"


def _row(result: Result) -> str:
    seen = result.outcome.statuses
    cells = (
        result.name,
        f"{seen['200'] + seen['201']}, {seen['503']}, {seen['broken']}",
        f"{result.outcome.slowest:.1f} s",
        f"{result.right_again:.1f} s",
        str(len(result.outcome.confirmed)),
        str(result.sessions),
        "; ".join(result.faults) or RIGHT,
    )
    return f"| {' | '.join(cells)} |"


def _row_of_cuts(what: str, cuts: Cuts) -> str:
    statuses = ", ".join(f"{count} of {status}" for status, count in sorted(cuts.statuses.items()))
    seen = f"{cuts.count} cuts" + (f": {statuses}" if statuses else "")
    return f"| {what} | {seen} | | | | | {'; '.join(cuts.faults[:3]) or RIGHT} |"


def _rows(at: Scene, layer: Layer, options: argparse.Namespace) -> Iterator[tuple[str, bool]]:
    """Yield a row of the table for each fault, and whether it has broken a rule."""
    for name in options.only or FAULTS:
        try:
            result = run_fault(name, at, layer, options.seconds)
            yield _row(result), bool(result.faults)
        except NotPossibleError as reason:
            yield f"| {name} | | | | | | skipped: {reason} |", False
        except AssertionError as failure:
            yield f"| {name} | | | | | | {failure} |", True
    if options.only:
        return
    for kind in REQUESTS:
        cuts = cut_clients(at.server, at.database, layer, kind, options.step)
        yield _row_of_cuts(f"client cut off, {kind}", cuts), bool(cuts.faults)
    cuts = cut_database(at.database, at.network, layer, options.database_step)
    yield _row_of_cuts("database cut off", cuts), bool(cuts.faults)


def main() -> int:
    """Run the faults and print what they did; return how many have broken a rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="how long a fault lasts")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--step", type=int, default=1, help="bytes between two cuts of a client")
    parser.add_argument("--database-step", type=int, default=5, help="the same for the database")
    parser.add_argument("--only", action="append", choices=sorted(FAULTS), help="may be repeated")
    options = parser.parse_args()
    logging.disable()  # of the server in this process, whose database is cut off
    print(_HEAD, _RULE, sep="\n", flush=True)  # noqa: T201 - a report
    broken = 0
    with scene() as (at, layer):
        for _ in range(options.rounds):
            for row, is_broken in _rows(at, layer, options):
                print(row, flush=True)  # noqa: T201
                broken += is_broken
        result = kill_main_process(at.server, at.database, layer)
        print(_row(result), flush=True)  # noqa: T201
        broken += bool(result.faults)
    return broken


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
