"""Files for the tests of importing, written with the programs' own libraries."""

import json
import sqlite3
import uuid
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from sqlalchemy import Engine, text

from samsyn_admin.imports.loading.file_import import import_file
from samsyn_admin.imports.loading.report import LayerReport
from samsyn_model.errors import SamsynError
from tests.gdal_drivers import every_driver


class Remarks:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.started: list[tuple[str, int | None]] = []
        self.advanced = 0

    def start(self, name: str, total: int | None) -> None:
        self.started.append((name, total))

    def advance(self, count: int) -> None:
        self.advanced += count

    def remark(self, text: str) -> None:
        self.texts.append(text)


def add_user(engine: Engine) -> uuid.UUID:
    with engine.begin() as connection:
        row = connection.execute(text("INSERT INTO users DEFAULT VALUES RETURNING id")).one()
        return row[0]


def load(engine: Engine, owner_id: uuid.UUID, path: Path, **options: Any) -> Sequence[LayerReport]:
    options.setdefault("progress", Remarks())
    return import_file(engine, path, owner_id=owner_id, **options).layers


def features_of(engine: Engine, layer_id: uuid.UUID) -> list[tuple[str | None, dict[str, Any]]]:
    """Return (EWKT, properties) of a layer's features."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT ST_AsEWKT(geom), properties FROM layer_features"
                " WHERE layer_id = :layer_id ORDER BY id"
            ),
            {"layer_id": layer_id},
        )
        return [(row[0], row[1]) for row in rows]


def layer_row(engine: Engine, layer_id: uuid.UUID) -> Any:
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT * FROM layers WHERE id = :layer_id"), {"layer_id": layer_id}
        ).one()


def stored(engine: Engine) -> tuple[int, int]:
    """Return the numbers of layers and of features."""
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT (SELECT count(*) FROM layers), (SELECT count(*) FROM layer_features)")
        ).one()
        return row[0], row[1]


def feature(
    properties: dict[str, Any] | None = None, geometry: Any = (12.5, 57.25), **members: Any
) -> dict[str, Any]:
    if isinstance(geometry, tuple):
        geometry = {"type": "Point", "coordinates": list(geometry)}
    return {"type": "Feature", "properties": properties, "geometry": geometry, **members}


def collection(*features: dict[str, Any], **members: Any) -> str:
    return json.dumps(
        {"type": "FeatureCollection", **members, "features": features}, ensure_ascii=False
    )


def table(geometries: Sequence[Any], columns: dict[str, Any] | None = None) -> pa.Table:
    wkb = pa.array(list(shapely.to_wkb(geometries)), pa.binary())
    return pa.table({"geometry": wkb, **(columns or {})})


def write_ogr(path: Path, content: pa.Table, driver: str, **options: Any) -> Path:
    """Write an Arrow table that has WKB in `geometry`, by default polygons in WGS 84."""
    options = {"geometry_type": "Polygon", "crs": "EPSG:4326", **options}
    with warnings.catch_warnings(), every_driver():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        pyogrio.write_arrow(content, path, driver=driver, geometry_name="geometry", **options)
    return path


def write_parquet(
    path: Path, content: pa.Table, column: dict[str, Any] | None = None, **options: Any
) -> Path:
    geo = {
        "version": "1.0.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], **(column or {})}},
    }
    pq.write_table(content.replace_schema_metadata({"geo": json.dumps(geo)}), path, **options)
    return path


def edit_geopackage(path: Path, *statements: tuple[str, Sequence[Any]]) -> None:
    """Change a GeoPackage behind GDAL's back, its triggers (which need functions) dropped."""
    with closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        for statement, values in statements:
            database.execute(statement, values)
        database.commit()


def square(x: float, y: float, size: float = 0.5) -> Any:
    return shapely.box(x, y, x + size, y + size)


def field_types(engine: Engine, layer_id: uuid.UUID) -> dict[str, str]:
    """Return the fields' types or formats, in order."""
    fields = layer_row(engine, layer_id).property_schema["properties"]
    in_order = sorted(fields, key=lambda name: fields[name]["x-ogc-propertySeq"])
    return {
        name: fields[name].get("format") or fields[name].get("type", "any") for name in in_order
    }


def refused(
    engine: Engine, owner: uuid.UUID, path: Path, kind: type[SamsynError], **options: Any
) -> str:
    """Import, and return the reason for the refusal; nothing may have changed."""
    before = stored(engine)
    with pytest.raises(kind) as refusal:
        load(engine, owner, path, **options)
    assert stored(engine) == before
    return refusal.value.detail


def grid(count: int) -> pa.Table:
    squares = [square(number % 100, number // 100 % 80) for number in range(count)]
    return table(squares, {"name": pa.array([f"square {number}" for number in range(count)])})
