"""Layers of a file as new layers."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from pyproj import CRS
from sqlalchemy import Connection

from samsyn_admin.imports.loading.checks import check_properties, geometry_type
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.progress import ImportProgress
from samsyn_admin.imports.loading.record import add_layer
from samsyn_admin.imports.loading.report import LayerReport, layer_report
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.reading import Reading
from samsyn_admin.layers.index_checks import index_faults
from samsyn_model.database.execution import run
from samsyn_model.database.spatial_ref_sys import epsg_codes_unknown_to_postgis
from samsyn_model.errors import InvalidParameterError
from samsyn_model.features.bulk_copy import copy_features
from samsyn_model.properties.schema import property_schema
from samsyn_model.stored_text import is_storable, json_text
from samsyn_provider.geography.crs import SUPPORTED, epsg_uri, is_offerable

_MAX_NAME_LENGTH = 255
_TEMPORAL = frozenset({"date", "date-time"})

_INSERT = """
INSERT INTO layers (id, name, source_type, created_by, is_global, visibility, style_config)
VALUES (%(id)s, %(name)s, 'vector', %(created_by)s, %(is_global)s, %(visibility)s, %(style)s)"""

_DESCRIBE = """
UPDATE layers
SET property_schema = %(property_schema)s, geometry_type = %(geometry_type)s,
    time_field = %(time_field)s, additional_crs = %(additional_crs)s::integer[],
    indexed_properties = %(indexed_properties)s::text[]
WHERE id = %(id)s"""


def new_names(sources: Sequence[SourceLayer], choices: ImportChoices) -> list[str]:
    """Return the names of the new layers; raises InvalidParameterError for one that none can have.

    The name chosen for the layer of the file, else the one for the whole, else the file's own.
    """
    chosen = {layer.source: layer.name for layer in choices.layers or () if layer.name}
    names = [source.name for source in sources]
    if choices.name is not None:
        names = [choices.name] if len(names) == 1 else [f"{choices.name}: {n}" for n in names]
    names = [chosen.get(source.name, n) for source, n in zip(sources, names, strict=True)]
    for name in names:
        if not 1 <= len(name) <= _MAX_NAME_LENGTH:
            raise InvalidParameterError("The name of a layer has 1 to 255 characters.")
        if not is_storable(name):
            raise InvalidParameterError(
                f"The name {name!r} of a layer has a NUL character or half a surrogate pair: choose"
                " another name."
            )
    return names


class NewLayers:
    """Creates layers of a file's in the transaction of an import."""

    def __init__(
        self,
        connection: Connection,
        import_id: uuid.UUID,
        owner: uuid.UUID,
        choices: ImportChoices,
        progress: ImportProgress,
    ) -> None:
        self._connection = connection
        self._import_id = import_id
        self._owner = owner
        self._choices = choices
        self._progress = progress
        self._fields: set[str] = set()

    def create(self, reading: Reading, name: str) -> LayerReport:
        """Create a layer of the source's features, with the schema and geometry type read.

        The source's log has the faults: where they are not skipped, the caller rolls back.
        """
        source, layer_id = reading.source, uuid.uuid4()
        values = {
            "id": layer_id,
            "name": name,
            "created_by": self._owner,
            "is_global": self._choices.is_global,
            "visibility": self._choices.visibility,
            "style": json_text(source.style or {}),
        }
        run(self._connection, _INSERT, values)
        add_layer(self._connection, self._import_id, layer_id, "create")
        self._progress.start(name, source.feature_count)
        copied = reading.copied(
            self._connection,
            lambda batches: copy_features(
                self._connection,
                layer_id,
                batches,
                created_by=self._owner,
                on_copied=self._progress.advance,
                faults=source.faults,
                skips_faulty=self._choices.skip_faulty,
            ),
        )
        check_properties(source.name, source.kinds)
        schema = property_schema(source.kinds)
        imported_type = geometry_type(copied.geometry_types, source.geometry_type)
        description = {
            "id": layer_id,
            "property_schema": json.dumps(schema),
            "geometry_type": imported_type,
            "time_field": self._time_field(schema),
            "additional_crs": self._additional_crs(reading.crs),
            "indexed_properties": self._indexed(schema),
        }
        run(self._connection, _DESCRIBE, description)
        self._fields.update(schema["properties"])
        return layer_report(
            reading,
            copied,
            layer_id=layer_id,
            name=name,
            mode="create",
            geometry_type=imported_type,
            inserted=copied.feature_count,
        )

    def check_fields(self) -> None:
        """Raise InvalidParameterError where no layer has a field that was chosen."""
        for field in (self._choices.time_field, *self._choices.index):
            if field is not None and field not in self._fields:
                raise InvalidParameterError(f"No layer has a field {field!r}.")

    def _additional_crs(self, crs: CRS) -> list[int]:
        """Return the code of the file's CRS unless every layer is offered in it."""
        code = crs.to_epsg()
        if code is None or epsg_uri(code) in SUPPORTED or not is_offerable(code):
            return []
        return [] if epsg_codes_unknown_to_postgis(self._connection, [code]) else [code]

    def _indexed(self, schema: dict[str, Any]) -> list[str]:
        """Return the properties to index that a layer has."""
        names = [name for name in self._choices.index if name in schema["properties"]]
        for fault in index_faults(names, schema["properties"]):
            raise InvalidParameterError(f"No index can be made: {fault.detail}")
        return names

    def _time_field(self, schema: dict[str, Any]) -> str | None:
        time_field = self._choices.time_field
        field = schema["properties"].get(time_field)
        if field is None:
            return None
        if field.get("format") not in _TEMPORAL:
            raise InvalidParameterError(
                f"The field {time_field!r} does not hold dates or date-times only."
            )
        return time_field
