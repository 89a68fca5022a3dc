"""GeoJSON as programs write it: what is read, what is told, and what is a fault."""

import json
from pathlib import Path
from typing import Any

import pytest

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import source_crs
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import InvalidParameterError, UnreadableFileError
from tests.api.imports.reading import Read, read
from tests.source_files import collection, feature

NAMED = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3006"}}
SWEDISH = (319180.07, 6399617.34)
HREFS = ["https://spatialreference.org/ref/epsg/3006/proj4/", "https://epsg.io/3006.wkt"]


def of(path: Path, *features: Any, **members: Any) -> Read:
    path.write_text(collection(*features, **members), encoding="utf-8")
    return read(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.geojson"


@pytest.mark.parametrize(
    "crs",
    [
        NAMED,
        {"type": "name", "properties": {"name": "EPSG:3006"}},
        {"type": "name", "properties": {"name": "http://www.opengis.net/gml/srs/epsg.xml#3006"}},
        {"type": "EPSG", "properties": {"code": 3006}},
        {"type": "EPSG", "properties": {"code": "3006"}},
        *({"type": "link", "properties": {"href": href, "type": "proj4"}} for href in HREFS),
    ],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_a_crs_before_or_behind_the_features(path: Path, crs: Any, *, is_last: bool) -> None:
    members = {"features": [feature({}, SWEDISH)] * 300, "crs": crs}
    document = dict(members.items() if is_last else reversed(members.items()))
    path.write_text(json.dumps({"type": "FeatureCollection", **document}))
    layer = read(path)
    assert layer.layer.crs is not None
    assert layer.layer.crs.to_epsg() == 3006
    assert layer.layer.crs_origin == "the crs member"
    assert layer.features == [("POINT (319180.07 6399617.34)", {})] * 300


def test_a_property_called_crs_is_none(path: Path) -> None:
    points = [feature({}, (1, 2))] * 200
    layer = of(path, *points, feature({"crs": NAMED}, (1, 2)))
    assert layer.layer.crs_is_implied
    assert layer.features[200][1] == {"crs": NAMED}


def test_a_link_to_a_crs_is_not_followed(path: Path) -> None:
    crs = {"type": "link", "properties": {"href": "http://localhost:9/crs/3006", "type": "proj4"}}
    path.write_text(collection(feature({}, SWEDISH), crs=crs))
    [layer] = open_layers(path)
    with pytest.raises(UnreadableFileError, match=r"a link, which is not followed.*--crs"):
        source_crs(layer, path, None)


def test_projected_coordinates_without_a_crs(path: Path) -> None:
    path.write_text(collection(feature({}, SWEDISH), feature({}, None)))
    [layer] = open_layers(path)
    with pytest.raises(UnreadableFileError, match=r"probably projected.*: specify it with --crs"):
        source_crs(layer, path, None)
    assert source_crs(layer, path, "EPSG:3006").to_epsg() == 3006


def test_the_order_of_axes_is_decided_by_where_the_crs_is_used(path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4258"}}
    layer = of(path, feature({}, (57, 11)), feature({}, (58, 12.5)), crs=crs)
    assert [wkt for wkt, _ in layer.features] == ["POINT (11 57)", "POINT (12.5 58)"]
    assert "read as latitude before longitude, for only so" in layer.notes
    layer = of(path, feature({}, (11, 57)), crs=crs)
    assert layer.features[0][0] == "POINT (11 57)"
    assert "read as longitude before latitude" in layer.notes
    layer = of(path, feature({}, SWEDISH[::-1]), crs=NAMED)
    assert layer.features[0][0] == "POINT (319180.07 6399617.34)"
    [source] = open_layers(path)
    source_crs(source, path, "EPSG:3006")
    assert next(source.batches()).geometries[0].x == SWEDISH[1], "a given CRS has x first"


def test_an_array_of_features(path: Path) -> None:
    path.write_text("\ufeff" + json.dumps([feature({"namn": "Ö"}, (11, 57))] * 3), encoding="utf-8")
    assert read(path).features == [("POINT (11 57)", {"namn": "Ö"})] * 3
    path.write_text("[]")
    with pytest.raises(UnreadableFileError, match="no features"):
        read(path)
    path.write_text("[1, 2]")
    with pytest.raises(UnreadableFileError, match="not a Feature"):
        read(path)


BAD: dict[str, Any] = {
    "a line has one position only": {"type": "LineString", "coordinates": [[11, 57]]},
    "fewer than four positions": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
    "two or all have three numbers": {
        "type": "LineString",
        "coordinates": [[11, 57, 1], [12, 57]],
    },
    "others have none": {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "Point", "coordinates": [1, 2, 3]},
            {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
        ],
    },
    "latitude 91 is outside": {"type": "Point", "coordinates": [181, 91]},
    "longitude and latitude are probably exchanged": {"type": "Point", "coordinates": [57, 120]},
    "longitude 190 is outside": {"type": "Point", "coordinates": [190, 1]},
    "probably projected": {"type": "Point", "coordinates": list(SWEDISH)},
    "not a geometry type": {"type": "Circle", "coordinates": [1, 2]},
    "no member 'coordinates'": {"type": "Point"},
    "a coordinate is not a number": {"type": "Point", "coordinates": ["1", 2]},
}


def test_bad_geometries_are_faults_and_the_rest_is_read(path: Path) -> None:
    good = feature({"a": 1}, (11, 57))
    features = [good]
    for number, geometry in enumerate(BAD.values()):
        features += [feature({}, geometry, id=f"bad {number}"), good]
    layer = of(path, *features)
    assert layer.features == [("POINT (11 57)", {"a": 1})] * (len(BAD) + 1)
    assert layer.numbers == list(range(1, 2 * len(BAD) + 2, 2))
    assert [number for number, _ in layer.faults] == list(range(2, 2 * len(BAD) + 1, 2))
    for (_, reason), expected in zip(layer.faults, BAD, strict=True):
        assert expected.casefold() in reason.casefold()
    ids = [fault.feature_id for fault in layer.layer.faults.faults]
    assert ids == [f"bad {number}" for number in range(len(BAD))]


def test_what_is_no_feature_is_a_fault(path: Path) -> None:
    others: list[Any] = [None, 1, {}, {"type": "Point"}, {**feature({}), "properties": [1]}]
    layer = of(path, feature({}), *others)
    assert [number for number, _ in layer.faults] == [2, 3, 4, 5, 6]
    assert len(layer.features) == 1


def test_a_member_twice_is_a_fault(path: Path) -> None:
    sound = json.dumps(feature({"text": '"a":"a":'}, (1, 2)))
    for spaces in (" ", ""):
        twice = sound.replace('"text": ', f'"n":{spaces}1,"n":{spaces}2,"text":{spaces}')
        path.write_text(f'{{"type": "FeatureCollection", "features": [{sound}, {twice}]}}')
        layer = read(path)
        assert layer.faults == [(2, "It has two members named 'n'.")]
        assert layer.features == [("POINT (1 2)", {"text": '"a":"a":'})]


def test_geometries_that_are_mended(path: Path) -> None:
    point = {"type": "Point", "coordinates": [11, 57]}
    inner = {"type": "GeometryCollection", "geometries": [point, point]}
    layer = of(
        path,
        feature({}, {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 1], [0, 1]]]}),
        feature({}, {"type": "GeometryCollection", "geometries": [point, inner]}),
        feature({}, {"type": "Point", "coordinates": [1, 2, 3, 4]}),
        feature({}, (1, 2)),
    )
    assert [wkt for wkt, _ in layer.features] == [
        "POLYGON ((0 0, 2 0, 2 1, 0 1, 0 0))",
        "GEOMETRYCOLLECTION (POINT (11 57), POINT (11 57), POINT (11 57))",
        "POINT Z (1 2 3)",
        "POINT (1 2)",
    ]
    assert not layer.faults
    assert "1 ring did not end where it began" in layer.notes
    assert "1 collection within another was dissolved into it" in layer.notes
    assert "first three numbers" in layer.notes


def test_across_the_antimeridian(path: Path) -> None:
    ring = [[179, 60], [-179, 60], [-179, 61], [179, 61], [179, 60]]
    layer = of(path, feature({}, {"type": "Polygon", "coordinates": [ring]}))
    assert "1 geometry is wider than 180 degrees" in layer.notes


def test_numbers_that_are_not_finite(path: Path) -> None:
    path.write_text(
        collection(feature({"a": "A", "big": 9007199254740993, "huge": 10**29}, (1, 2))).replace(
            '"A"', '[NaN, Infinity, -Infinity], "d": 1e400'
        )
    )
    layer = read(path)
    assert layer.features[0][1] == {
        **{"a": [None, None, None], "d": None},
        **{"big": 9007199254740993, "huge": 10**29},
    }
    assert "4 numbers are not finite" in layer.notes


def test_empty_texts_of_dates(path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"dag": "", "tid": "", "text": "", "tom": "", "sen": ""},
        {"dag": "2024-05-01", "tid": "2024-05-01T10:00:00+02:00", "text": "x", "tom": ""},
        *[{"dag": "", "sen": ""}] * 1500,
        {"dag": None, "sen": "text"},
    ]
    layer = of(path, *(feature(row) for row in rows))
    assert layer.kinds == {
        **{"dag": "date", "tid": "date-time", "text": "string", "tom": "string"},
        "sen": "string",
    }
    stored = [row for _, row in layer.features]
    assert stored[0] == {"dag": None, "tid": None, "text": "", "tom": "", "sen": ""}
    assert stored[1]["tid"] == "2024-05-01T08:00:00Z"
    assert stored[5]["sen"] == ""
    assert "1,501 empty texts of the field 'dag'" in layer.notes


def test_members_beside_the_properties_are_told(path: Path) -> None:
    layer = of(path, {**feature({}), "name": "x", "bbox": [1, 2, 1, 2]})
    assert "left out: name." in layer.notes


@pytest.mark.parametrize(
    ("encoding", "name", "origin"),
    [
        ("utf-8", "UTF-8", "all texts are valid UTF-8"),
        ("utf-8-sig", "UTF-8", "the first bytes of the file"),
        ("cp1252", "Windows-1252", "assumed: the texts are not UTF-8"),
        ("utf-16", "UTF-16", "the first bytes of the file"),
        ("utf-16-le", "UTF-16-LE", "the first bytes of the file"),
        ("utf-16-be", "UTF-16-BE", "the first bytes of the file"),
        ("utf-32", "UTF-32", "the first bytes of the file"),
    ],
)
@pytest.mark.parametrize("suffix", ["geojson", "geojsonl"])
def test_encodings(path: Path, encoding: str, name: str, origin: str, suffix: str) -> None:
    path = path.with_suffix(f".{suffix}")
    text = json.dumps(feature({"namn": "Åre – ö"}), ensure_ascii=False)
    path.write_bytes(f"{text}\n{text}\n".encode(encoding))
    layer = read(path)
    assert [row for _, row in layer.features] == [{"namn": "Åre – ö"}] * 2
    assert (layer.layer.encoding, layer.layer.encoding_origin) == (name, origin)


def test_an_encoding_that_is_given_or_in_doubt(path: Path) -> None:
    text = json.dumps(feature({"namn": "Łódź"}), ensure_ascii=False)
    path.write_bytes(text.encode("cp1250"))
    assert read(path, ReadOptions(encoding="cp1250")).features[0][1] == {"namn": "Łódź"}
    with pytest.raises(InvalidParameterError, match="not a known encoding"):
        read(path, ReadOptions(encoding="base64"))
    with pytest.raises(UnreadableFileError, match="not UTF-8 text"):
        read(path, ReadOptions(encoding="utf-8"))
    path.write_bytes(text.encode() + b"\n" + text.encode().replace("ź".encode(), b"\xc5"))
    with pytest.raises(UnreadableFileError, match="--encoding"):
        read(path)


@pytest.mark.parametrize("form", ["lines", "records"])
def test_a_bad_line_of_a_sequence_is_a_fault(path: Path, form: str) -> None:
    sound = json.dumps(feature({"a": 1}, (1, 2)))
    lines = [sound, sound[:-9], "", sound, "[1]", sound.replace('"a": 1', '"a": 1, "a": 2')]
    mark = "\x1e" if form == "records" else ""
    path.write_text("".join(f"{mark if line else ''}{line}\n" for line in [*lines, sound]))
    layer = read(path.rename(path.with_suffix(".geojsonl")))
    assert layer.layer.format == "GeoJSON text sequence"
    assert layer.features == [("POINT (1 2)", {"a": 1})] * 3
    assert layer.numbers == [1, 3, 6]
    lines_of = [fault.line for fault in layer.layer.faults.faults]
    assert lines_of == [2, 5, 6]
    reasons = [reason for _, reason in layer.faults]
    assert "not valid JSON" in reasons[0]
    assert "not a Feature" in reasons[1]
    assert "two members named 'a'" in reasons[2]


def test_a_million_empty_lines_and_a_long_one(path: Path) -> None:
    sound = json.dumps(feature({"a": "x" * 2_000_000}, (1, 2)))
    path.write_text(f"{sound}\n" + "\n" * 1_000_000 + f"{sound}\n")
    assert len(read(path.rename(path.with_suffix(".ndjson"))).features) == 2
