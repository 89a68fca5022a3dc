"""What SamSyn writes, SamSyn reads: every format and every kind of layer goes out and comes in.

What a format cannot hold is in LIMITS, with its reason, and the same list is in `docs/ogc.md`.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import shapely
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_model.errors import UnreadableFileError
from samsyn_model.settings import CHECKOUT
from samsyn_provider.http.formats import FORMATS
from tests.ogc import conftest as ogc
from tests.source_files import add_user, features_of, load

app, client, layer, person = ogc.app, ogc.client, ogc.layer, ogc.person

Feature = tuple[str | None, dict[str, Any]]
"""WKT or None, and the properties that are not null."""
Layer = list[Feature]

GEOMETRIES = {
    "point": ["POINT (11.123456789 57)", "POINT (-1 -2)"],
    "line": ["LINESTRING (0 0, 1 1, 2 0)", "LINESTRING (3 3, 4 4)"],
    "polygon": [
        "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 1 1))",
        "POLYGON ((5 5, 6 5, 6 6, 5 5))",
    ],
    "multipoint": ["MULTIPOINT ((1 2))", "MULTIPOINT ((1 2), (3 4))"],
    "multiline": ["MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))", "MULTILINESTRING ((0 0, 1 1))"],
    "multipolygon": [
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))",
    ],
    "collection": [
        "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
        "GEOMETRYCOLLECTION (POLYGON ((0 0, 1 0, 1 1, 0 0)), POINT (3 4))",
    ],
    "point with height": ["POINT Z (11 57 -12.5)", "POINT Z (1 2 3)"],
    "polygon with heights": ["POLYGON Z ((0 0 1, 4 0 2, 4 4 3, 0 0 1))"],
    "some points with heights": ["POINT Z (11 57 -12.5)", "POINT (1 2)"],
    "some polygons with heights": [
        "POLYGON Z ((0 0 1, 4 0 2, 4 4 3, 0 0 1))",
        "POLYGON ((5 5, 6 5, 6 6, 5 5))",
    ],
    "mixed types": ["POINT (1 2)", "LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 1 0, 1 1, 0 0))"],
    "mixed types with heights": ["POINT Z (1 2 3)", "LINESTRING Z (0 0 4, 1 1 5)"],
    "mixed types, some with heights": [
        "POINT (1 2)",
        "LINESTRING Z (0 0 4, 1 1 5)",
        "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
    ],
    "single and multiple": ["POINT (1 2)", "MULTIPOINT ((3 4), (5 6))"],
    "some without geometry": ["POINT (1 2)", None],
    "empty geometries": ["POLYGON EMPTY", "POLYGON ((5 5, 6 5, 6 6, 5 5))"],
}
PROPERTIES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "texts": ([{"t": 'å "x", <b>&\n'}, {"t": "=1+1"}, {"t": "'"}, {"t": "plain"}], {}),
    "empty and blank texts": ([{"t": ""}, {"t": "  two  "}], {}),
    "long texts": ([{"t": "å" * 5_000}], {}),
    "texts like numbers": ([{"t": "0123", "u": "x"}, {"t": "2", "u": "3"}], {}),
    "integers": ([{"n": 1}, {"n": -5_000_000_000}], {}),
    "big integers": ([{"n": 2**53 + 1}, {"n": 2**62 + 1}], {}),
    "numbers": ([{"n": 12.25}, {"n": -1e-7}, {"n": 0.1 + 0.2}], {}),
    "booleans": ([{"b": True}, {"b": False}, {}], {}),
    "dates": (
        [{"d": "2024-02-29"}, {"d": "1850-01-01"}, {}],
        {"d": {"type": "string", "format": "date"}},
    ),
    "date-times": (
        [{"d": "2024-05-01T10:00:00Z"}, {"d": "2024-05-01T12:00:00.123456Z"}],
        {"d": {"type": "string", "format": "date-time"}},
    ),
    "date-times with offsets": (
        [{"d": "2024-05-01T12:00:00+02:00"}],
        {"d": {"type": "string", "format": "date-time"}},
    ),
    "times": ([{"t": "10:30:00"}], {"t": {"type": "string", "format": "time"}}),
    "objects and arrays": ([{"o": {"a": [1, None]}, "l": ["å", 2]}], {}),
    "several types": ([{"m": 1}, {"m": "one"}, {"m": True}], {}),
    "all null": ([{"a": 1}], {"none": {"type": "number"}}),
    "names": ([{"två ord": 1, "Größe (m)": 2, "name": "n", "description": "d"}], {}),
    "names that differ in case": ([{"a": 1, "A": 2}], {}),
    "names of ours": ([{"id": 7, "fid": "f", "geometry": "round"}], {}),
    "long names": ([{"protected_area_name": "a", "protected_area_code": "b"}], {}),
}
POINTS = ["POINT (1 2)", "POINT (3 4)", "POINT (5 6)", "POINT (7 8)"]
KINDS: dict[str, tuple[Layer, dict[str, Any]]] = {
    **{
        name: ([(wkt, {"n": number}) for number, wkt in enumerate(shapes)], {})
        for name, shapes in GEOMETRIES.items()
    },
    **{
        name: (list(zip(POINTS, rows, strict=False)), fields)
        for name, (rows, fields) in PROPERTIES.items()
    },
}
SUFFIXES = {
    **{code: file_format.extension for code, file_format in FORMATS.items()},
    **{f"csv&dialect={dialect}": "csv" for dialect in ("excel", "excel-semicolon")},
}
CSV = ("csv", "csv&dialect=excel", "csv&dialect=excel-semicolon")
TABLES = (*CSV, "fgb", "gpkg", "kml", "parquet", "shp", "xlsx")


@dataclass(frozen=True)
class Limit:
    """What some formats cannot hold: how features come back."""

    reason: str
    formats: tuple[str, ...]
    change: Callable[[Layer], Layer]


def values_changed(change: Callable[[Any], Any]) -> Callable[[Layer], Layer]:
    """Each value is changed; None leaves it out."""

    def changed(features: Layer) -> Layer:
        return [
            (wkt, {name: new for name, value in row.items() if (new := change(value)) is not None})
            for wkt, row in features
        ]

    return changed


def texts_changed(change: Callable[[str], Any]) -> Callable[[Layer], Layer]:
    return values_changed(lambda value: change(value) if isinstance(value, str) else value)


def shapes_changed(change: Callable[[Any], Any]) -> Callable[[Layer], Layer]:
    """Each geometry is changed; None is that of a feature without."""

    def changed(features: Layer) -> Layer:
        shapes = [change(shapely.from_wkt(wkt)) if wkt else None for wkt, _ in features]
        texts = [None if shape is None else shape.wkt for shape in shapes]
        return [(wkt, row) for wkt, (_, row) in zip(texts, features, strict=True)]

    return changed


def columns_changed(change: Callable[[list[Any]], list[Any]]) -> Callable[[Layer], Layer]:
    """All values of a property are changed together."""

    def changed(features: Layer) -> Layer:
        rows = [dict(row) for _, row in features]
        for name in dict.fromkeys(name for row in rows for name in row):
            values = iter(change([row[name] for row in rows if name in row]))
            for row in rows:
                if name in row:
                    row[name] = next(values)
        return [(wkt, row) for (wkt, _), row in zip(features, rows, strict=True)]

    return changed


def mixed_to_text(values: list[Any]) -> list[Any]:
    kinds = {float if type(value) is int else type(value) for value in values}
    if len(kinds) == 1 and not kinds & {dict, list}:
        return values
    return [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]


def big_to_text(values: list[Any]) -> list[Any]:
    if not any(type(value) is int and abs(value) > 2**53 for value in values):
        return values
    return list(map(str, values))


_MULTIPLE: dict[str, Any] = {
    "Point": shapely.MultiPoint,
    "LineString": shapely.MultiLineString,
    "Polygon": shapely.MultiPolygon,
}


def all_multiple(features: Layer) -> Layer:
    kinds = {shapely.from_wkt(wkt).geom_type for wkt, _ in features if wkt}
    if len(kinds) < 2 or len({kind.removeprefix("Multi") for kind in kinds}) > 1:
        return features
    return shapes_changed(
        lambda shape: _MULTIPLE[shape.geom_type]([shape]) if shape.geom_type in _MULTIPLE else shape
    )(features)


def single_parts(shape: Any) -> Any:
    is_short = shape.geom_type in {"MultiLineString", "MultiPolygon"} and len(shape.geoms) == 1
    return shape.geoms[0] if is_short else shape


def divided(features: Layer) -> Layer:
    parts: Layer = []
    for wkt, row in features:
        shape = wkt and shapely.from_wkt(wkt)
        if shape and shape.geom_type == "GeometryCollection":
            for part in shape.geoms:
                is_point = part.geom_type == "Point"
                parts.append(((shapely.MultiPoint([part]) if is_point else part).wkt, row))
        else:
            parts.append((wkt, row))
    return parts


def numbered(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with a number behind the second of two names that differ in case."""
    names: dict[str, str] = {}
    for name in sorted(row):
        taken = {other.lower() for other in names.values()}
        names[name] = f"{name}_2" if name.lower() in taken else name
    return {names[name]: value for name, value in row.items()}


SHORT_NAMES = {
    "två ord": "två_ord",
    "Größe (m)": "Größe__m",
    "description": "descriptio",
    "protected_area_name": "protecte_2",
    "protected_area_code": "protected_",
}


def rows_changed(change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Callable[[Layer], Layer]:
    return lambda features: [(wkt, change(row)) for wkt, row in features]


def in_utc(text: str) -> str:
    if not text.endswith("+02:00"):
        return text
    return text.replace("T12", "T10").replace("+02:00", "Z")


def cut(text: str) -> str:
    return text.encode()[:254].decode(errors="ignore")


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
LIMITS = [
    Limit(
        "Date-times are stored in UTC when they come in.",
        tuple(code for code in SUFFIXES if code != "shp"),
        texts_changed(in_utc),
    ),
    Limit(
        "Where a property has values of several types they are text; objects and arrays are JSON"
        " as text.",
        TABLES,
        columns_changed(mixed_to_text),
    ),
    Limit(
        "Single geometries beside multiple ones of their type become multiple.",
        TABLES,
        all_multiple,
    ),
    Limit(
        "The second of two names that differ in case alone has a number.",
        TABLES,
        rows_changed(numbered),
    ),
    Limit(
        "An empty text is none.", (*CSV, "kml", "shp", "xlsx"), texts_changed(lambda t: t or None)
    ),
    Limit(
        "Texts lose white space at both ends.", ("kml",), texts_changed(lambda t: t.strip() or None)
    ),
    Limit(
        "Texts lose spaces at their end, and are cut to 254 bytes.",
        ("shp",),
        texts_changed(lambda t: cut(t).rstrip(" ") or None),
    ),
    Limit(
        "Dates are date-times at midnight.",
        ("fgb",),
        texts_changed(lambda t: f"{t}T00:00:00Z" if _DATE.fullmatch(t) else t),
    ),
    Limit(
        "Date-times are cut to milliseconds.",
        ("fgb", "gpkg", "xlsx"),
        texts_changed(lambda t: re.sub(r"(T.*\.\d{3})\d+Z$", r"\1Z", t)),
    ),
    Limit(
        "Integers that are too large for a number of the format are text: beyond 2^53 or 18"
        " digits.",
        ("kml", "shp", "xlsx"),
        columns_changed(big_to_text),
    ),
    Limit(
        "Numbers have fifteen decimals or digits.",
        ("shp", "xlsx"),
        values_changed(lambda value: round(value, 15) if isinstance(value, float) else value),
    ),
    Limit(
        "An empty geometry is none.",
        ("fgb", "kml", "shp"),
        shapes_changed(lambda shape: None if shape.is_empty else shape),
    ),
    Limit("A collection is divided into its parts, a feature each.", ("shp",), divided),
    Limit("Lines and polygons of one part are single.", ("shp",), shapes_changed(single_parts)),
    Limit(
        "Names are cut to ten bytes, of letters, digits and underscores.",
        ("shp",),
        rows_changed(lambda row: {SHORT_NAMES.get(name, name): row[name] for name in row}),
    ),
]
"""In the order in which they apply."""


def expected(code: str, features: Layer) -> Layer:
    for limit in LIMITS:
        if code in limit.formats:
            features = limit.change(features)
    return features


def comparable(features: Layer) -> list[Any]:
    """The features with their values, in the order of their texts."""
    rows = [
        (
            wkt and shapely.to_wkt(shapely.normalize(shapely.from_wkt(wkt)), rounding_precision=9),
            {name: row[name] for name in sorted(row)},
        )
        for wkt, row in features
    ]
    return sorted(rows, key=repr)


def download(  # noqa: PLR0917 - what is sent where
    client: FlaskClient, engine: Engine, owner: uuid.UUID, layer_id: str, code: str, path: Path
) -> Layer:
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    assert response.status_code == 200, response.text
    path.write_bytes(response.data)
    return [
        (
            ewkt and ewkt.removeprefix("SRID=4326;"),
            {name: value for name, value in row.items() if value is not None},
        )
        for one in load(engine, owner, path)
        for ewkt, row in features_of(engine, one.layer_id)
    ]


def without_our_columns(features: Layer, code: str, names: set[str]) -> Layer:
    """The features without the column that a table has for ids."""
    if code not in TABLES or code == "gpkg":
        return features
    ours = [name for name in ("id", "fid", "feature_id") if name not in names]
    for _, row in features:
        name = ours[0] if ours[0] != "id" or code != "kml" else ours[1]
        assert isinstance(row.pop(name), int)
    return features


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


@pytest.mark.parametrize("code", sorted(SUFFIXES))
def test_every_kind_of_layer_comes_back(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    layer: Callable[..., str],
    empty_database: Engine,
    owner: uuid.UUID,
    tmp_path: Path,
    code: str,
) -> None:
    wrong = {}
    for kind, (features, fields) in KINDS.items():
        layer_id = layer(features, fields=fields or None, name="Ö & x")
        names = {name.lower() for _, row in features for name in row}
        path = tmp_path / f"file.{SUFFIXES[code]}"
        try:
            got = download(client, empty_database, owner, layer_id, code, path)
            got = without_our_columns(got, code, names | {name.lower() for name in fields})
        except Exception as error:
            error.add_note(kind)
            raise
        if comparable(got) != comparable(expected(code, features)):
            wrong[kind] = (comparable(got), comparable(expected(code, features)))
    assert wrong == {}


@pytest.mark.parametrize("code", sorted(SUFFIXES))
def test_a_layer_without_features(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    layer: Callable[..., str],
    empty_database: Engine,
    owner: uuid.UUID,
    tmp_path: Path,
    code: str,
) -> None:
    """It comes back empty; text sequences and KML without features hold nothing to import."""
    layer_id = layer(fields={"a": {"type": "integer"}}, geometry_type="LineString")
    path = tmp_path / f"file.{SUFFIXES[code]}"
    if code in {"geojsonseq", "kml"}:
        with pytest.raises(UnreadableFileError, match=r"is empty|no placemarks"):
            download(client, empty_database, owner, layer_id, code, path)
    else:
        assert download(client, empty_database, owner, layer_id, code, path) == []


EUROPE = "http://www.opengis.net/def/crs/EPSG/0/3035"
LATITUDE_FIRST = "http://www.opengis.net/def/crs/EPSG/0/4258"


@pytest.mark.parametrize("crs", [EUROPE, LATITUDE_FIRST])
@pytest.mark.parametrize("code", sorted(SUFFIXES.keys() - {"geojsonseq", "kml"}))
def test_another_crs_comes_back(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    layer: Callable[..., str],
    empty_database: Engine,
    owner: uuid.UUID,
    tmp_path: Path,
    code: str,
    crs: str,
) -> None:
    """The file says in which CRS it is."""
    wkt = "POINT (11.5 57)"
    layer_id = layer([(wkt, {"n": 1})], additional_crs=[4258])
    path = tmp_path / f"file.{SUFFIXES[code]}"
    address = f"{layer_id}/items?f={code}&crs={crs}"
    response = client.get(f"/ogc/collections/{address}")
    assert response.status_code == 200, response.text
    path.write_bytes(response.data)
    [one] = load(empty_database, owner, path)
    ((ewkt, _),) = features_of(empty_database, one.layer_id)
    point = shapely.from_wkt(str(ewkt).partition(";")[2])
    assert (point.x, point.y) == pytest.approx((11.5, 57), abs=1e-7)


def test_every_limit_is_met_and_documented() -> None:
    text = " ".join((CHECKOUT / "docs" / "ogc.md").read_text().split())
    for limit in LIMITS:
        assert any(limit.change(features) != features for features, _ in KINDS.values()), limit
        codes = dict.fromkeys(code.partition("&")[0] for code in limit.formats)
        listed = "all" if set(codes) == set(FORMATS) else ", ".join(f"`{code}`" for code in codes)
        assert f"| {listed} | {limit.reason} |" in text, limit.reason
