"""Every fault, each for some seconds under clients at work: `python -m tests.faults.chaos`.

Prints a table; exits with 1 when something was lost, or is not right again by itself.
"""

import argparse
import sys

from tests.faults.faults import FAULTS, NotPossibleError
from tests.faults.trial import Result, run_fault, scene

_HEAD = (
    "| fault | responses (200/201, 503, broken) | slowest | right again | confirmed | sessions | |"
)
_RULE = "|---|---|---|---|---|---|---|"


def _row(result: Result) -> str:
    seen = result.outcome.statuses
    cells = (
        result.name,
        f"{seen['200'] + seen['201']}, {seen['503']}, {seen['broken']}",
        f"{result.outcome.slowest:.1f} s",
        f"{result.right_again:.1f} s",
        str(len(result.outcome.confirmed)),
        str(result.sessions),
        "; ".join(result.faults) or "as it should be",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Run the faults and print what they did; return how many have broken a rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="how long a fault lasts")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=sorted(FAULTS), help="may be repeated")
    options = parser.parse_args()
    broken = 0
    print(_HEAD, _RULE, sep="\n", flush=True)  # noqa: T201 - a report
    with scene() as (at, layer):
        for _ in range(options.rounds):
            for name in options.only or FAULTS:
                try:
                    result = run_fault(name, at, layer, options.seconds)
                    broken += bool(result.faults)
                    row = _row(result)
                except NotPossibleError as reason:
                    row = f"| {name} | | | | | | skipped: {reason} |"
                except AssertionError as failure:
                    broken += 1
                    row = f"| {name} | | | | | | {failure} |"
                print(row, flush=True)  # noqa: T201
    return broken


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
