"""A layer of a file into a layer that exists: appended, as its new content, or as updates."""

import json
import uuid
from typing import Any

from sqlalchemy import Connection

from samsyn_admin.imports.loading.checks import check_properties
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.progress import ImportProgress
from samsyn_admin.imports.loading.record import add_layer, keep_schema
from samsyn_admin.imports.loading.report import LayerReport, layer_report
from samsyn_admin.imports.sources.reading import Reading
from samsyn_admin.imports.staging.changes import LayerChanges
from samsyn_admin.imports.staging.pairing import (
    has_ids_of,
    list_incoming,
    pair_by_key,
    pair_for_replacement,
)
from samsyn_admin.imports.staging.staged_features import (
    check_features,
    complete_table,
    count,
    create_table,
    drop_features,
    needs_check,
)
from samsyn_model.database.execution import run
from samsyn_model.errors import (
    ConflictError,
    Fault,
    InvalidBodyError,
    InvalidParameterError,
    NotFoundError,
)
from samsyn_model.features.bulk_copy import stage_features
from samsyn_model.properties.schema import Kind, property_members, property_schema

_FIND = """
SELECT id, name, source_type, geometry_type, property_schema,
    source_config ->> 'gfw4wings' IS NOT NULL AS is_of_fishing_watch
FROM layers WHERE id = %(id)s"""

# Whoever writes features shares the row's key: nobody does so while features are matched.
_LOCK = "SELECT FROM layers WHERE id = %(id)s FOR UPDATE"
_LOCK_TO_APPEND = "SELECT FROM layers WHERE id = %(id)s FOR KEY SHARE"

_HAS_VALUES = """
SELECT EXISTS (
    SELECT FROM layer_features
    WHERE layer_id = %(layer)s AND properties ->> %(name)s IS NOT NULL)"""

_SET_SCHEMA = "UPDATE layers SET property_schema = %(schema)s WHERE id = %(layer)s"

_IDS_OF_DOWNLOADS = ("fid", "feature_id", "id")
_UNTYPED = frozenset({"x-ogc-propertySeq"})


class ExistingLayer:
    """Writes one layer of a file into a vector layer, in the transaction of an import."""

    def __init__(
        self,
        connection: Connection,
        import_id: uuid.UUID,
        owner: uuid.UUID,
        choices: ImportChoices,
        progress: ImportProgress,
    ) -> None:
        """Raises NotFoundError, InvalidParameterError where no features can be written to it."""
        self._connection = connection
        self._import_id = import_id
        self._owner = owner
        self._choices = choices
        self._progress = progress
        row = run(connection, _FIND, {"id": choices.layer_id}).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no layer {choices.layer_id}.")
        if row.source_type != "vector" or row.is_of_fishing_watch:
            raise InvalidParameterError(f"Features cannot be added to a {row.source_type} layer.")
        self._layer = row
        self._schema: dict[str, Any] | None = row.property_schema

    def write(self, reading: Reading) -> LayerReport:
        """Write the source's features as chosen.

        The source's log has the faults: where they are not skipped, the caller rolls back. Raises
        InvalidBodyError where the file has fields that the layer has not.
        """
        source, mode = reading.source, self._choices.mode
        self._progress.start(self._layer.name, source.feature_count)
        create_table(self._connection)
        copied = reading.copied(
            self._connection,
            lambda batches: stage_features(
                self._connection,
                batches,
                faults=source.faults,
                geometry_type=self._layer.geometry_type,
                on_copied=self._progress.advance,
            ),
        )
        check_properties(source.name, source.kinds)
        id_field, left_out = self._left_out(reading)
        complete_table(self._connection, id_field, left_out)
        schema = self._schema = self._with_types(reading)
        if schema is not None and needs_check(dict(source.kinds), schema):
            is_partial = mode == "update"
            check_features(self._connection, schema, source.faults, is_partial=is_partial)
        if mode != "append":
            list_incoming(self._connection, self._choices.key)
        self._lock()
        add_layer(self._connection, self._import_id, self._layer.id, mode)
        if schema is not None and schema != self._layer.property_schema:
            old = self._layer.property_schema
            keep_schema(self._connection, self._import_id, self._layer.id, old)
            values = {"layer": self._layer.id, "schema": json.dumps(schema)}
            run(self._connection, _SET_SCHEMA, values)
        counts = {} if self._fails(reading) else self._changed(reading)
        return layer_report(
            reading,
            copied,
            layer_id=self._layer.id,
            name=self._layer.name,
            mode=mode,
            geometry_type=self._layer.geometry_type,
            **counts,
        )

    def _lock(self) -> None:
        """Lock the layer; raises ConflictError where it is not as it was when reading began."""
        lock = _LOCK_TO_APPEND if self._choices.mode == "append" else _LOCK
        run(self._connection, lock, {"id": self._layer.id})
        now = run(self._connection, _FIND, {"id": self._layer.id}).one_or_none()
        if now != self._layer:
            raise ConflictError("The layer has been changed or deleted meanwhile: import again.")

    def _fails(self, reading: Reading) -> bool:
        return bool(reading.source.faults.count) and not self._choices.skip_faulty

    def _changed(self, reading: Reading) -> dict[str, int]:
        """Write the staged features, and return how many were what."""
        source, mode, key = reading.source, self._choices.mode, self._choices.key
        changes = LayerChanges(
            self._connection,
            self._layer.id,
            self._import_id,
            self._owner,
            self._progress.advance,
        )
        writes_geometry = source.has_geometry
        if mode == "append":
            total = count(self._connection)
            self._progress.start(f"{self._layer.name}: writing", total)
            return {"inserted": changes.insert(only_unpaired=False), "feature_count": total}
        if mode == "replace":
            if pair_for_replacement(self._connection, self._layer.id, key):
                source.note("Features were matched by their ids in the file.")
        else:
            faulty = []
            for fault in pair_by_key(self._connection, self._layer.id, str(key)):
                source.faults.record(fault)
                faulty.append(fault.number)
            drop_features(self._connection, faulty)
            if self._fails(reading):
                return {}
        total = count(self._connection)
        self._progress.start(f"{self._layer.name}: writing", total)
        updated = changes.update(writes_geometry=writes_geometry)
        inserted = deleted = 0
        if mode == "replace":
            deleted = changes.delete()
            inserted = changes.insert(only_unpaired=True)
        return {
            "inserted": inserted,
            "updated": updated,
            "deleted": deleted,
            "unchanged": total - inserted - updated,
            "feature_count": total,
        }

    def _left_out(self, reading: Reading) -> tuple[str | None, list[str]]:
        """Return the field with the ids of a download, and all fields that are left out: that
        one, and, where faults are skipped, those that the layer has not. Raises InvalidBodyError
        for these else. Of a layer that takes any field only evident ids are left out."""
        fields, source = property_members(self._schema), reading.source
        unknown = [name for name in source.kinds if name not in fields]
        is_open = self._schema is None or bool(self._schema.get("additionalProperties"))
        named = (name for name in _IDS_OF_DOWNLOADS if name in unknown)
        id_field = next((n for n in named if not is_open or self._has_ids(reading, n)), None)
        if id_field is not None:
            source.note(f"The field {id_field!r}, which downloads have, is no property here.")
        if is_open:
            return id_field, [] if id_field is None else [id_field]
        others = [name for name in unknown if name != id_field]
        if others and not self._choices.skip_faulty:
            faults = [Fault(f"/properties/{n}", "The layer has no such field.") for n in others]
            raise InvalidBodyError(
                f"{source.name!r} does not suit the layer {self._layer.name!r}.", tuple(faults)
            )
        if others:
            names = ", ".join(map(repr, others))
            source.note(f"Fields that the layer has not were left out: {names}.")
        return id_field, unknown

    def _has_ids(self, reading: Reading, name: str) -> bool:
        """Return whether a field has evidently the ids of the layer's features."""
        is_whole = reading.source.kinds[name] is Kind.INTEGER
        return is_whole and has_ids_of(self._connection, self._layer.id, name)

    def _with_types(self, reading: Reading) -> dict[str, Any] | None:
        """Return the layer's schema, with the types of fields that get their first values now."""
        if self._schema is None:
            return None
        typed = property_schema(reading.source.kinds)["properties"]
        members = self._schema.get("properties", {})
        added = {
            name: {**typed[name], **members[name]}
            for name, kind in reading.source.kinds.items()
            if kind is not None and set(members.get(name, {"type": ""})) <= _UNTYPED
        }
        names = [name for name in added if len(added[name]) > 1 and not self._has_values(name)]
        if not names:
            return self._schema
        properties = {**members, **{name: added[name] for name in names}}
        return {**self._schema, "properties": properties}

    def _has_values(self, name: str) -> bool:
        values = {"layer": self._layer.id, "name": name}
        return bool(run(self._connection, _HAS_VALUES, values).scalar_one())
