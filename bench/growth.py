"""The same page, bbox and tiles in a database of few layers and in large ones, in turn."""

import math
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import URL

from bench.databases import kept_database, session, vacuum
from bench.dataset import boxes, tiles, write_polygons
from bench.load import times_in_turn
from bench.processes import free_port, serving
from bench.report import Check
from bench.run import Run
from bench.subject import Subject, import_layer, launch, run_samsyn

_FILE = "growth.fgb"
_POLYGONS = 20_000
_FEW = 10
_FEW_ROWS = 300_000
_SMALL_LAYER = 20  # features
_REQUESTS = 1000
_TARGET = 1.1


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


_FIGURES: dict[str, Callable[[list[float]], float]] = {
    "median time": statistics.median,
    "p95": _p95,
}


def measure_growth(run: Run, layers: int, rows: int, *, keep: bool = False) -> None:
    """Compare a database of ten layers with one of many, and one of few rows with one of many.

    `rows` in other layers may be 0, which leaves the latter out. To `keep` the databases is for a
    server that outlives the run: the next run measures without loading.
    """
    write_polygons(run.folder / _FILE, _POLYGONS)
    with ExitStack() as stack:
        sizes = [(_FEW, 0), (layers, 0), *([(_FEW, _FEW_ROWS), (_FEW, rows)] if rows else [])]
        few, many, *of_rows = (
            _database(run, stack, number, others, keep=keep) for number, others in sizes
        )
        _compare(run, (few, many), f"{layers:,} layers to {_FEW}")
        if of_rows:
            name = f"{rows:,} rows in other layers to {_FEW_ROWS:,}"
            _compare(run, (of_rows[0], of_rows[1]), name)


def _database(
    run: Run, stack: ExitStack, layers: int, rows: int = 0, *, keep: bool = False
) -> Subject:
    """Return the measured layer in a database with others: small ones, or large ones with `rows`
    rows in total."""
    database = stack.enter_context(
        kept_database(
            run.server,
            f"samsyn_growth_{layers}_{rows}",
            lambda url: _fill(run, url, layers, rows),
            removed=not keep,
        )
    )
    run_samsyn(database, "db", "upgrade")  # one that was kept may be of a release before
    with session(database) as cursor:
        cursor.execute("SELECT id::text FROM layers WHERE name = %s", (Path(_FILE).stem,))
        subject = Subject(database, next(cursor)[0])
    stack.callback(subject.close)
    return subject


def _fill(run: Run, database: URL, layers: int, rows: int) -> None:
    layer_id = import_layer(database, run.folder / _FILE)
    run.log_progress(f"  growth: making {layers - 1:,} other layers, {rows:,} rows in them")
    with session(database) as cursor:
        cursor.execute(
            "INSERT INTO layers (name, source_type, created_by, visibility, geometry_type,"
            " property_schema)"
            " SELECT name || number, source_type, created_by, visibility, geometry_type,"
            " property_schema FROM layers CROSS JOIN generate_series(2, %s) AS number",
            (layers,),
        )
        _copy_features(cursor, layer_id, _SMALL_LAYER)
        in_each = math.ceil(rows / (layers - 1))
        for copied in range(0, in_each, _POLYGONS):
            _copy_features(cursor, layer_id, min(_POLYGONS, in_each - copied))
            run.log_progress(f"  growth: {min(copied + _POLYGONS, in_each) * (layers - 1):,} rows")
    vacuum(database)


def _copy_features(cursor: object, layer_id: str, count: int) -> None:
    cursor.execute(  # type: ignore[attr-defined]
        "INSERT INTO layer_features (layer_id, geom, properties)"
        " SELECT layers.id, geom, properties FROM layers CROSS JOIN ("
        "  SELECT geom, properties FROM layer_features WHERE layer_id = %(layer)s"
        "  ORDER BY id LIMIT %(count)s) AS copied"
        " WHERE layers.id <> %(layer)s",
        {"layer": layer_id, "count": count},
    )


def _compare(run: Run, subjects: tuple[Subject, Subject], name: str) -> None:
    small, large = subjects
    ports = free_port(), free_port()
    with (
        serving(launch(small.database, ports[0]), ports[0], run.folder / "small.log") as few,
        serving(launch(large.database, ports[1]), ports[1], run.folder / "large.log") as many,
    ):
        for kind, paths in (("a page", _pages), ("a box", _boxes), ("a tile", _tiles)):
            requests = [(few.url, paths(small)), (many.url, paths(large))]
            times_in_turn(requests, 20)
            times = times_in_turn(requests, _REQUESTS)
            for word, figure in _FIGURES.items():
                before, after = map(figure, times)
                detail = {"few_ms": round(before * 1e3, 3), "many_ms": round(after * 1e3, 3)}
                run.log_progress(
                    f"  growth, {word} of {kind}: {before * 1e3:.2f} ms,"
                    f" with {name} {after * 1e3:.2f} ms"
                )
                run.report.checks.append(
                    Check(f"{word} of {kind}, {name}", after / before, "×", "<=", _TARGET, detail)
                )


def _pages(subject: Subject) -> list[str]:
    return [f"{subject.items}?limit=10&offset={offset}" for offset in range(_REQUESTS + 20)]


def _boxes(subject: Subject) -> list[str]:
    return [f"{subject.items}?bbox={box}&limit=100" for box in boxes(_REQUESTS + 20)]


def _tiles(subject: Subject) -> list[str]:
    return [subject.tile.format(z=z, x=x, y=y) for z, x, y in tiles(10)[: _REQUESTS + 20]]
