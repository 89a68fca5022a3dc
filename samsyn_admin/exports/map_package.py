"""A map as one GeoPackage: its layers with their styles, its order, and its comments."""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, Row, select

from samsyn_admin.exports.map_comments import comment_batches
from samsyn_admin.exports.package_tables import (
    COMMENTS_COLUMNS,
    COMMENTS_TABLE,
    LAYERS_COLUMNS,
    LAYERS_TABLE,
    MAP_COLUMNS,
    MAP_TABLE,
    RESERVED,
    VERSION,
)
from samsyn_admin.layers.rasters.stored_files import HOLDS_RASTERS
from samsyn_admin.maps.layer_order import ReadableMapLayer, load_map_layers
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import snapshot
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.layers import HOLDS_FEATURES
from samsyn_model.permissions.lookup import find_map
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.downloads.files import file_content
from samsyn_provider.downloads.formats.layer_styles import add_layer_style
from samsyn_provider.downloads.formats.ogr import (
    declare_mixed_heights,
    layer_name,
    layer_options,
    write_ogr_layer,
)
from samsyn_provider.downloads.formats.writers import FileContent
from samsyn_provider.downloads.tables.columns import Column, FeatureTable, free_name
from samsyn_provider.downloads.texts import TIMEOUT
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.http.formats import FORMATS
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.styles.symbols import layer_style

type Progress = Callable[[int, str], None]
"""Told how far something is, in percent, and what is being done."""

_DEFINITION = (
    *("name", "source_type", "description", "category", "editable"),
    *("source_config", "style_config", "legend_config", "layer_metadata", "property_schema"),
    *("geometry_type", "time_field", "additional_crs"),
)
"""What of a layer is in its definition: what the API creates a layer from."""
_MAP_MEMBERS = ("name", "description", "center_lat", "center_lng", "zoom")


@dataclass(frozen=True, slots=True)
class ExportedMap:
    """A map that was exported."""

    name: str
    layer_count: int
    rasters_left_out: tuple[str, ...]
    """The names of layers that are drawn from files of ours, which are not in the package."""
    feature_count: int


def export_map(
    engine: Engine, map_id: uuid.UUID, principal: Principal, path: Path, progress: Progress
) -> ExportedMap:
    """Write a map as the principal sees it to a GeoPackage that does not exist yet.

    From one snapshot of the database, with memory for a batch of features. Layers and comments that
    the principal may not read are not in it. Raises NotFoundError.
    """
    with snapshot(engine, TIMEOUT) as connection:
        exported = find_map(connection, principal, map_id, Action.READ_MAP)
        entries = load_map_layers(connection, principal, map_id)
        rows = _layers(connection, [entry.layer_id for entry in entries])
        _write_rows(path, MAP_TABLE, MAP_COLUMNS, [_map_row(exported)], VERSION="1.3")
        package = _Package(connection, principal, path)
        described = []
        for number, entry in enumerate(entries):
            row = rows[entry.layer_id]
            progress(100 * number // (len(entries) + 1), f"The layer {row.name!r} is written.")
            described.append(package.add(entry, row))
        _write_rows(path, LAYERS_TABLE, LAYERS_COLUMNS, described)
        write_ogr_layer(
            path,
            COMMENTS_COLUMNS,
            comment_batches(connection, principal, map_id, list(rows)),
            driver="GPKG",
            layer=COMMENTS_TABLE,
            geometry_name="geometry",
            geometry_type="Unknown",
            crs="EPSG:4326",
        )
    left_out = tuple(
        rows[entry.layer_id].name for entry in entries if rows[entry.layer_id].holds_rasters
    )
    return ExportedMap(str(exported.name), len(entries), left_out, package.feature_count)


def _layers(connection: Connection, layer_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Row[Any]]:
    statement = select(
        Layer.__table__,
        HOLDS_FEATURES.label("holds_features"),
        HOLDS_RASTERS.label("holds_rasters"),
    )
    rows = run(connection, statement.where(Layer.id.in_(layer_ids)))
    return {row.id: row for row in rows}


def _map_row(exported: Any) -> dict[str, Any]:
    return {
        "version": VERSION,
        **{name: getattr(exported, name) for name in _MAP_MEMBERS},
        "map_metadata": _json(exported.map_metadata),
        "exported_at": datetime.now(UTC),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write_rows(
    path: Path, table: str, columns: pa.Schema, rows: Sequence[Mapping[str, Any]], **options: Any
) -> None:
    """Add a table without geometries."""
    batch = pa.RecordBatch.from_pylist(list(rows), columns)
    options |= {"geometry_name": None, "geometry_type": None}
    write_ogr_layer(path, columns, iter([batch]), driver="GPKG", layer=table, **options)


class _Package:
    """The layers in a GeoPackage."""

    def __init__(self, connection: Connection, principal: Principal, path: Path) -> None:
        self._connection = connection
        self._principal = principal
        self._path = path
        self._taken = set(RESERVED)
        self.feature_count = 0

    def add(self, entry: ReadableMapLayer, row: Row[Any]) -> dict[str, Any]:
        """Write the features of a layer, if it has any, and return its row of LAYERS_TABLE."""
        table_name, columns = None, None
        if row.holds_features:
            table_name = free_name(layer_name(row.name), self._taken)
            columns = _json(self._write_features(entry, table_name))
        definition = {name: getattr(row, name) for name in _DEFINITION}
        definition["indexed_properties"] = row.indexed_properties
        return {
            "position": entry.order,
            "name": row.name,
            "source_type": row.source_type,
            "table_name": table_name,
            "layer_id": str(entry.layer_id),
            "visible": entry.visible,
            "opacity": entry.opacity,
            "style_override": None if entry.style_override is None else _json(entry.style_override),
            "definition": _json(definition),
            "columns": columns,
        }

    def _write_features(self, entry: ReadableMapLayer, table_name: str) -> list[dict[str, Any]]:
        """Write a layer's features and style; return what its columns hold."""
        connection = self._connection
        collection = find_collection(
            connection, self._principal, str(entry.layer_id), Action.READ_LAYER
        )
        query = ItemsQuery(crs=reference_system(CRS84, "crs"))
        content = file_content(connection, collection, query, FORMATS["gpkg"], None)
        style = layer_style({**collection.style_config, **(entry.style_override or {})})

        def read(ids: Iterable[Sequence[int]]) -> Iterator[pa.RecordBatch]:
            for batch in content.read(ids):
                self.feature_count += batch.num_rows
                yield batch

        opacity = round(style.opacity * entry.opacity / 100, 3)
        self._write(replace(content, read=read, style=replace(style, opacity=opacity)), table_name)
        return [_described(column) for column in content.table.columns]

    def _write(self, content: FileContent, table_name: str) -> None:
        table: FeatureTable = content.table
        geometry_name = table.geometry_name or "geometry"
        write_ogr_layer(
            self._path,
            table.schema,
            content.batches,
            driver="GPKG",
            layer=table_name,
            FID=table.id_name,
            GEOMETRY_NAME=geometry_name,
            **layer_options(content),
        )
        if table.some_lack_heights:
            declare_mixed_heights(self._path, table_name)
        add_layer_style(self._path, table_name, geometry_name, content.style, table.geometry_type)


def _described(column: Column) -> dict[str, Any]:
    """Return which property a column holds, and whether its texts are JSON."""
    return {
        "column": column.name,
        "property": column.property_name,
        "is_json": column.holds_json,
    }
