"""Makes the map again that a GeoPackage holds, all of it in one transaction."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from sqlalchemy import Connection, Engine, insert, update

from samsyn_admin.imports.maps.comments import CommentImport
from samsyn_admin.imports.maps.package import MapPackage, PackagedLayer, restored
from samsyn_admin.imports.sources.layer import SourceLayer, in_crs84, source_crs, until
from samsyn_admin.layers.schemas import number_properties, refuse_unknown_crs
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import set_in_transaction, writing
from samsyn_model.errors import InvalidBodyError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.bulk_copy import copy_features
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapLayer

type Progress = Callable[[int, str], None]

_NEW_IDS = """
SELECT number, id FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS number
    FROM layer_features WHERE layer_id = %(layer)s
) AS numbered WHERE number = ANY (%(numbers)s::bigint[])"""


@dataclass(frozen=True, slots=True)
class ImportedMap:
    """A map that was made of a file."""

    map_id: uuid.UUID
    name: str
    layer_ids: tuple[uuid.UUID, ...]
    feature_count: int
    comment_count: int
    notes: tuple[str, ...]


def import_map(
    engine: Engine,
    path: Path,
    owner_id: uuid.UUID,
    *,
    progress: Progress = lambda _percent, _text: None,
    timeout: int = 3600,
) -> ImportedMap:
    """Make a private map of the owner's, with layers of its own, of a file that `export_map` wrote.

    A comment keeps its author where this database has the user, else it is the owner's and names
    its author. Raises UnreadableFileError, InvalidBodyError, UnstorableFeatureError, and
    TooLargeError after `timeout` seconds.
    """
    package = MapPackage(path)
    deadline = monotonic() + timeout
    with writing(engine, via="import", user_id=owner_id, message=path.name) as connection:
        set_in_transaction(
            connection,
            statement_timeout=f"{timeout}s",
            idle_in_transaction_session_timeout="0",
        )
        values = {**package.map.model_dump(), "created_by": owner_id}
        values |= {"view_permission": "private", "edit_permission": "private"}
        map_id = run(connection, insert(Map).values(values).returning(Map.id)).scalar_one()
        comments = CommentImport(connection, map_id, owner_id, list(package.comments()))
        layers = _Layers(connection, path, owner_id, comments, deadline)
        for order, layer in enumerate(package.layers):
            progress(
                100 * order // (len(package.layers) + 1), f"{layer.definition.name!r} is read."
            )
            layer_id = layers.add(package, layer)
            placement = layer.placement.model_dump(include={"visible", "opacity", "style_override"})
            place = {"map_id": map_id, "layer_id": layer_id, "order": order, **placement}
            run(connection, insert(MapLayer).values(place))
        comment_count = comments.store()
    return ImportedMap(
        map_id,
        package.map.name,
        tuple(layers.ids),
        layers.feature_count,
        comment_count,
        (
            *(
                f"{name}: left out, since its raster is not in the file."
                for name in package.left_out
            ),
            *layers.notes,
            *comments.notes,
        ),
    )


class _Layers:
    """The layers that are made of a file."""

    def __init__(
        self,
        connection: Connection,
        path: Path,
        owner_id: uuid.UUID,
        comments: CommentImport,
        deadline: float,
    ) -> None:
        self._connection = connection
        self._path = path
        self._owner_id = owner_id
        self._comments = comments
        self._deadline = deadline
        self.ids: list[uuid.UUID] = []
        self.feature_count = 0
        self.notes: list[str] = []

    def add(self, package: MapPackage, layer: PackagedLayer) -> uuid.UUID:
        """Make a layer with its features, and return its id."""
        definition = layer.definition
        number_properties(definition)
        refuse_unknown_crs(self._connection, definition)
        definition.source_config.pop("geojson", None)
        values = {**definition.model_dump(), "created_by": self._owner_id}
        values |= {"visibility": "private", "is_global": False}
        statement = insert(Layer).values(values).returning(Layer.id)
        layer_id: uuid.UUID = run(self._connection, statement).scalar_one()
        self.ids.append(layer_id)
        self._comments.layers[layer.source_id] = layer_id
        if layer.table is not None:
            self._copy(package.features(layer), layer, layer_id)
        if layer.indexed_properties:
            indexed = update(Layer).where(Layer.id == layer_id)
            run(self._connection, indexed.values(indexed_properties=layer.indexed_properties))
        return layer_id

    def _copy(self, source: SourceLayer, layer: PackagedLayer, layer_id: uuid.UUID) -> None:
        wanted = self._comments.features_of(layer.source_id)
        numbers: dict[int, int] = {}
        copied = copy_features(
            self._connection,
            layer_id,
            in_crs84(
                until(self._deadline, _read(source, layer, wanted, numbers)),
                source_crs(source, self._path, None),
            ),
            created_by=self._owner_id,
        )
        if source.faults.count:
            fault = source.faults.faults[0]
            raise InvalidBodyError(
                f"The table {layer.table!r} has {source.faults.count:,} faults; the first is in"
                f" number {fault.number}: {fault.reason}"
            )
        self.feature_count += copied.feature_count
        self.notes += [f"{layer.definition.name}: {note}" for note in source.all_notes()]
        if numbers:
            rows = run(
                self._connection, _NEW_IDS, {"layer": layer_id, "numbers": list(numbers.values())}
            )
            new_ids = {row.number: row.id for row in rows}
            self._comments.features |= {
                (layer.source_id, fid): new_ids[number] for fid, number in numbers.items()
            }


def _read(
    source: SourceLayer, layer: PackagedLayer, wanted: set[int], numbers: dict[int, int]
) -> Iterator[FeatureBatch]:
    """Yield the features of a table, and note the numbers of those that comments are on."""
    count = 0
    for batch in source.batches():
        for index, fid in enumerate(batch.ids or ()):
            if fid in wanted:
                numbers[fid] = count + index + 1
        count += len(batch.geometries)
        yield restored(batch, layer)
