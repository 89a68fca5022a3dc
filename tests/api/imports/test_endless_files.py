"""Files that would take for ever, or too much, to read: each is refused within seconds."""

import sqlite3
import struct
import subprocess
import sys
import uuid
import zipfile
from contextlib import closing
from pathlib import Path
from time import monotonic

import pyarrow as pa
import pytest
import shapely
from sqlalchemy import Engine

from samsyn_admin.imports.sources import limits
from samsyn_model.errors import UnreadableFileError
from tests.source_files import (
    add_user,
    edit_geopackage,
    features_of,
    grid,
    load,
    refused,
    table,
    write_ogr,
    write_parquet,
)

SECONDS = 20
COUNT = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


def quickly_refused(engine: Engine, owner: uuid.UUID, path: Path, **options: str) -> str:
    start = monotonic()
    detail = refused(engine, owner, path, UnreadableFileError, **options)
    assert monotonic() - start < SECONDS
    return detail


def write_layers(path: Path, count: int) -> None:
    """Add layers to a GeoPackage, which have the features of its layer `a`."""
    names = [f"t{number}" for number in range(count)]
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA writable_schema = on")
        page, sql = database.execute(
            "SELECT rootpage, sql FROM sqlite_master WHERE name = 'a'"
        ).fetchone()
        database.executemany(
            "INSERT INTO sqlite_master VALUES ('table', ?, ?, ?, ?)",
            [(name, name, page, sql.replace('"a"', name)) for name in names],
        )
        database.executemany(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)"
            " VALUES (?, 'features', ?, 4326)",
            [(name, name) for name in names],
        )
        database.executemany(
            "INSERT INTO gpkg_geometry_columns VALUES (?, 'geometry', 'POLYGON', 4326, 0, 0)",
            [(name,) for name in names],
        )
        database.commit()


@pytest.mark.parametrize(
    "column", ["n AS a", f"({COUNT} SELECT max(n) FROM c) AS a"], ids=["rows", "a value"]
)
def test_a_view_without_an_end(
    engine: Engine, owner: uuid.UUID, tmp_path: Path, column: str
) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(3), "GPKG")
    edit_geopackage(
        path,
        (f"CREATE VIEW v AS {COUNT} SELECT n AS fid, (SELECT geom FROM a) AS geom, {column}"
         " FROM c", ()),
    )  # fmt: skip
    [layer] = load(engine, owner, path)  # it is no layer of the GeoPackage
    assert len(features_of(engine, layer.layer_id)) == 3
    assert "is a view" in quickly_refused(engine, owner, path, source_layer="v")
    edit_geopackage(
        path,
        ("INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)"
         " VALUES ('v', 'features', 'v', 4326)", ()),
        ("INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'POLYGON', 4326, 0, 0)", ()),
    )  # fmt: skip
    assert "is a view" in quickly_refused(engine, owner, path)
    [layer] = load(engine, owner, path, source_layer="a")
    assert len(features_of(engine, layer.layer_id)) == 3


def test_a_view_as_part_of_the_format(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(3), "GPKG")
    edit_geopackage(
        path,
        ("ALTER TABLE gpkg_contents RENAME TO other", ()),
        (f"CREATE VIEW gpkg_contents AS {COUNT} SELECT other.* FROM other, c", ()),
    )
    assert "gpkg_contents is a view" in quickly_refused(engine, owner, path)


def test_a_generated_column(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(3), "GPKG")
    edit_geopackage(
        path, ("ALTER TABLE a ADD COLUMN b TEXT AS (hex(zeroblob(400000000))) VIRTUAL", ())
    )
    assert "generated columns" in quickly_refused(engine, owner, path)


def test_many_layers(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(3), "GPKG")
    write_layers(path, limits.MAX_LAYERS)
    assert "has 201 layers" in quickly_refused(engine, owner, path)
    path = write_ogr(tmp_path / "b.gpkg", grid(3), "GPKG", layer="a")
    write_layers(path, 100_000)
    detail = quickly_refused(engine, owner, path)
    assert "too many tables" in detail or "has 100,001 layers" in detail  # in time to count them
    path = tmp_path / "a.kml"
    path.write_text(f"<kml><Document>{'<Folder/>' * 100_000}</Document></kml>")
    assert "has 100,001 layers" in quickly_refused(engine, owner, path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(limits.MAX_LAYERS + 1):
            archive.writestr(f"{number}.shp", "")
    assert "layers" in quickly_refused(engine, owner, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(100_000):
            archive.writestr(str(number), "")
    assert "parts" in quickly_refused(engine, owner, tmp_path / "a.zip")


def test_deep_nesting(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = tmp_path / "a.kml"
    for tag in ("Folder", "MultiGeometry"):
        nested = f"<{tag}>" * 100_000 + f"</{tag}>" * 100_000
        path.write_text(f"<kml><Document>{nested}</Document></kml>")
        assert "nested too deeply" in quickly_refused(engine, owner, path)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.gpkg"])
def test_geometries_in_geometries(tmp_path: Path, name: str, is_first: bool) -> None:
    """In a process of its own, which the geometry library would end."""
    path = tmp_path / name
    depth = 100_000
    point = struct.pack("<BIdd", 1, 1, 1, 2)
    before = b"" if is_first else point
    wkb = (struct.pack("<BII", 1, 7, 1 + bool(before)) + before) * depth + point
    if name == "a.csv":
        text = "GEOMETRYCOLLECTION (" * depth + "POINT (1 2)" + ")" * depth
        path.write_text(f'wkt\n"{text}"\n')
    elif name == "a.parquet":
        write_parquet(path, pa.table({"geometry": pa.array([wkb], pa.binary())}))
    else:
        write_ogr(path, table([shapely.Point(1, 2)]), "GPKG", geometry_type="Unknown")
        header = b"GP\x00\x01" + struct.pack("<I", 4326)
        edit_geopackage(path, ("UPDATE a SET geom = ?", [header + wkb]))
    program = (
        "from pathlib import Path; import sys\n"
        "from samsyn_admin.imports.readers.files import open_layers\n"
        "try:\n"
        "    for layer in open_layers(Path(sys.argv[1])):\n"
        "        list(layer.batches())\n"
        "        print(layer.faults)\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.returncode
    assert "nested" in ended.stdout or "read" in ended.stdout, ended.stdout + ended.stderr[-500:]


@pytest.mark.parametrize("name", ["a.shp", "doc.kml"])
def test_a_zip_bomb(engine: Engine, owner: uuid.UUID, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    size = 320 * 1024**2
    chunk = bytes(size // 5)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for part_name in (name, f"b{name}"):
            with archive.open(part_name, "w") as part:
                for _ in range(5):
                    part.write(chunk)
    content = path.read_bytes()
    assert len(content) < 4 * 1024**2
    if name == "a.shp":
        assert "no shapefile" in quickly_refused(engine, owner, path)
        # its directory says that the parts are larger than they are, and then smaller
        larger = content.replace(size.to_bytes(4, "little"), (2**32 - 2).to_bytes(4, "little"))
        path.write_bytes(larger)
        assert "too large unpacked" in quickly_refused(engine, owner, path)
        path.write_bytes(content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
        assert "damaged" in quickly_refused(engine, owner, path)
    else:
        assert "too large unpacked" in quickly_refused(engine, owner, path)
    assert {file.name for file in tmp_path.iterdir()} == {"a.zip"}
