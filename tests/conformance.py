"""The official OGC test suites, run against a server that is started for them.

`python -m tests.conformance` (make conformance). The suites are jars in ETS_DIR, by default
~/.cache/samsyn/ets.
"""

import os
import shutil
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
from tests.clients.samsyn_server import OWNER, Server, run_samsyn, serve
from tests.databases import migrated_database

SUITES = {
    "features": "ets-ogcapi-features10-*-aio.jar",
    "tiles": "ets-ogcapi-tiles10-*-aio.jar",
}
"""Each suite's jar, by the name that its project gives it."""

SOURCES = """\
The suites are github.com/opengeospatial/ets-ogcapi-features10 and ets-ogcapi-tiles10; their READMEs
describe the build of the jars. They need Java 17."""

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
    """Run the suites that there are, and say of the others why they did not run.

    Return 0 when no test failed and none was skipped but the EXPECTED_SKIPS, else 1; 2 when there
    are no suites.
    """
    jars = {name: _newest_jar(name) for name in SUITES}
    for name, jar in jars.items():
        if isinstance(jar, str):
            click.echo(f"OGC {name} suite: skipped, {jar}")
    found = {name: jar for name, jar in jars.items() if isinstance(jar, Path)}
    if not found:
        click.echo(SOURCES, err=True)
        return 2
    failures = 0
    with _server() as server:
        for name, jar in found.items():
            results = run_suite(jar, server)
            failures += len(results.failed) + len(results.unexpected)
            _report(name, jar, results)
    return 1 if failures else 0


def _newest_jar(suite: str) -> Path | str:
    """Return a suite's jar, or why it cannot be run."""
    if shutil.which("java") is None:
        return "no java"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("ETS_DIR") or cache / "samsyn" / "ets")
    jars = sorted(folder.glob(SUITES[suite]))
    return jars[-1] if jars else f"no {SUITES[suite]} in {folder} (ETS_DIR)"


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
def _server() -> Iterator[Server]:
    """Run a server that holds the demo plan and, where they are at hand, the standard's layers."""
    shared = Path(os.environ.get("SAMSYN_SHARED", Path(__file__).parents[2] / "shared"))
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


def _report(suite: str, jar: Path, results: Results) -> None:
    counts = ", ".join(f"{number} {status}" for status, number in sorted(results.counts.items()))
    click.echo(f"OGC {suite} suite: ran, {counts} ({jar.name})")
    for word, methods in (("FAIL", results.failed), ("SKIP", results.skipped)):
        for (name, reason), number in Counter(methods).items():
            click.echo(f"  {word} {name} ({number}): {reason}")
    if results.unexpected:
        click.echo(f"  skipped unexpectedly: {', '.join(results.unexpected)}")


if __name__ == "__main__":
    sys.exit(main())
