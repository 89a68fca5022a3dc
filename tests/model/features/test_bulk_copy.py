"""COPY of features: limits of the globe, counts, errors on either side of the wire."""

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from sqlalchemy import Connection, Engine, text

from samsyn_model.errors import NotFoundError, UnstorableFeatureError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.bulk_copy import copy_features
from samsyn_model.properties.schema import (
    Kind,
    NotDateTimesError,
    ObservedKinds,
    property_schema,
    unique_names,
)
from tests.model.tables.features import add_layer


def _batch(*wkts: str | None, first: int = 1, properties: str = "{}") -> FeatureBatch:
    geometries = shapely.from_wkt(np.array(wkts, dtype=object))
    return FeatureBatch(geometries, [properties] * len(wkts), first)


def _copy(connection: Connection, layer_id: uuid.UUID, *batches: FeatureBatch) -> Any:
    try:
        return copy_features(connection, layer_id, iter(batches), created_by=None)
    finally:
        assert not [thread for thread in threading.enumerate() if thread.name == "import"]


def test_features_arrive_and_are_counted(connection: Connection) -> None:
    layer_id = add_layer(connection)
    bow = "POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))"
    recorded: list[int] = []
    copied = copy_features(
        connection,
        layer_id,
        iter(
            [
                _batch("POINT Z (1 2 3)", None, properties='{"name": "\\"å\\\\u0000"}'),
                _batch("POINT EMPTY", bow, "LINESTRING (0 0, 1 1)", first=3),
            ]
        ),
        created_by=layer_id,
        on_copied=recorded.append,
    )
    assert (copied.feature_count, copied.null_count, copied.invalid_count) == (5, 1, 1)
    assert copied.geometry_types == {"Point": 2, "Polygon": 1, "LineString": 1}
    assert sum(recorded) == 5
    rows = connection.execute(
        text("SELECT ST_AsEWKT(geom), properties, created_by, version FROM layer_features")
    ).all()
    assert [row[0] for row in rows] == [
        *("SRID=4326;POINT(1 2 3)", None, "SRID=4326;POINT EMPTY"),
        *("SRID=4326;POLYGON((0 0,1 1,0 1,1 0,0 0))", "SRID=4326;LINESTRING(0 0,1 1)"),
    ]
    assert rows[0][1] == {"name": '"å\\u0000'}
    assert tuple(rows[0][2:]) == (layer_id, 1)


@pytest.mark.parametrize(
    ("wkt", "reason"),
    [
        ("POINT (180.1 0)", "longitude 180.1"),
        ("LINESTRING (0 0, 0 -90.5)", "latitude -90.5"),
        ("POINT (1 nan)", "not a finite number"),
        ("POINT (inf 1)", "not a finite number"),
        ("POINT Z (1 1 inf)", "not a finite number"),
    ],
)
def test_no_place_on_the_globe(connection: Connection, wkt: str, reason: str) -> None:
    layer_id = add_layer(connection)
    with pytest.raises(UnstorableFeatureError, match=f"^Feature 4 .*{reason}"):
        _copy(
            connection, layer_id, _batch("POINT (1 1)", None), _batch("POINT (2 2)", wkt, first=3)
        )


def test_rounding_errors_are_clamped(connection: Connection) -> None:
    layer_id = add_layer(connection)
    _copy(
        connection,
        layer_id,
        _batch("POINT (-180.0000000001 90.0000000001)", "POINT Z (180.0000000001 1 5)", None),
    )
    found = connection.execute(text("SELECT ST_AsText(geom) FROM layer_features")).scalars().all()
    assert found == ["POINT(-180 90)", "POINT Z (180 1 5)", None]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": "\ud800"}', "surrogate"),
        ("[]", "properties"),
        ('{"a": }', "invalid input syntax for type json"),
    ],
)
def test_properties_that_cannot_be_stored(
    connection: Connection, properties: str, reason: str
) -> None:
    layer_id = add_layer(connection)
    batches = [_batch("POINT (1 1)"), _batch("POINT (1 1)", first=2, properties=properties)]
    with pytest.raises(UnstorableFeatureError, match=f"^Feature 2 .*{reason}"):
        _copy(connection, layer_id, *batches)


def test_features_are_numbered_and_counted_through_several_statements(
    connection: Connection,
) -> None:
    layer_id = add_layer(connection)
    large = json.dumps({"a": "x" * 5 * 1024 * 1024})
    batches = [_batch("POINT (1 1)", first=number, properties=large) for number in range(1, 6)]
    copied = copy_features(connection, layer_id, iter(batches), created_by=None)
    recorded = connection.execute(
        text("SELECT sum(feature_count), count(*) > 1 FROM layer_changes WHERE layer_id = :layer"),
        {"layer": layer_id},
    ).one()
    assert (copied.feature_count, *recorded) == (5, 5, True)
    batches.append(_batch("POINT (1 1)", None, "POINT (1 1)", first=6, properties="[]"))
    with pytest.raises(UnstorableFeatureError, match=r"^Feature 6 "):
        _copy(connection, layer_id, *batches)


def test_wkb_of_the_source_is_stored_as_it_is_or_written_anew(connection: Connection) -> None:
    layer_id = add_layer(connection)
    wkts = ["POINT Z (1 2 3)", "POLYGON ((0 0, 1 0, 1 1, 0 0))", "POINT (180.0000000001 1)"]
    for wkt in wkts:
        for form in ({"flavor": "iso"}, {"flavor": "extended"}, {"byte_order": 0}):
            batch = _batch(wkt, None)
            wkb = pa.array(shapely.to_wkb(batch.geometries, **form), pa.large_binary())
            _copy(connection, layer_id, replace(batch, wkb=wkb))
    found = connection.execute(
        text("SELECT ST_AsEWKT(geom), count(*) FROM layer_features GROUP BY 1 ORDER BY 1")
    ).all()
    assert {tuple(row) for row in found} == {
        ("SRID=4326;POINT(1 2 3)", 3),
        ("SRID=4326;POLYGON((0 0,1 0,1 1,0 0))", 3),
        ("SRID=4326;POINT(180 1)", 3),
        (None, 9),
    }


def test_no_layer(connection: Connection) -> None:
    with pytest.raises(NotFoundError):
        _copy(connection, uuid.uuid4(), _batch("POINT (1 1)"))


def test_an_error_of_the_source_comes_through(engine: Engine) -> None:
    def source() -> Iterator[FeatureBatch]:
        for number in range(20):
            yield _batch(*["POINT (1 1)"] * 1000, first=1000 * number + 1)
        raise RuntimeError("the disk is gone")

    with engine.connect() as connection:
        layer_id = add_layer(connection)
        with pytest.raises(RuntimeError, match="disk"):
            copy_features(connection, layer_id, source(), created_by=None)
        connection.rollback()
        assert not connection.execute(text("SELECT count(*) FROM layer_features")).scalar_one()
    assert not [thread for thread in threading.enumerate() if thread.name == "import"]


def test_an_interruption_is_no_fault_of_the_database(connection: Connection) -> None:
    def interrupted(_count: int) -> None:
        raise KeyboardInterrupt

    batches = iter([_batch("POINT (1 1)")])
    with pytest.raises(KeyboardInterrupt):
        copy_features(
            connection, add_layer(connection), batches, created_by=None, on_copied=interrupted
        )


def test_schema_of_kinds() -> None:
    schema = property_schema({"n": Kind.NUMBER, "d": Kind.DATE, "j": Kind.JSON_VALUE, "u": None})
    assert schema == {
        "type": "object",
        "properties": {
            "n": {"type": "number", "x-ogc-propertySeq": 1},
            "d": {"type": "string", "format": "date", "x-ogc-propertySeq": 2},
            "j": {"x-ogc-propertySeq": 3},
            "u": {"x-ogc-propertySeq": 4},
        },
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 2], Kind.INTEGER),
        ([1, 1.5], Kind.NUMBER),
        ([True, 1], Kind.JSON_VALUE),
        (["2024-05-01", "2024-02-30"], Kind.STRING),
        (["2024-05-01", "2024-05-01T10:00:00Z"], Kind.STRING),
        (["2024-05-01T10:00:00z", None], Kind.DATE_TIME),
        (["2024-05-01T25:00:00Z"], Kind.STRING),
        (["2024-05-01", 5], Kind.JSON_VALUE),
        ([[1], []], Kind.ARRAY),
        ([None], None),
    ],
)
def test_kinds_of_values(values: list[Any], kind: Kind | None) -> None:
    observed = ObservedKinds()
    for value in values:
        observed.observe({"a": value})
    assert observed.kinds == {"a": kind}


def test_date_times_are_rewritten_unless_told_not_to() -> None:
    for text_, expected in [
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z"),
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00.120Z", "2024-05-01T10:00:00.120Z"),
        ("2024-05-01T10:00:00.123456Z", "2024-05-01T10:00:00.123456Z"),
    ]:
        properties: dict[str, Any] = {"a": text_}
        ObservedKinds().observe(properties)
        assert properties == {"a": expected}
    observed = ObservedKinds()
    observed.observe({"a": "2024-05-01T10:00:00"})
    with pytest.raises(NotDateTimesError) as not_date_times:
        observed.observe({"a": "later"})
    observed = ObservedKinds([not_date_times.value.name])
    properties = {"a": "2024-05-01T10:00:00"}
    observed.observe(properties)
    assert properties == {"a": "2024-05-01T10:00:00"}


def test_unique_names() -> None:
    assert unique_names(["a", "a", "a_2", "a", "b"]) == ["a", "a_3", "a_2", "a_4", "b"]
