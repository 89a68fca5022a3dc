"""Small files that are damaged, imported: `python -m tests.fuzz.files URL FOLDER COUNT SEED`.

A process of its own, since libraries in C read them. It prints how many were imported and how many
refused, in JSON.
"""

import json
import sys
import zipfile
from collections import Counter
from pathlib import Path
from random import Random

import shapely

from samsyn_model.database.engine import open_engine
from samsyn_model.errors import SamsynError
from tests.fuzz import odd_values
from tests.source_files import (
    add_user,
    collection,
    feature,
    load,
    square,
    table,
    write_ogr,
    write_parquet,
)


def write_samples(folder: Path) -> list[tuple[str, bytes]]:
    """Return small files of every format: the suffix and the content of each."""
    shapes = [square(10, 55), square(11, 56), shapely.Polygon()]
    columns = {"name": ["a", "Hanö", None], "n": [1, None, 3], "x": [0.5, 1e9, None]}
    content = table(shapes, columns)
    drivers = {"GPKG": "gpkg", "FlatGeobuf": "fgb", "KML": "kml", "GML": "gml", "SQLite": "sqlite"}
    for driver, suffix in drivers.items():
        options = {"SPATIAL_INDEX": "NO"} if driver == "FlatGeobuf" else {}
        write_ogr(folder / f"a.{suffix}", content, driver, **options)
    write_parquet(folder / "a.parquet", content)
    write_ogr(folder / "a.shp", content, "ESRI Shapefile")
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for suffix in ("shp", "shx", "dbf", "prj"):
            archive.write(folder / f"a.{suffix}", f"a.{suffix}")
    with zipfile.ZipFile(folder / "a.kmz", "w") as archive:
        archive.write(folder / "a.kml", "doc.kml")
    features = [feature({"name": "a", "at": "2024-05-01T10:00:00"}), feature(None, None)]
    (folder / "a.geojson").write_text(collection(*features))
    (folder / "a.geojsonl").write_text("".join(f"\x1e{json.dumps(one)}\n" for one in features))
    (folder / "a.csv").write_text('name,wkt,n\na,POINT(1 2),1\n\'=b,"LINESTRING(0 0,1 1)",0.5\n')
    suffixes = ("gpkg", "fgb", "kml", "gml", "sqlite", "parquet", "zip", "kmz")
    suffixes += ("geojson", "geojsonl", "csv")
    return [(suffix, (folder / f"a.{suffix}").read_bytes()) for suffix in suffixes]


def main(url: str, folder: Path, count: int, seed: str) -> None:
    random, outcomes = Random(seed), Counter[str]()
    samples = write_samples(folder)
    engine = open_engine(url, statement_timeout=60, pool_size=1, prepares=True)
    owner = add_user(engine)
    for number in range(count):
        suffix, content = random.choice(samples)
        for _ in range(random.choice((0, 1, 1, 2, 5, 20))):
            content = odd_values.cut(random, content)
        if random.random() < 0.05:
            suffix = random.choice(samples)[0]
        path = folder / f"{number}.{suffix}"
        path.write_bytes(content)
        try:
            load(engine, owner, path)
        except SamsynError:
            outcomes["refused"] += 1
        except Exception:
            sys.stderr.write(f"seed {seed}, number {number}: {path}\n")
            raise
        else:
            outcomes["imported"] += 1
        path.unlink()
    engine.dispose()
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
