"""DuckDB, GeoPandas and R's sf read layers over HTTP."""

import csv
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import shapely

from tests.clients import plan_layers
from tests.clients.map_libraries import clients_folder
from tests.clients.samsyn_server import Server

SCRIPTS = Path(__file__).with_name("table_readers")
_SECONDS = 120
_KATTEGAT = ",".join(map(str, plan_layers.KATTEGAT))
COLUMNS = "number, name, designated AS since, hex(ST_AsWKB(geometry)) AS wkb"


def _run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _python(script: str, **task: Any) -> Any:
    """Run a script with the Python that has DuckDB and GeoPandas; skip the test where it is not."""
    python = clients_folder() / "python" / "bin" / "python"
    if not python.exists():
        pytest.skip("DuckDB and GeoPandas are not installed: scripts/install-clients does it")
    return json.loads(_run(python, SCRIPTS / script, json.dumps(task)))


def _query(query: str, token: str | None = None) -> list[dict[str, Any]]:
    return list(_python("duckdb_query.py", query=query, token=token))


def _sf(*source: str, **environment: str) -> list[dict[str, Any]]:
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("R with sf (Debian's r-cran-sf) is not installed")
    text = _run(program, "--vanilla", SCRIPTS / "sf_read.R", *source, **environment)
    return list(csv.DictReader(io.StringIO(text)))


def _assert_same(
    rows: Iterable[Mapping[str, Any]], expected: Iterable[plan_layers.Feature]
) -> None:
    """Compare what all of these clients return alike: a number, a text, a date and a geometry."""
    by_number = {feature.properties["number"]: feature for feature in expected}
    read = {int(row["number"]): row for row in rows}
    assert list(read) == list(by_number)
    for number, feature in by_number.items():
        row, date = read[number], feature.properties["designated"]
        assert row["name"] == feature.properties["name"]
        assert row["since"] in ([str(date)] if date else [None, "None", "NA", "NaT"])
        geometry = shapely.from_wkb(row["wkb"]) if row["wkb"] else None
        is_absent = geometry is None or geometry.is_empty
        plan_layers.assert_same_geometry(None if is_absent else geometry, feature.geometry)


def _items(server: Server, layer: str, form: str) -> str:
    return f"{server.ogc}/collections/{layer}/items?f={form}"


def test_duckdb_reads_geoparquet(server: Server, areas: str) -> None:
    address = _items(server, areas, "parquet")
    rows = _query(f"SELECT {COLUMNS} FROM read_parquet('{address}')")
    _assert_same(rows, plan_layers.AREAS)
    described = _query(f"DESCRIBE SELECT * FROM read_parquet('{address}')")
    types = {column["column_name"]: column["column_type"] for column in described}
    assert types == {
        **dict.fromkeys(("id", "number", "permit"), "BIGINT"),
        **dict.fromkeys(("name", "remark"), "VARCHAR"),
        "depth": "DOUBLE",
        "protected": "BOOLEAN",
        "designated": "DATE",
        "surveyed": "TIMESTAMP WITH TIME ZONE",
        "geometry": "GEOMETRY('OGC:CRS84')",
    }


def test_duckdb_lets_the_server_filter(server: Server, areas: str) -> None:
    address = f"{_items(server, areas, 'parquet')}&bbox={_KATTEGAT}&filter=number%20%3E%20600"
    rows = _query(f"SELECT {COLUMNS} FROM read_parquet('{address}')")
    here = plan_layers.within(plan_layers.AREAS, plan_layers.KATTEGAT)
    _assert_same(rows, [feature for feature in here if feature.properties["number"] > 600])


@pytest.mark.parametrize("form", ["json&limit=10000", "fgb"])
def test_duckdb_reads_through_gdal(server: Server, areas: str, form: str) -> None:
    """In a box, since DuckDB cannot read a FlatGeobuf with features without a geometry."""
    columns = COLUMNS.replace("geometry", "geom").replace("designated", "designated::DATE")
    address = f"{_items(server, areas, form)}&bbox={_KATTEGAT}"
    rows = _query(f"SELECT {columns} FROM ST_Read('{address}')")
    _assert_same(rows, plan_layers.within(plan_layers.AREAS, plan_layers.KATTEGAT))


def test_duckdb_reads_csv(server: Server, areas: str) -> None:
    columns = COLUMNS.replace("geometry", "ST_GeomFromText(geometry)")
    rows = _query(f"SELECT {columns} FROM read_csv('{_items(server, areas, 'csv')}')")
    _assert_same(rows, plan_layers.AREAS)


def test_duckdb_reads_a_private_layer_with_a_token(
    server: Server, moorings: str, token: str
) -> None:
    query = f"SELECT {COLUMNS} FROM read_parquet('{_items(server, moorings, 'parquet')}')"
    _assert_same(_query(query, token), plan_layers.MOORINGS)


@pytest.mark.parametrize("form", ["parquet", "json&limit=10000"])
def test_geopandas_reads_downloads(server: Server, areas: str, form: str) -> None:
    read = _python("geopandas_read.py", format=form, address=_items(server, areas, form))
    assert read["crs"] in {"EPSG:4326", "OGC:CRS84"}
    _assert_same(read["rows"], plan_layers.AREAS)


def test_geopandas_reads_a_private_layer_page_by_page(
    server: Server, moorings: str, token: str
) -> None:
    read = _python(
        "geopandas_read.py",
        format="OAPIF",
        address=f"OAPIF:{server.ogc}",
        options={"layer": moorings, "PAGE_SIZE": 40},
        token=token,
    )
    _assert_same(read["rows"], plan_layers.MOORINGS)


@pytest.mark.parametrize("form", ["json&limit=10000", "fgb"])
def test_sf_reads_downloads(server: Server, areas: str, form: str) -> None:
    _assert_same(_sf(_items(server, areas, form)), plan_layers.AREAS)


def test_sf_reads_a_private_layer_page_by_page(server: Server, moorings: str, token: str) -> None:
    credentials = {"GDAL_HTTP_AUTH": "BASIC", "GDAL_HTTP_USERPWD": f"token:{token}"}
    rows = _sf(f"OAPIF:{server.ogc}", moorings, **credentials)
    _assert_same(rows, plan_layers.MOORINGS)
