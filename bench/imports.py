"""`samsyn import` beside `ogr2ogr`: a FlatGeobuf file into PostgreSQL, both as commands."""

import statistics
import time
from pathlib import Path

from sqlalchemy import URL

from bench.databases import pg_environment, scratch_database, session, vacuum
from bench.dataset import write_polygons
from bench.processes import run_program
from bench.report import Check
from bench.run import Run
from bench.subject import import_layer, run_samsyn

_COUNT = 100_000


def measure_imports(run: Run) -> None:
    """Import 100,000 polygons by each in turn."""
    file = run.folder / "import.fgb"
    write_polygons(file, _COUNT)
    samsyn_seconds, ogr2ogr_seconds = [], []
    with (
        scratch_database(run.server, "import") as samsyn,
        scratch_database(run.server, "ogr") as plain,
    ):
        run_samsyn(samsyn, "db", "upgrade")
        for _ in range(run.rounds):
            start = time.perf_counter()
            layer_id = import_layer(samsyn, file)
            samsyn_seconds.append(time.perf_counter() - start)
            start = time.perf_counter()
            _run_ogr2ogr(file, plain)
            ogr2ogr_seconds.append(time.perf_counter() - start)
            run.log_progress(
                f"  import: samsyn {samsyn_seconds[-1]:.2f} s, ogr2ogr {ogr2ogr_seconds[-1]:.2f} s"
            )
            _execute(samsyn, "DELETE FROM layers WHERE id = %s", layer_id)
            _execute(plain, "DROP TABLE imported")
            vacuum(samsyn)
    file.unlink()
    mine, other = statistics.median(samsyn_seconds), statistics.median(ogr2ogr_seconds)
    detail = {"samsyn_seconds": samsyn_seconds, "ogr2ogr_seconds": ogr2ogr_seconds}
    run.report.checks.append(
        Check(
            "import of 100,000 polygons, speed to ogr2ogr's", other / mine, "×", ">=", 1.5, detail
        )
    )


def _run_ogr2ogr(file: Path, database: URL) -> None:
    environment = pg_environment(database) | {"PG_USE_COPY": "YES"}
    target = f"PG:dbname={environment['PGDATABASE']}"
    run_program(["ogr2ogr", "-f", "PostgreSQL", target, file, "-nln", "imported"], environment)


def _execute(database: URL, statement: str, *values: str) -> None:
    with session(database) as cursor:
        cursor.execute(statement, values)
