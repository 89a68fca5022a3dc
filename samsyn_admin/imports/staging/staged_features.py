"""The temporary table of a file's features, and what a layer's schema says of them."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.features.faults import FaultLog, FeatureFault
from samsyn_model.properties.normalization import normalized_properties
from samsyn_model.properties.schema import Kind, property_members
from samsyn_model.properties.validation import property_faults

_CREATE = """
CREATE TEMPORARY TABLE staged_features (
    number bigint NOT NULL, line bigint, source_id text, geom geometry, properties jsonb NOT NULL
) ON COMMIT DROP"""

_INDEX = "CREATE UNIQUE INDEX ON staged_features (number)"
_ANALYZE = "ANALYZE staged_features"
_TAKE_IDS = """
UPDATE staged_features
SET source_id = coalesce(nullif(properties -> %(name)s, 'null')::text, source_id)"""
_LEAVE_OUT = "UPDATE staged_features SET properties = properties - %(names)s::text[]"
_NUMBER_FIELDS = "SELECT count(*) FROM staged_features"

_PAGE = """
SELECT number, line, source_id, properties FROM staged_features
WHERE number > %(after)s ORDER BY number LIMIT 2000"""

_CHANGE = """
UPDATE staged_features SET properties = given.properties
FROM jsonb_to_recordset(%(rows)s::jsonb) AS given (number bigint, properties jsonb)
WHERE staged_features.number = given.number"""

_DROP = "DELETE FROM staged_features WHERE number = ANY(%(numbers)s)"

_MOST_FAULTS = 20  # of one feature
_PLAIN_SCHEMA = frozenset({"$schema", "$id", "type", "title", "description", "properties"})
_PLAIN_MEMBER = frozenset({"type", "format", "title", "description", "contentEncoding"})


def create_table(connection: Connection) -> None:
    """Create the table, which is dropped when the transaction ends."""
    run(connection, _CREATE)


def complete_table(connection: Connection, id_field: str | None, left_out: Sequence[str]) -> None:
    """Index the table once the features are in it, and remove fields that are left out.

    Ids in the source are those of the `id_field`, where there is one.
    """
    if id_field is not None:
        run(connection, _TAKE_IDS, {"name": id_field})
    if left_out:
        run(connection, _LEAVE_OUT, {"names": list(left_out)})
    run(connection, _INDEX)
    run(connection, _ANALYZE)


def count(connection: Connection) -> int:
    """Return the number of features in the table."""
    return int(run(connection, _NUMBER_FIELDS).scalar_one())


def drop_features(connection: Connection, numbers: Sequence[int]) -> None:
    """Remove features from the table."""
    if numbers:
        run(connection, _DROP, {"numbers": list(numbers)})


def needs_check(kinds: dict[str, Kind | None], schema: dict[str, Any]) -> bool:
    """Return whether single features with fields of these kinds may break a layer's schema."""
    if not _has_only(schema, _PLAIN_SCHEMA):
        return True
    return any(
        not _has_only(member, _PLAIN_MEMBER) or not _suits(kinds[name], member)
        for name, member in property_members(schema).items()
        if kinds.get(name) is not None
    )


def _has_only(schema: dict[str, Any], keywords: frozenset[str]) -> bool:
    return all(name in keywords or name.startswith("x-") for name in schema)


def _suits(kind: Kind | None, member: dict[str, Any]) -> bool:
    types = member.get("type")
    if types is None:
        return not member.get("format")
    admitted = set(types) if isinstance(types, list) else {types}
    form = member.get("format")
    if kind in {Kind.DATE, Kind.DATE_TIME}:
        return "string" in admitted and form in {None, kind.value}
    if kind in {Kind.STRING, Kind.TIME, Kind.BINARY}:
        return "string" in admitted and form is None
    if kind is Kind.INTEGER:
        return not admitted.isdisjoint({"integer", "number"})
    return kind is not None and kind is not Kind.JSON_VALUE and kind.value in admitted


def check_features(
    connection: Connection, schema: dict[str, Any], faults: FaultLog, *, is_partial: bool
) -> None:
    """Check the features against a layer's property schema.

    Faults are recorded; a faulty value becomes null, a feature that has faults without it is
    removed. Dates and date-times get the form in which they are stored. Features that are
    `is_partial` need not have the required fields, but none of them is null.
    """
    required = frozenset(schema.get("required", ()))
    if is_partial:
        schema = {name: member for name, member in schema.items() if name != "required"}
    check = _Check(json.dumps(schema), required, is_partial=is_partial)
    after = 0
    while rows := run(connection, _PAGE, {"after": after}).all():
        changed, dropped = [], []
        for row in rows:
            found = list(check.faults(row.properties))
            for field, reason in found:
                source_id = None if row.source_id is None else json.loads(row.source_id)
                faults.record(FeatureFault(row.number, reason, field, source_id, row.line))
            if any(field is None for field, _ in found):
                dropped.append(row.number)
            elif check.properties != row.properties:
                changed.append({"number": row.number, "properties": check.properties})
        if changed:
            run(connection, _CHANGE, {"rows": json.dumps(changed)})
        drop_features(connection, dropped)
        after = rows[-1].number


class _Check:
    """Checks properties against a schema; `properties` are those of the last one as stored."""

    def __init__(self, schema: str, required: frozenset[str], *, is_partial: bool) -> None:
        self._schema = schema
        self._required = required
        self._is_partial = is_partial
        self.properties: dict[str, Any] = {}

    def faults(self, given: dict[str, Any]) -> Iterator[tuple[str | None, str]]:
        """Yield the fields with faults, None where the whole feature has one, with the reasons."""
        properties = normalized_properties(given, self._schema)
        fields: dict[str, str] = {}
        for fault in islice(property_faults(properties, self._schema), _MOST_FAULTS):
            name = _first_name(fault.pointer)
            if name is None or name in self._required:
                yield None, fault.detail if name is None else f"{name}: {fault.detail}"
                return
            fields.setdefault(name, fault.detail)
        if self._is_partial:
            for name in self._required & properties.keys():
                if properties[name] is None:
                    yield None, f"{name!r} is a required property."
                    return
        self.properties = {**properties, **dict.fromkeys(fields)} if fields else properties
        if fields:
            for fault in islice(property_faults(self.properties, self._schema), 1):
                yield None, fault.detail
                return
        yield from fields.items()


def _first_name(pointer: str) -> str | None:
    if not pointer:
        return None
    return pointer.split("/")[1].replace("~1", "/").replace("~0", "~")
