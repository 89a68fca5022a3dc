"""What history costs: edits and imports with and without it, pages of a layer as it was."""

import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from typing import Any

from sqlalchemy import URL

from bench.databases import scratch_database, session, vacuum, written
from bench.dataset import boxes, write_polygons
from bench.load import times_in_turn
from bench.processes import free_port, serving
from bench.report import Check
from bench.run import Run
from bench.subject import OWNER, Subject, import_layer, launch, run_samsyn
from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.settings import Settings
from samsyn_provider.query.position import encode_position

_FILE = "history.fgb"
_IMPORTED = 100_000
_EDITS = 600
_REQUESTS = 300
_VERSIONS = 10

# As before there was a history, but that rows have a column more.
_FORGET = """
ALTER TABLE layer_features DISABLE TRIGGER begin_change_set;
ALTER TABLE layer_features DISABLE TRIGGER keep_updated_features;
ALTER TABLE layer_features DISABLE TRIGGER keep_deleted_features;
CREATE OR REPLACE FUNCTION current_change_set() RETURNS bigint
    LANGUAGE sql AS 'SELECT NULL::bigint';
CREATE OR REPLACE FUNCTION note_changed_features(
    layer uuid, inserted bigint, updated bigint, deleted bigint
) RETURNS void LANGUAGE sql AS '';
ALTER TABLE layers DISABLE TRIGGER record_subject_change;
ALTER TABLE api_tokens DISABLE TRIGGER record_subject_change;
ALTER TABLE imports DISABLE TRIGGER record_subject_change"""

_NEW_VERSIONS = """
UPDATE layer_features
SET properties = properties || jsonb_build_object('visit', version),
    geom = ST_Translate(geom, 0.0001, 0)
WHERE layer_id = %s AND id %% 10 = %s"""


def measure_history(run: Run, polygons: int) -> None:
    """Compare edits and imports with those of a database that keeps no history, and pages of a
    layer of so many polygons as it was with those of the present."""
    write_polygons(run.folder / _FILE, _IMPORTED)
    with ExitStack() as stack:
        databases = [
            stack.enter_context(scratch_database(run.server, name)) for name in ("plain", "kept")
        ]
        for database in databases:
            run_samsyn(database, "db", "upgrade")
        with session(databases[0]) as cursor:
            cursor.execute(_FORGET)
        layers = _compare_imports(run, databases)
        _compare_edits(run, databases, layers)
    _compare_pages(run, polygons)


def _compare_imports(run: Run, databases: list[URL]) -> list[str]:
    """Import the polygons into each in turn; return the last layer of each."""
    seconds: list[list[float]] = [[], []]
    layers = ["", ""]
    for _ in range(run.rounds):
        for number, database in enumerate(databases):
            start = time.perf_counter()
            layers[number] = import_layer(database, run.folder / _FILE)
            seconds[number].append(time.perf_counter() - start)
            vacuum(database)
    _check(run, "import of 100,000 polygons", seconds, 1.1)
    return layers


def _compare_edits(run: Run, databases: list[URL], layers: list[str]) -> None:
    """Change and add single features in both, in turn."""
    with ExitStack() as stack:
        senders = []
        for database, layer in zip(databases, layers, strict=True):
            engine = open_engine(written(database), statement_timeout=30, prepares=True)
            stack.callback(engine.dispose)
            settings = Settings(database_url=written(database), writes_per_minute=0)
            token = run_samsyn(database, "token", "create", OWNER, "--scope", "write")
            client = create_app(settings, engine).test_client()
            senders.append(_sender(client, layer, token, Subject(database, layer).ids[0]))
        for method, name in (("PATCH", "change"), ("POST", "addition")):
            seconds: list[list[float]] = [[], []]
            for _ in range(_EDITS):
                for number, send in enumerate(senders):
                    start = time.perf_counter()
                    send(method)
                    seconds[number].append(time.perf_counter() - start)
            _check(run, f"{name} of a feature", [times[50:] for times in seconds], 1.1)


def _sender(client: Any, layer: str, token: str, first: int) -> Callable[[str], None]:
    numbers = count()
    items = f"/ogc/collections/{layer}/items"

    def send(method: str) -> None:
        number = next(numbers)
        feature: dict[str, Any] = {"properties": {"name": f"Site {number}"}}
        if method == "POST":
            shape = [[[11, 57], [11.1, 57], [11.1, 57.1], [11, 57]]]
            geometry = {"type": "Polygon", "coordinates": shape}
            feature |= {"type": "Feature", "geometry": geometry}
        path = items if method == "POST" else f"{items}/{first + number}"
        response = client.open(
            path,
            method=method,
            data=json.dumps(feature),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/geo+json"},
        )
        if response.status_code >= 400:
            raise OSError(f"status {response.status_code}: {response.text}")

    return send


def _compare_pages(run: Run, polygons: int) -> None:
    """Make ten versions of every feature, and read pages of the layer as it was among them."""
    write_polygons(run.folder / _FILE, polygons)
    with ExitStack() as stack:
        database = stack.enter_context(scratch_database(run.server, "versions"))
        subject = Subject(database, import_layer(database, run.folder / _FILE))
        stack.callback(subject.close)
        moments = _make_versions(run, subject)
        port = free_port()
        log = run.folder / "versions.log"
        server = stack.enter_context(serving(launch(database, port), port, log))
        starts = subject.ids[: -100 : len(subject.ids) // _REQUESTS][:_REQUESTS]
        for kind, queries in (
            ("a page", [f"limit=100&after={encode_position(f'[{start}]')}" for start in starts]),
            ("a box", [f"bbox={area}&limit=100" for area in boxes(_REQUESTS)]),
        ):
            paths = [f"{subject.items}?{query}" for query in queries]
            for name, moment in moments.items():
                former = [f"{path}&version-datetime={moment}" for path in paths]
                requests = [(server.url, paths), (server.url, former)]
                times_in_turn(requests, 10)
                _check(run, f"{kind}, {name}", times_in_turn(requests, _REQUESTS), 2)


def _make_versions(run: Run, subject: Subject) -> dict[str, str]:
    """Change every feature ten times; return moments at the beginning, in the middle, and at the
    end."""
    moments = []
    with session(subject.database) as cursor:
        for number in range(_VERSIONS):
            moments.append(_now(cursor))
            for part in range(10):
                cursor.execute(_NEW_VERSIONS, (subject.layer_id, part))
            run.log_progress(f"  history: {number + 1} versions of each feature")
        moments.append(_now(cursor))
    vacuum(subject.database)
    places = {"first of ten versions": 0, "fifth": _VERSIONS // 2, "last": _VERSIONS}
    return {name: moments[place] for name, place in places.items()}


def _now(cursor: Any) -> str:
    cursor.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
    return f"{cursor.fetchone()[0].isoformat(timespec='microseconds')}Z"


def _check(run: Run, name: str, seconds: list[list[float]], target: float) -> None:
    without, with_history = map(statistics.median, seconds)
    detail = {
        "without_ms": round(without * 1e3, 3),
        "with_ms": round(with_history * 1e3, 3),
        "least_ms": [round(min(times) * 1e3, 3) for times in seconds],
    }
    run.log_progress(f"  history, {name}: {without * 1e3:.2f} ms, {with_history * 1e3:.2f} ms")
    ratio = with_history / without
    run.report.checks.append(Check(f"history: {name}", ratio, "×", "<=", target, detail))
