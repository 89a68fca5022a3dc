"""The official OGC test suites, run against a server that is started for them.

`python -m tests.conformance` (make conformance). The suites are the jars in ETS_DIR, by default the
folder `ets` of the shared test data.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import click
import requests

from samsyn_model.cluster.private_cluster import private_cluster
from tests.clients.samsyn_server import OWNER, Server, migrated_database, run_samsyn, serve

HOW_TO_BUILD = """\
No test suites at {folder}: ETS_DIR names the folder with the jars. They are built with Java 17:
  git clone --branch 1.9 https://github.com/opengeospatial/ets-ogcapi-features10
  git clone --branch 1.2 https://github.com/opengeospatial/ets-ogcapi-tiles10
  mvn -DskipTests -Denforcer.skip=true package     # in each; the jar is target/*-aio.jar"""

TILED = "Shipping lanes"
TILES = {"tilematrix": "5", "mintilerow": "9", "maxtilerow": "9", "mintilecol": "16",
         "maxtilecol": "17"}  # fmt: skip
"""A layer of the demo plan, and tiles in which it has features: the suite takes no empty ones."""

EXPECTED_SKIPS = {
    "validateFeaturesWithBoundingBoxResponse": "a collection has no feature in one of its boxes",
    "landingPageRetrieval": "tiles are of a collection or a map, not of the whole dataset",
}
"""The only tests that may be skipped, and why; docs/conformance.md tells more."""


@dataclass
class Results:
    """What a suite found."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def unexpected(self) -> list[str]:
        """The names of tests that were skipped without being among EXPECTED_SKIPS."""
        return sorted({name for name, _ in self.skipped} - set(EXPECTED_SKIPS))


def main() -> int:
    """Run the suites that there are.

    Return 0 when no test failed and none was skipped but the EXPECTED_SKIPS, else 1; 2 when there
    are no suites.
    """
    shared = Path(os.environ.get("SAMSYN_SHARED", Path(__file__).parents[2] / "shared"))
    folder = Path(os.environ.get("ETS_DIR", shared / "ets"))
    jars = sorted(folder.glob("ets-ogcapi-*-aio.jar")) if folder.is_dir() else []
    if not jars:
        click.echo(HOW_TO_BUILD.format(folder=folder), err=True)
        return 2
    failures = 0
    with _server(shared) as server:
        for jar in jars:
            results = run_suite(jar, server)
            failures += len(results.failed) + len(results.unexpected)
            _tell(jar, results)
    return 1 if failures else 0


def run_suite(jar: Path, server: Server) -> Results:
    """Run one suite against a server and return what it found, configuration methods included."""
    with tempfile.TemporaryDirectory() as work:
        properties = Path(work, "props.xml")
        properties.write_text(_properties(server, tiles="tiles10" in jar.name))
        command = ["java", "-jar", str(jar), "-o", work, str(properties)]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        (found,) = Path(work).rglob("testng-results.xml")
        return _results(ElementTree.parse(found))


@contextmanager
def _server(shared: Path) -> Iterator[Server]:
    """Run a server that holds the demo plan and, where they are at hand, the standard's layers."""
    standard = shared / "cql2" / "ne110m4cql2.gpkg"
    with ExitStack() as stack:
        address = os.environ.get("TEST_DATABASE_URL") or stack.enter_context(private_cluster())
        database = stack.enter_context(migrated_database(address))
        run_samsyn(database, "demo")
        if standard.is_file():
            run_samsyn(database, "import", standard, "--owner", OWNER, "--global")
        log = Path(stack.enter_context(tempfile.TemporaryDirectory()), "log")
        yield stack.enter_context(serve(database, log))


def _properties(server: Server, *, tiles: bool) -> str:
    entries: Mapping[str, str] = {"iut": f"{server.ogc}/", "noofcollections": "-1"}
    if tiles:
        listed = requests.get(f"{server.ogc}/collections?q={TILED}", timeout=10).json()
        layer = listed["collections"][0]["id"]
        entries = {
            "iut": f"{server.ogc}/",
            "tilematrixsetdefinitionuri": (
                "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
            ),
            "urltemplatefortiles": (
                f"{server.ogc}/collections/{layer}/tiles/WebMercatorQuad"
                "/{tileMatrix}/{tileRow}/{tileCol}"
            ),
            **TILES,
        }
    lines = "".join(f'<entry key="{name}">{value}</entry>' for name, value in entries.items())
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}\n<properties version="1.0">{lines}</properties>\n'


def _results(tree: "ElementTree.ElementTree[ElementTree.Element]") -> Results:
    results = Results()
    for method in tree.iter("test-method"):
        status, name = method.get("status", ""), method.get("signature", "").split("(")[0]
        reason = " ".join((method.findtext(".//message") or "").split())[:300]
        if method.get("is-config") == "true" and status == "PASS":
            continue
        results.counts[status] += 1
        if status == "FAIL":
            results.failed.append((name, reason))
        elif status == "SKIP":
            results.skipped.append((name, reason))
    return results


def _tell(jar: Path, results: Results) -> None:
    counts = ", ".join(f"{number} {status}" for status, number in sorted(results.counts.items()))
    click.echo(f"{jar.stem}: {counts}")
    for word, methods in (("FAIL", results.failed), ("SKIP", results.skipped)):
        for (name, reason), number in Counter(methods).items():
            click.echo(f"  {word} {name} ({number}): {reason}")
    if results.unexpected:
        click.echo(f"  skipped unexpectedly: {', '.join(results.unexpected)}")


if __name__ == "__main__":
    sys.exit(main())
