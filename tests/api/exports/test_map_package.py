"""A map goes out as one GeoPackage, and comes in again equal."""

import json
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.exports.map_package import export_map
from samsyn_admin.imports.maps.map_import import ImportedMap, import_map
from samsyn_model.errors import NotFoundError, SamsynError, UnreadableFileError
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from tests.source_files import add_user, features_of, layer_row

FIELDS = {
    "name": {"type": "string", "title": "Namn", "x-ogc-propertySeq": 1},
    "id": {"type": "integer", "x-ogc-propertySeq": 2},
    "fid": {"type": "string", "x-ogc-propertySeq": 3},
    "since": {"type": "string", "format": "date", "x-ogc-propertySeq": 4},
    "seen": {"type": "string", "format": "date-time", "x-ogc-propertySeq": 5},
    "tags": {"type": "array", "x-ogc-propertySeq": 6},
    "Name": {"type": "object", "x-ogc-propertySeq": 7},
}
VALUES: dict[str, Any] = {
    **{"name": "Läsö", "id": 2**53 + 1, "fid": "own", "since": "2024-02-29"},
    **{"seen": "2024-05-01T10:00:00Z", "tags": ["a", 1], "Name": {"x": [1.5, None]}},
}
SCHEMA = {"type": "object", "properties": FIELDS}


class Plan:
    """A map of the owner's, with what is made for it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.owner = add_user(engine)
        self.id = self.insert(
            "maps",
            *{"name": "Hav & kust", "description": "Plan", "created_by": self.owner}.items(),
            *{"center_lat": 57.5, "center_lng": 11.25, "zoom": 7.5}.items(),
            ("map_metadata", json.dumps({"a": [1]})),
        )
        self.count = 0

    def insert(self, table: str, *values: tuple[str, Any]) -> Any:
        names = ", ".join(f'"{name}"' for name, _ in values)
        places = ", ".join(f":{name}" for name, _ in values)
        statement = f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING id"
        with self.engine.begin() as connection:
            return connection.execute(text(statement), dict(values)).scalar_one()

    def layer(self, features: list[tuple[str | None, Any]] = [], **columns: Any) -> uuid.UUID:  # noqa: B006
        """Add a layer below the others."""
        placement = {name: columns.pop(name) for name in ("visible", "opacity") if name in columns}
        override = columns.pop("style_override", None)
        values = {"name": "Zon", "source_type": "vector", "created_by": self.owner, **columns}
        layer_id = self.insert("layers", *values.items())
        with self.engine.begin() as connection:
            for wkt, properties in features:
                connection.execute(
                    text(
                        "INSERT INTO layer_features (layer_id, geom, properties)"
                        " VALUES (:layer, ST_GeomFromText(:wkt, 4326), :properties)"
                    ),
                    {"layer": layer_id, "wkt": wkt, "properties": json.dumps(properties)},
                )
        place = {"map_id": self.id, "layer_id": layer_id, "order": self.count, **placement}
        place["style_override"] = override and json.dumps(override)
        self.insert("map_layers", *place.items())
        self.count += 1
        return layer_id

    def comment(self, content: str, author: Any = None, point: str | None = None, **on: Any) -> Any:
        with self.engine.begin() as connection:
            values = {"content": content, "author_id": author or self.owner, **on}
            names = ", ".join(values)
            places = ", ".join(f":{name}" for name in values)
            statement = (
                f"INSERT INTO comments ({names}, position)"
                f" VALUES ({places}, ST_GeomFromText(:point, 4326)) RETURNING id"
            )
            values["point"] = point
            return connection.execute(text(statement), values).scalar_one()

    def feature_id(self, layer_id: uuid.UUID, number: int) -> int:
        return rows(
            self.engine,
            "SELECT id FROM layer_features WHERE layer_id = :layer ORDER BY id OFFSET :n LIMIT 1",
            layer=layer_id,
            n=number,
        )[0].id


def rows(engine: Engine, statement: str, **values: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement), values))


@pytest.fixture
def plan(empty_database: Engine) -> Plan:
    return Plan(empty_database)


@pytest.fixture
def file_of(plan: Plan, tmp_path: Path) -> Callable[..., Path]:
    def write(principal: Principal | None = None) -> Path:
        path = tmp_path / f"{uuid.uuid4().hex}.gpkg"
        reports: list[int] = []
        export_map(
            plan.engine,
            plan.id,
            principal or Principal(plan.owner),
            path,
            lambda percent, _: reports.append(percent),
        )
        assert reports == sorted(reports)
        return path

    return write


def again(plan: Plan, path: Path, owner: uuid.UUID | None = None) -> ImportedMap:
    return import_map(plan.engine, path, owner or plan.owner)


MAP_LAYERS = (
    'SELECT l.*, m."order", m.visible, m.opacity, m.style_override FROM map_layers m'
    ' JOIN layers l ON l.id = m.layer_id WHERE m.map_id = :map ORDER BY m."order"'
)
COMPARED = (
    *("name", "description", "category", "source_type", "editable", "source_config"),
    *("style_config", "legend_config", "layer_metadata", "property_schema", "geometry_type"),
    *("time_field", "additional_crs", "indexed_properties"),
    *("order", "visible", "opacity", "style_override"),
)


def test_a_map_comes_back(plan: Plan, file_of: Callable[..., Path]) -> None:
    plan.layer(
        [
            ("POLYGON((11 57,12 57,12 58,11 57))", VALUES),
            (None, {"name": ""}),
            ("POLYGON Z((1 2 3,2 2 3,2 3 3,1 2 3))", {"tags": [], "id": -1}),
        ],
        property_schema=json.dumps(SCHEMA),
        style_config=json.dumps({"color": "#ff0000"}),
        geometry_type="Polygon",
        time_field="since",
        indexed_properties=["name"],
        additional_crs=[3006],
        opacity=40,
        visible=False,
        style_override={"color": "#00ff00"},
        description="Beskrivning",
    )
    wms = {"url": "https://wms.example.org/", "layers": "depth"}
    plan.layer(name="Djup", source_type="wms", source_config=json.dumps(wms))
    plan.layer([("POINT(1 2)", {"a": 1}), ("LINESTRING(0 0,1 1)", {"b": [1]})], name="zon")
    plan.layer(name="Zon")
    made = again(plan, file_of())
    before, after = (rows(plan.engine, MAP_LAYERS, map=key) for key in (plan.id, made.map_id))
    assert [row.name for row in after] == ["Zon", "Djup", "zon", "Zon"]
    for one, other in zip(before, after, strict=True):
        for name in COMPARED:
            if (one.source_type, name) != ("wms", "source_config"):
                assert getattr(one, name) == getattr(other, name), name
        assert (other.visibility, other.is_global) == ("private", False)
        assert features_of(plan.engine, other.id) == features_of(plan.engine, one.id)
    assert wms.items() <= after[1].source_config.items()
    (old, new) = (
        rows(plan.engine, "SELECT * FROM maps WHERE id = :id", id=key)[0]
        for key in (plan.id, made.map_id)
    )
    for name in ("name", "description", "center_lat", "center_lng", "zoom", "map_metadata"):
        assert getattr(old, name) == getattr(new, name)
    assert made.feature_count == 5
    assert layer_row(plan.engine, made.layer_ids[0]).created_by == plan.owner


def test_qgis_finds_tables_and_colours(plan: Plan, file_of: Callable[..., Path]) -> None:
    config = json.dumps({"color": "#ff0000"})
    override = {"color": "#00ff00"}
    plan.layer([("POINT(1 2)", {})], style_config=config, opacity=50, style_override=override)
    plan.layer([("LINESTRING(1 2,3 4)", {})], name="ZON", style_config=config)
    plan.layer(name="samsyn_map")
    with closing(sqlite3.connect(file_of())) as package:
        contents = dict(package.execute("SELECT table_name, data_type FROM gpkg_contents"))
        styles = dict(package.execute("SELECT f_table_name, styleQML FROM layer_styles"))
        wrong = package.execute("PRAGMA integrity_check").fetchone()
    assert wrong == ("ok",)
    assert {name for name, kind in contents.items() if kind == "features"} == {
        *("Zon", "ZON_2", "samsyn_map_2", "samsyn_comments"),
    }
    assert {"samsyn_map", "samsyn_map_layers", "layer_styles"} <= contents.keys()
    assert set(styles) == {"Zon", "ZON_2", "samsyn_map_2"}
    colours = {
        name: [option.get("value") for option in ET.fromstring(qml).iter("Option")]
        for name, qml in styles.items()
    }
    assert any(str(value).startswith("0,255,0,") for value in colours["Zon"])
    assert any(str(value).startswith("255,0,0,") for value in colours["ZON_2"])


def test_only_what_the_reader_may_read(plan: Plan, file_of: Callable[..., Path]) -> None:
    stranger = add_user(plan.engine)
    with pytest.raises(NotFoundError):
        file_of(Principal(stranger))
    with pytest.raises(NotFoundError):
        file_of(ANONYMOUS)
    with plan.engine.begin() as connection:
        connection.execute(text("UPDATE maps SET view_permission = 'public'"))
    hidden = plan.layer([("POINT(1 2)", {"a": "secret"})], name="hidden", created_by=stranger)
    plan.layer([("POINT(3 4)", {})], name="shown")
    plan.comment("secret", layer_id=hidden, map_id=plan.id)
    plan.comment("open", map_id=plan.id)
    for principal in (ANONYMOUS, Principal(add_user(plan.engine))):
        path = file_of(principal)
        assert b"secret" not in path.read_bytes()
        assert b"hidden" not in path.read_bytes()
        made = again(plan, path)
        assert (len(made.layer_ids), made.comment_count) == (1, 1)
    assert b"secret" in file_of().read_bytes()


def test_comments_come_back(plan: Plan, file_of: Callable[..., Path]) -> None:
    other = plan.insert("users", ("username", "Åsa"), ("email", "asa@example.org"))
    layer = plan.layer([("POINT(1 2)", {"n": n}) for n in range(5)])
    feature = plan.feature_id(layer, 3)
    root = plan.comment("one", map_id=plan.id, point="POINT(11 57)")
    plan.comment("two", other, map_id=plan.id, parent_id=root)
    plan.comment("three", layer_id=layer, feature_id=feature)
    plan.comment("", other, map_id=plan.id, parent_id=root, deleted_at="2024-05-01T00:00:00Z")
    plan.comment("gone", layer_id=layer, feature_id=feature + 100_000)
    path = file_of()
    assert b"asa@example.org" not in path.read_bytes()
    made = again(plan, path)
    found = rows(
        plan.engine,
        "SELECT content, author_id, parent_id, layer_id, feature_id, deleted_at, map_id,"
        " ST_AsText(position) AS position FROM comments"
        " WHERE map_id = :map OR layer_id = ANY (:layers) ORDER BY created_at",
        map=made.map_id,
        layers=list(made.layer_ids),
    )
    one, two, three, deleted = found
    assert (one.content, one.author_id, one.position) == ("one", plan.owner, "POINT(11 57)")
    assert (two.content, two.author_id) == ("two", other)
    assert two.parent_id == deleted.parent_id is not None
    assert (three.layer_id, three.map_id) == (made.layer_ids[0], None)
    assert three.feature_id == plan.feature_id(made.layer_ids[0], 3)
    assert deleted.deleted_at is not None
    assert any("1 comment was left out" in note for note in made.notes)
    with plan.engine.begin() as connection:
        connection.execute(text("DELETE FROM comments"))
        connection.execute(text("DELETE FROM users WHERE username = 'Åsa'"))
    unknown = again(plan, path)
    contents = [
        (row.content, row.author_id)
        for row in rows(
            plan.engine,
            "SELECT * FROM comments WHERE map_id = :map ORDER BY created_at",
            map=unknown.map_id,
        )
    ]
    assert contents[:2] == [("one", plan.owner), ("Åsa: two", plan.owner)]
    assert any("not known here" in note for note in unknown.notes)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE samsyn_map SET version = 2",
        "UPDATE samsyn_map SET center_lat = 91",
        "UPDATE samsyn_map SET map_metadata = '{'",
        "DELETE FROM samsyn_map",
        "UPDATE samsyn_map_layers SET definition = '[]'",
        'UPDATE samsyn_map_layers SET definition = \'{"name": "", "source_type": "vector"}\'',
        "UPDATE samsyn_map_layers SET table_name = 'none'",
        "UPDATE samsyn_map_layers SET opacity = 101",
        "UPDATE samsyn_map_layers SET columns = '[1]'",
        "DROP TABLE samsyn_map_layers",
    ],
)
def test_files_that_are_damaged_change_nothing(
    plan: Plan, file_of: Callable[..., Path], change: str
) -> None:
    plan.layer([("POINT(1 2)", {"a": 1})])
    path = file_of()
    with closing(sqlite3.connect(path)) as package:
        package.execute(change)
        package.commit()
    before = rows(plan.engine, "SELECT count(*) FROM layers")
    with pytest.raises(SamsynError):
        again(plan, path)
    assert rows(plan.engine, "SELECT count(*) FROM layers") == before
    assert len(rows(plan.engine, "SELECT FROM maps")) == 1


def test_another_geopackage_holds_no_map(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    with pytest.raises(UnreadableFileError):
        again(plan, path)


def test_the_command_makes_a_map_again(
    plan: Plan, file_of: Callable[..., Path], test_database_url: str
) -> None:
    plan.layer([("POINT(1 2)", {"a": 1})])
    plan.comment("one", map_id=plan.id)
    command = [Path(sys.executable).with_name("samsyn"), "import", "--map", file_of()]
    ended = subprocess.run(
        [*command, "--owner", "planner@example.org"],
        env={**os.environ, "DATABASE_URL": test_database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "1 layer, 1 feature, 1 comment imported" in ended.stderr
    (row,) = rows(plan.engine, "SELECT id FROM maps WHERE id <> :id", id=plan.id)
    assert ended.stdout.strip() == str(row.id)
    refused = subprocess.run(
        [*command, "--owner", "planner@example.org", "--name", "Other"],
        env={**os.environ, "DATABASE_URL": test_database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "--map" in refused.stderr
