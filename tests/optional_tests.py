"""One line about the optional tests: which ran, and why others did not.

`python -m tests.optional_tests TESTS SUITES`: the JUnit report of pytest, and the output of
`tests.conformance`. Either file is missing when a run ended before.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import click

OPTIONAL = {
    "web frontend": r"clients\.frontend\.",
    "Chromium": r"test_browser::",
    "MapServer": r"test_mapserver::",
    "nginx": r"test_(shipped_)?nginx::",
    "container image": r"deployment\.test_image::",
    "PgBouncer": r"poolers\..*packaged",
    "PgBouncer of Debian 13": r"poolers\..*newer",
    "Citus": r"citus\.test_core::",
    "OpenLayers": r"test_map_libraries.*openlayers",
    "MapLibre": r"test_map_libraries.*maplibre",
    "DuckDB": r"test_table_readers.*duckdb",
    "GeoPandas": r"test_table_readers.*geopandas",
    "R sf": r"test_table_readers.*test_sf",
    "QGIS 3.40": r"test_qgis.*\[3\.40",
    "QGIS 3.44": r"test_qgis.*\[3\.44",
    "the CQL2 standard's tests": r"test_abstract_test_suite::",
}
"""By name, what the names of the tests match."""


def main(tests: Path, suites: Path) -> None:
    """Print the line."""
    outcomes = _of_tests(tests) if tests.exists() else ["the tests did not finish"]
    if suites.exists():
        lines = suites.read_text().splitlines()
        outcomes += [line.replace(":", "", 1) for line in lines if line.startswith("OGC ")]
    else:
        outcomes += ["the official OGC suites were not reached"]
    click.echo(f"Optional tests: {'; '.join(outcomes)}")


def _of_tests(report: Path) -> list[str]:
    """Return what happened to each of OPTIONAL, and what else was skipped."""
    cases = {
        f"{case.get('classname')}::{case.get('name')}": case
        for case in ElementTree.parse(report).iter("testcase")
    }
    outcomes = []
    for title, pattern in OPTIONAL.items():
        names = [name for name in cases if re.search(pattern, name)]
        outcomes.append(f"{title} {_outcome([cases.pop(name) for name in names])}")
    besides = _reasons(cases.values())
    return [*outcomes, "besides " + (", ".join(besides) or "nothing was skipped")]


def _outcome(cases: Sequence[ElementTree.Element]) -> str:
    skipped = _reasons(cases)
    ran = [case for case in cases if case.find("skipped") is None]
    failed = [case for case in ran if {"failure", "error"} & {part.tag for part in case}]
    count = f"{len(ran)} tests" + (f", {len(failed)} failed" if failed else "")
    return ", ".join(([f"ran ({count})"] if ran else []) + skipped) or "not selected"


def _reasons(cases: Iterable[ElementTree.Element]) -> list[str]:
    found = [case.find("skipped") for case in cases]
    reasons = Counter(str(skip.get("message")) for skip in found if skip is not None)
    return [f"skipped {number} ({' '.join(why.split())})" for why, number in reasons.items()]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
