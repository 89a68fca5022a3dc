"""A map in a GeoPackage: what its tables say, checked as the API checks the bodies of requests."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from samsyn_admin.exports.package_tables import COMMENTS_TABLE, LAYERS_TABLE, MAP_TABLE, VERSION
from samsyn_admin.http.request_body import validated
from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.arrow_batches import json_text
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.layers.schemas import LayerCreate, parse_layer
from samsyn_admin.maps.schemas import MapCreate, MapLayerUpdate
from samsyn_model.errors import InvalidBodyError, InvalidParameterError, UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.tables.rasters import RASTER_ADDRESSES

_MAP_MEMBERS = ("name", "description", "center_lat", "center_lng", "zoom")


@dataclass(frozen=True, slots=True)
class PackagedLayer:
    """A layer on the map: its definition, its place, and the table with its features, if any."""

    definition: LayerCreate
    indexed_properties: list[str]
    placement: MapLayerUpdate
    source_id: str
    """Its id where the map was exported, by which comments name it."""
    table: str | None = None
    properties: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """By column: the property that it holds, and whether its texts are JSON."""


class MapPackage:
    """A GeoPackage that holds a map."""

    def __init__(self, path: Path) -> None:
        """Read the map and the definitions of its layers.

        Raises UnreadableFileError for a file that holds no map, InvalidBodyError for one whose
        members break the rules of the API.
        """
        self._path = path
        (row,) = self._rows(MAP_TABLE) or [{}]
        if row.get("version") != VERSION:
            raise UnreadableFileError(
                f"{path} holds a map of the version {row.get('version')!r}, which is not known."
            )
        body = {name: row[name] for name in _MAP_MEMBERS}
        self.map = validated(MapCreate, {**body, "map_metadata": _parsed(row["map_metadata"])})
        rows = self._rows(LAYERS_TABLE)
        self.layers = [self._layer(row) for row in rows if not _lacks_raster(row)]
        self.left_out = [str(row.get("name")) for row in rows if _lacks_raster(row)]
        """The names of layers whose rasters were stored where the map was exported."""

    def features(self, layer: PackagedLayer) -> SourceLayer:
        """Return the table of a layer's features; raises UnreadableFileError."""
        try:
            (source,) = open_layers(self._path, layer.table)
        except InvalidParameterError as error:
            raise UnreadableFileError(f"{self._path} lacks the table {layer.table!r}.") from error
        return source

    def comments(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Yield the comments, older ones first, each with its place or None."""
        for batch in self._open(COMMENTS_TABLE).batches():
            for text, geometry in zip(batch.properties, batch.geometries, strict=True):
                yield json.loads(str(text)), geometry

    def _rows(self, table: str) -> list[dict[str, Any]]:
        return [
            json.loads(str(text))
            for batch in self._open(table).batches()
            for text in batch.properties
        ]

    def _open(self, table: str) -> SourceLayer:
        try:
            (source,) = open_layers(self._path, table)
        except InvalidParameterError as error:
            raise UnreadableFileError(
                f"{self._path} holds no map: it has no table {table!r}."
            ) from error
        return source

    def _layer(self, row: dict[str, Any]) -> PackagedLayer:
        try:
            definition = _parsed(row["definition"])
            indexed = definition.pop("indexed_properties", [])
            columns = _parsed(row["columns"]) if row["columns"] else []
            return PackagedLayer(
                parse_layer(definition),
                [name for name in indexed if isinstance(name, str)],
                validated(
                    MapLayerUpdate,
                    {
                        "visible": row["visible"],
                        "opacity": row["opacity"],
                        "style_override": _parsed(row["style_override"] or "null"),
                    },
                ),
                row["layer_id"],
                row["table_name"],
                {one["column"]: (str(one["property"]), one["is_json"]) for one in columns},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise UnreadableFileError(
                f"{self._path} is damaged: a row of {LAYERS_TABLE} is not complete."
            ) from error
        except InvalidBodyError as error:
            raise InvalidBodyError(
                f"The layer {str(row.get('name'))[:100]!r} breaks a rule.", error.faults
            ) from error


def _lacks_raster(row: dict[str, Any]) -> bool:
    """Return whether a layer was drawn from a file that an export leaves out."""
    if row.get("source_type") != "geotiff":
        return False
    definition = _parsed(row.get("definition"))
    config = definition.get("source_config") if isinstance(definition, dict) else None
    return isinstance(config, dict) and not any(config.get(name) for name in RASTER_ADDRESSES)


def restored(batch: FeatureBatch, layer: PackagedLayer) -> FeatureBatch:
    """Return a batch of a layer's table with the properties that its columns hold."""
    texts = []
    for text in batch.properties:
        row = json.loads(str(text))
        values = {}
        for column, value in row.items():
            name, is_json = layer.properties.get(column, (column, False))
            if value is not None:
                values[name] = _parsed(value) if is_json and isinstance(value, str) else value
        texts.append(json_text(values))
    return replace(batch, properties=pa.array(texts, pa.large_string()))


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise UnreadableFileError("The file is damaged: a text of it is not JSON.") from error


def parse_id(text: Any) -> uuid.UUID | None:
    """Return the id that a text is, None for another."""
    try:
        return uuid.UUID(text)
    except (ValueError, TypeError, AttributeError):
        return None
