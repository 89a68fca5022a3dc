"""Files into a layer that exists: appended, as its new content, or as updates by a key."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import shapely
from sqlalchemy import Engine, text

from samsyn_admin.imports.loading.report import FaultyFeaturesError, LayerReport
from samsyn_model.errors import InvalidBodyError, InvalidParameterError
from tests.source_files import (
    add_user,
    collection,
    feature,
    features_of,
    field_types,
    load,
    refused,
    square,
    stored,
    table,
    write_ogr,
)

Row = tuple[int, int, Any, dict[str, Any]]


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


def rows_of(engine: Engine, layer_id: uuid.UUID) -> list[Row]:
    """Return (id, version, WKT, properties) of a layer's features."""
    statement = "SELECT id, version, ST_AsText(geom), properties FROM layer_features"
    with engine.connect() as connection:
        found = connection.execute(
            text(f"{statement} WHERE layer_id = :layer ORDER BY id"), {"layer": layer_id}
        )
        return [(row[0], row[1], row[2], row[3]) for row in found]


def write(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(collection(*features))
    return path


def counts(layer: LayerReport) -> Sequence[int]:
    return (layer.inserted, layer.updated, layer.deleted, layer.unchanged, layer.skipped)


def constrain(engine: Engine, layer_id: uuid.UUID, **members: Any) -> None:
    schema = {"type": "object", **members}
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE layers SET property_schema = :schema WHERE id = :layer"),
            {"schema": json.dumps(schema), "layer": layer_id},
        )


def test_replace_makes_the_fewest_changes(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.geojson",
        feature({"name": "same", "n": 1}, (1, 1)),
        feature({"name": "moved", "n": 2}, (2, 2)),
        feature({"name": "changed", "n": 3}, (3, 3)),
        feature({"name": "gone", "n": 4}, (4, 4)),
    )
    [layer] = load(engine, owner, path)
    before = rows_of(engine, layer.layer_id)
    write(
        path,
        feature({"name": "new", "n": 9}, (9, 9)),
        feature({"name": "changed", "n": 33}, (3, 3)),
        feature({"name": "moved", "n": 2}, (2.5, 2)),
        feature({"name": "same", "n": 1.0}, (1.0000000000001, 1)),
    )
    [again] = load(engine, owner, path, layer_id=layer.layer_id, replace=True)
    assert counts(again) == (1, 2, 1, 1, 0)
    after = rows_of(engine, layer.layer_id)
    assert after[0] == before[0]
    assert [(row[0], row[1], row[2], row[3]["n"]) for row in after[1:3]] == [
        (before[1][0], 2, "POINT(2.5 2)", 2),
        (before[2][0], 2, "POINT(3 3)", 33),
    ]
    assert after[3][3] == {"name": "new", "n": 9}
    [third] = load(engine, owner, path, layer_id=layer.layer_id, replace=True)
    assert counts(third) == (0, 0, 0, 4, 0)
    assert rows_of(engine, layer.layer_id) == after


def test_replace_matches_known_ids_but_no_chance_ones(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.geojson", *(feature({"name": f"{n}"}, (n, n)) for n in range(1, 5)))
    [layer] = load(engine, owner, path)
    ids = [row[0] for row in rows_of(engine, layer.layer_id)]
    edited = [feature({"name": f"{n}"}, (n, n), id=ids[n - 1]) for n in range(1, 5)]
    edited[3] = feature({"name": "renamed"}, (40, 40), id=ids[3])
    [again] = load(engine, owner, write(path, *edited), layer_id=layer.layer_id, replace=True)
    assert counts(again) == (0, 1, 0, 3, 0)
    assert rows_of(engine, layer.layer_id)[3][:3] == (ids[3], 2, "POINT(40 40)")
    others = [feature({"name": f"other {n}"}, (-n, n), id=ids[n - 1]) for n in range(1, 5)]
    [other] = load(engine, owner, write(path, *others), layer_id=layer.layer_id, replace=True)
    assert counts(other) == (4, 0, 4, 0, 0)


def test_replace_by_a_download_with_an_id_column_and_multi_geometries(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    shapes = [square(n, 1) for n in range(3)]
    content = table(shapes, {"name": ["a", "a", "b"]})
    [layer] = load(engine, owner, write_ogr(tmp_path / "a.gpkg", content, "GPKG"))
    before = rows_of(engine, layer.layer_id)
    multi = [shapely.MultiPolygon([shape]) for shape in (shapes[0], shapes[1], square(50, 1))]
    ids = pa.array([row[0] for row in before])
    content = table(multi, {"fid": ids, "name": ["a", "a", "B"]})
    path = write_ogr(
        tmp_path / "b.fgb", content, "FlatGeobuf", geometry_type="MultiPolygon", SPATIAL_INDEX="NO"
    )
    [again] = load(engine, owner, path, layer_id=layer.layer_id, replace=True)
    assert counts(again) == (0, 1, 0, 2, 0)
    after = rows_of(engine, layer.layer_id)
    assert after[:2] == before[:2]
    assert (after[2][0], after[2][3]) == (before[2][0], {"name": "B"})
    assert after[2][2].startswith("POLYGON")


def test_update_by_a_key(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.geojson",
        *(feature({"code": n, "a": n, "b": "kept"}, (n, n)) for n in (1, 2, 3, 3)),
    )
    [layer] = load(engine, owner, path)
    before = rows_of(engine, layer.layer_id)
    write(
        path,
        feature({"code": 1, "a": 1}, (1, 1)),
        feature({"code": 2.0, "a": 22}, (2, 2)),
        feature({"code": 3, "a": 5}, (3, 3)),
        feature({"code": 4, "a": 5}, (3, 3)),
        feature({"code": None, "a": 5}, (3, 3)),
        feature({"code": 2, "a": 5}, (3, 3)),
    )
    options = {"layer_id": layer.layer_id, "update_by": "code"}
    with pytest.raises(FaultyFeaturesError) as error:
        load(engine, owner, path, **options)
    assert [(row.fault.number, row.fault.reason) for row in error.value.feature_faults.faults] == [
        (3, "2 features of the layer have the code 3."),
        (4, "no feature of the layer has the code 4."),
        (5, "it has no value of 'code'."),
        (6, "another feature of the file has the code 2 too."),
    ]
    assert rows_of(engine, layer.layer_id) == before
    [again] = load(engine, owner, path, skip_faulty=True, **options)
    assert counts(again) == (0, 1, 0, 1, 4)
    after = rows_of(engine, layer.layer_id)
    assert [after[0], *after[2:]] == [before[0], *before[2:]]
    assert after[1] == (before[1][0], 2, "POINT(2 2)", {"code": 2.0, "a": 22, "b": "kept"})


def test_update_by_a_table_without_geometries(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    [layer] = load(
        engine, owner, write(tmp_path / "a.geojson", feature({"code": "x", "n": 1}, (1, 2)))
    )
    plain = table([None], {"code": ["x"], "n": [7]})
    path = write_ogr(tmp_path / "t.gpkg", plain, "GPKG", layer="t", geometry_type="Point")
    [again] = load(engine, owner, path, layer_id=layer.layer_id, update_by="code", source_layer="t")
    assert again.updated == 1


def test_append_checks_each_feature_by_the_schema(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.geojson", feature({"kind": "a", "depth": 1.5, "day": "2024-01-01"}))
    [layer] = load(engine, owner, path)
    constrain(
        engine,
        layer.layer_id,
        required=["kind"],
        properties={
            "kind": {"type": "string", "enum": ["a", "b"]},
            "depth": {"type": "number", "minimum": 0},
            "day": {"type": "string", "format": "date"},
        },
    )
    write(
        path,
        feature({"kind": "b", "depth": 2, "day": "2024-05-01T00:00:00Z"}),
        feature({"kind": "c", "depth": 1}),
        feature({"kind": "a", "depth": -1}),
        feature({"depth": 3}),
        feature({"kind": "a", "depth": "deep"}),
    )
    with pytest.raises(FaultyFeaturesError) as error:
        load(engine, owner, path, layer_id=layer.layer_id)
    found = [(row.fault.number, row.fault.field) for row in error.value.feature_faults.faults]
    assert found == [(2, None), (3, "depth"), (4, None), (5, "depth")]
    assert stored(engine) == (1, 1)
    [again] = load(engine, owner, path, layer_id=layer.layer_id, skip_faulty=True)
    assert counts(again) == (3, 0, 0, 0, 2)
    assert [properties for _, properties in features_of(engine, layer.layer_id)][1:] == [
        {"kind": "b", "depth": 2, "day": "2024-05-01"},
        {"kind": "a", "depth": None},
        {"kind": "a", "depth": None},
    ]


def test_append_integers_to_numbers_and_a_column_without_values_to_any(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    [layer] = load(
        engine, owner, write(tmp_path / "a.geojson", feature({"x": 1.5, "n": 1, "t": "a"}))
    )
    path = write(tmp_path / "b.geojson", feature({"x": 2, "n": None, "t": None}), feature({}))
    load(engine, owner, path, layer_id=layer.layer_id)
    assert [properties for _, properties in features_of(engine, layer.layer_id)][1:] == [
        {"x": 2, "n": None, "t": None},
        {},
    ]
    large = 2**63 + 1
    load(engine, owner, write(path, feature({"n": large})), layer_id=layer.layer_id)
    assert features_of(engine, layer.layer_id)[-1][1] == {"n": large}
    write(path, feature({"n": 2.5}))
    assert "n" in refused(engine, owner, path, FaultyFeaturesError, layer_id=layer.layer_id)


def test_a_column_without_values_gets_its_type_with_the_first(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = tmp_path / "head.csv"
    path.write_text("depth,place,longitude,latitude\n,,1,2\n")
    [layer] = load(engine, owner, path)
    types = field_types(engine, layer.layer_id)
    assert (types["depth"], types["place"]) == ("any", "any")
    path.write_text("depth,place,longitude,latitude\n12.5,,1,2\n")
    load(engine, owner, path, layer_id=layer.layer_id)
    types = field_types(engine, layer.layer_id)
    assert (types["depth"], types["place"]) == ("number", "any")
    path.write_text("depth,place,longitude,latitude\ndeep,,1,2\n")
    refused(engine, owner, path, FaultyFeaturesError, layer_id=layer.layer_id)


def test_fields_that_the_layer_has_not(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", feature({"name": "x"}))
    [layer] = load(engine, owner, path)
    write(path, feature({"name": "y", "other": 1}))
    with pytest.raises(InvalidBodyError) as error:
        load(engine, owner, path, layer_id=layer.layer_id)
    assert [fault.pointer for fault in error.value.faults] == ["/properties/other"]
    [again] = load(engine, owner, path, layer_id=layer.layer_id, skip_faulty=True)
    assert any("'other'" in note for note in again.notes)
    assert features_of(engine, layer.layer_id)[1][1] == {"name": "y"}


def test_ids_that_are_no_numbers_are_in_faults(
    engine: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.geojson", feature({"code": 1}))
    [layer] = load(engine, owner, path)
    write(path, feature({"code": 2, "fid": "SE-1"}), feature({"code": "x", "fid": "SE-2"}))
    found = []
    for options in ({}, {"update_by": "code"}, {"replace": True}):
        with pytest.raises(FaultyFeaturesError) as error:
            load(engine, owner, path, layer_id=layer.layer_id, **options)
        faults = error.value.feature_faults.faults
        found.append([(row.fault.feature_id, row.fault.field) for row in faults])
    assert found == [[("SE-2", "code")]] * 3
    write(path, feature({"code": 2}, id="SE-1"))
    with pytest.raises(FaultyFeaturesError, match="id SE-1") as error:
        load(engine, owner, path, layer_id=layer.layer_id, update_by="code")
    assert error.value.feature_faults.faults[0].fault.feature_id == "SE-1"


def test_choices_that_do_not_go_together(engine: Engine, owner: uuid.UUID, tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", feature({"name": "x"}))
    [layer] = load(engine, owner, path)
    for options in (
        {"replace": True},
        {"update_by": "name"},
        {"layer_id": layer.layer_id, "replace": True, "update_by": "name"},
        {"layer_id": layer.layer_id, "replace": True, "is_public": True},
        {"layer_id": layer.layer_id, "index": ("name",)},
    ):
        refused(engine, owner, path, InvalidParameterError, **options)
