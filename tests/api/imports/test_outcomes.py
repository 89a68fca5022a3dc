"""Importing unusual data, into an existing layer, or interrupted: the stored features."""

import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import pytest
import shapely
from sqlalchemy import Engine, text

from samsyn_model.errors import (
    InvalidBodyError,
    InvalidParameterError,
    NotFoundError,
    UnstorableFeatureError,
)
from tests.source_files import (
    Remarks,
    add_user,
    collection,
    edit_geopackage,
    feature,
    features_of,
    grid,
    load,
    refused,
    square,
    stored,
    table,
    write_ogr,
)


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


def test_curves_m_and_unsupported_geometries(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    def blob(wkb: bytes) -> bytes:
        return b"GP\0\x01" + struct.pack("<i", 4326) + wkb

    half_circle = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
    measured = struct.pack("<BI3d", 1, 2001, 5, 6, 7)
    content = table([shapely.Point(1, 2)] * 3)
    path = write_ogr(tmp_path / "a.gpkg", content, "GPKG", geometry_type="Unknown")
    statement = "UPDATE a SET geom = ? WHERE fid = ?"
    edit_geopackage(path, (statement, [blob(half_circle), 1]), (statement, [blob(measured), 2]))
    remarks = Remarks()
    [layer] = load(engine, owner, path, progress=remarks)
    (curve, _), (point, _), _ = features_of(engine, layer.layer_id)
    line = shapely.from_wkt(str(curve)[10:])
    assert line.geom_type == "LineString"
    assert line.length == pytest.approx(3.1416, abs=1e-3)
    assert point == "SRID=4326;POINT(5 6)"
    assert any("Curves" in text for text in remarks.texts)
    assert any("M values" in text for text in remarks.texts)
    edit_geopackage(path, (statement, [blob(b"\x01\x03\0\0\0\x05"), 3]))
    assert "Feature 3 (fid 3)" in refused(engine, owner, path, UnstorableFeatureError)


def test_unusual_but_storable_geometries(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    bow = shapely.Polygon([(0, 0), (1, 1), (0, 1), (1, 0), (0, 0)])
    content = table([bow, None, shapely.Polygon(), shapely.MultiPolygon([square(1, 1)])])
    remarks = Remarks()
    path = write_ogr(tmp_path / "odd.gpkg", content, "GPKG", geometry_type="Unknown")
    [layer] = load(engine, owner, path, progress=remarks)
    assert (layer.feature_count, layer.null_count, layer.invalid_count) == (4, 1, 1)
    assert layer.geometry_type == "MultiPolygon"
    wkts = [wkt for wkt, _ in features_of(engine, layer.layer_id)]
    assert (wkts[1], wkts[2]) == (None, "SRID=4326;POLYGON EMPTY")
    assert remarks.texts == [
        "odd: 4 features imported",
        "odd: read as WGS 84 (EPSG:4326), from the table's definition",
        "odd: from 0 to 1.5 degrees of longitude, 0 to 1.5 of latitude",
        "warning: odd: 1 feature has no geometry.",
        "warning: odd: 1 geometry is not valid (self-intersections, say); it was stored unchanged.",
    ]
    edge = tmp_path / "edge.geojson"
    edge.write_text(collection(feature({}, (180.0000000005, -90.0000000005))))
    [layer] = load(engine, owner, edge)
    assert features_of(engine, layer.layer_id)[0][0] == "SRID=4326;POINT(180 -90)"


def test_names_and_options(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(collection(feature({"day": "2024-05-01", "depth": 3})))
    assert "255" in refused(engine, owner, path, InvalidParameterError, name="x" * 256)
    detail = refused(engine, owner, path, InvalidParameterError, source_layer="b")
    assert "has no layer 'b'; it has 'a'" in detail
    assert "'x'" in refused(engine, owner, path, InvalidParameterError, time_field="x")
    assert "dates" in refused(engine, owner, path, InvalidParameterError, time_field="depth")
    unknown = uuid.uuid4()
    assert str(unknown) in refused(engine, owner, path, NotFoundError, layer_id=unknown)


def test_append(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(collection(feature({"name": "x", "depth": 1.5})))
    [layer] = load(engine, owner, path)
    path.write_text(collection(feature({"name": None, "depth": 2}), feature({"name": "y"}, None)))
    [again] = load(engine, owner, path, layer_id=layer.layer_id)
    assert (again.layer_id, again.feature_count) == (layer.layer_id, 2)
    assert [properties for _, properties in features_of(engine, layer.layer_id)] == [
        {"name": "x", "depth": 1.5},
        {"name": None, "depth": 2},
        {"name": "y"},
    ]
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    path.write_text(collection(feature({"depth": "deep", "other": 1}, line)))
    before = stored(engine)
    with pytest.raises(InvalidBodyError) as refusal:
        load(engine, owner, path, layer_id=layer.layer_id)
    assert stored(engine) == before
    assert [fault.pointer for fault in refusal.value.faults] == ["/properties/other"]
    path.write_text(collection(feature({"depth": "deep"}), feature({"depth": 1}, line)))
    detail = refused(engine, owner, path, UnstorableFeatureError, layer_id=layer.layer_id)
    assert detail.startswith("Feature 1 has a value of 'depth'")
    path.write_text(collection(feature({"depth": 1}, line)))
    detail = refused(engine, owner, path, UnstorableFeatureError, layer_id=layer.layer_id)
    assert "Feature 1 cannot be stored: it is a LineString" in detail
    refused(engine, owner, path, InvalidParameterError, layer_id=layer.layer_id, name="other")


def test_append_to_a_layer_that_is_not_vector(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        layer_id = connection.execute(
            text(
                "INSERT INTO layers (name, source_type, created_by) VALUES ('w', 'wms', :owner)"
                " RETURNING id"
            ),
            {"owner": owner},
        ).scalar_one()
    path = tmp_path / "a.geojson"
    path.write_text(collection(feature({})))
    assert "wms" in refused(engine, owner, path, InvalidParameterError, layer_id=layer_id)


def test_a_failing_second_layer_rolls_the_first_back(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(10), "GPKG", layer="good")
    far = table([shapely.Point(200, 0)])
    write_ogr(path, far, "GPKG", layer="far", geometry_type="Point", append=True)
    detail = refused(engine, owner, path, UnstorableFeatureError)
    assert "longitude 200" in detail
    assert "-wrapdateline" in detail


def test_killed_during_the_import(
    engine: Engine, owner: uuid.UUID, test_database_url: str, tmp_path: Path
) -> None:
    """An import killed with SIGKILL while rows are being sent leaves no layer and no rows."""
    path = tmp_path / "long.geojsonl"
    line = json.dumps(feature({"name": "x" * 200})) + "\n"
    path.write_text(line * 200_000)
    program = textwrap.dedent(
        f"""
        import uuid
        from pathlib import Path
        from samsyn_admin.imports.loading.file_import import import_file
        from samsyn_model.database.engine import open_engine

        class Loud:
            def start(self, name, total): pass
            def remark(self, text): pass
            def advance(self, count): print(count, flush=True)

        import_file(open_engine({test_database_url!r}), Path({str(path)!r}),
                    owner_id=uuid.UUID({str(owner)!r}), progress=Loud())
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    sent = 0
    while sent < 20_000:
        sent += int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            busy = connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND query LIKE 'COPY layer_features%'"
                )
            ).scalar_one()
        if not busy:
            break
        time.sleep(0.1)
    assert stored(engine) == (0, 0)


def test_flatgeobuf_with_null_geometries(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    geometries = [shapely.Point(1, 2), None, shapely.Point(3, 4), None]
    options = {"geometry_type": "Point", "SPATIAL_INDEX": "NO"}
    content = table(geometries, {"n": [1, 2, 3, 4]})
    path = write_ogr(tmp_path / "nulls.fgb", content, "FlatGeobuf", **options)
    (layer,) = load(engine, owner, path)
    assert (layer.feature_count, layer.null_count) == (4, 2)
    assert features_of(engine, layer.layer_id) == [
        ("SRID=4326;POINT(1 2)", {"n": 1}),
        (None, {"n": 2}),
        ("SRID=4326;POINT(3 4)", {"n": 3}),
        (None, {"n": 4}),
    ]
