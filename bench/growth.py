"""The same page, bbox and tiles in a database of few layers and in large ones, in turn."""

import math
import statistics
from contextlib import ExitStack

from bench.databases import scratch_database, session, vacuum
from bench.dataset import boxes, tiles, write_polygons
from bench.load import times_in_turn
from bench.processes import free_port, serving
from bench.report import Check
from bench.run import Run
from bench.subject import Subject, import_layer, launch

_FILE = "growth.fgb"
_POLYGONS = 20_000
_FEW = 10
_SMALL_LAYER = 20  # features
_REQUESTS = 400


def measure_growth(run: Run, layers: int, rows: int) -> None:
    """Compare a database of ten layers with one of many, and with one of many rows elsewhere.

    `rows` in other layers may be 0, which leaves the latter out.
    """
    write_polygons(run.folder / _FILE, _POLYGONS)
    with ExitStack() as stack:
        small = _database(run, stack, "few", _FEW)
        large = _database(run, stack, "many", layers)
        _compare(run, (small, large), f"{layers:,} layers to {_FEW}", 1.15)
        if rows:
            crowded = _database(run, stack, "rows", _FEW, rows)
            _compare(run, (small, crowded), f"{rows:,} rows in other layers to few", 1.2)


def _database(run: Run, stack: ExitStack, purpose: str, layers: int, rows: int = 0) -> Subject:
    """Create a database of the measured layer and others: small ones, or large ones with `rows`
    rows in total."""
    database = stack.enter_context(scratch_database(run.server, purpose))
    subject = Subject(database, import_layer(database, run.folder / _FILE))
    stack.callback(subject.close)
    run.log_progress(f"  growth: making {layers - 1:,} other layers, {rows:,} rows in them")
    with session(database) as cursor:
        cursor.execute(
            "INSERT INTO layers (name, source_type, created_by, visibility, geometry_type,"
            " property_schema)"
            " SELECT name || number, source_type, created_by, visibility, geometry_type,"
            " property_schema FROM layers CROSS JOIN generate_series(2, %s) AS number",
            (layers,),
        )
        _copy_features(cursor, subject, _SMALL_LAYER)
        in_each = math.ceil(rows / (layers - 1))
        for copied in range(0, in_each, _POLYGONS):
            _copy_features(cursor, subject, min(_POLYGONS, in_each - copied))
            run.log_progress(f"  growth: {min(copied + _POLYGONS, in_each) * (layers - 1):,} rows")
    vacuum(database)
    return subject


def _copy_features(cursor: object, subject: Subject, count: int) -> None:
    cursor.execute(  # type: ignore[attr-defined]
        "INSERT INTO layer_features (layer_id, geom, properties)"
        " SELECT layers.id, geom, properties FROM layers CROSS JOIN ("
        "  SELECT geom, properties FROM layer_features WHERE layer_id = %(layer)s"
        "  ORDER BY id LIMIT %(count)s) AS copied"
        " WHERE layers.id <> %(layer)s",
        {"layer": subject.layer_id, "count": count},
    )


def _compare(run: Run, subjects: tuple[Subject, Subject], name: str, target: float) -> None:
    small, large = subjects
    ports = free_port(), free_port()
    with (
        serving(launch(small.database, ports[0]), ports[0], run.folder / "small.log") as few,
        serving(launch(large.database, ports[1]), ports[1], run.folder / "large.log") as many,
    ):
        for kind, paths in (("a page", _pages), ("a box", _boxes), ("a tile", _tiles)):
            requests = [(few.url, paths(small)), (many.url, paths(large))]
            times_in_turn(requests, 20)
            before, after = map(statistics.median, times_in_turn(requests, _REQUESTS))
            detail = {"few_ms": round(before * 1e3, 3), "many_ms": round(after * 1e3, 3)}
            run.log_progress(
                f"  growth, {kind}: {before * 1e3:.2f} ms, with {name} {after * 1e3:.2f} ms"
            )
            run.report.checks.append(
                Check(f"time of {kind}, {name}", after / before, "×", "<=", target, detail)
            )


def _pages(subject: Subject) -> list[str]:
    return [f"{subject.items}?limit=10&offset={offset}" for offset in range(_REQUESTS + 20)]


def _boxes(subject: Subject) -> list[str]:
    return [f"{subject.items}?bbox={box}&limit=100" for box in boxes(_REQUESTS + 20)]


def _tiles(subject: Subject) -> list[str]:
    return [subject.tile.format(z=z, x=x, y=y) for z, x, y in tiles(10)[: _REQUESTS + 20]]
