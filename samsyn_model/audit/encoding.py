"""The bytes that digests are of, as `docs/audit.md` describes them for other programs.

A record is its fields one after the other: four bytes with a field's length, and the field as
PostgreSQL's binary format has it. A null is the length -1. Numbers are big-endian.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

type Field = bytes | int | str | UUID | datetime | None

NO_HEAD = bytes(32)
"""The head of the chain before its first seal."""
DIGEST_BYTES = 32

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NULL = (-1).to_bytes(4, signed=True)

_BINARY = {
    "bigint": "int8send({})",
    "uuid": "uuid_send({})",
    "text": "convert_to({}, 'UTF8')",
    "time": "timestamptz_send({})",
    "jsonb": "jsonb_send({})",
    "geometry": "ST_AsEWKB({}, 'NDR')",
}

_STATE = {
    **{"layer_id": "uuid", "{feature_id}": "bigint", "version": "bigint"},
    **{"created_by": "uuid", "updated_by": "uuid", "created_at": "time", "updated_at": "time"},
    **{"properties": "jsonb", "geom": "geometry"},
}
_OWN = {"id": "bigint", "user_id": "uuid", "via": "text", "request_id": "text"}
_SUBJECT = {
    **{"id": "bigint", "kind": "text", "action": "text"},
    **{"subject_id": "uuid", "map_id": "uuid", "layer_id": "uuid"},
}
_LAYER = {
    **{"layer_id": "uuid", "change_set_id": "bigint"},
    **dict.fromkeys(("inserted", "updated", "deleted"), "bigint"),
    **{"committed_at": "time", "latest": "bigint", "overtaken_at": "time"},
    **dict.fromkeys(("feature_count", "first_id", "last_id"), "bigint"),
}


def _record(columns: dict[str, str]) -> str:
    """Return the SQL of the record of columns, by their names and types."""
    fields = []
    for name, kind in columns.items():
        binary = _BINARY[kind].format(name)
        size = f"int4send(octet_length({binary}))"
        if kind in {"bigint", "uuid", "time"}:
            size = f"'\\x{'00000010' if kind == 'uuid' else '00000008'}'::bytea"
        fields.append(f"coalesce({size} || {binary}, '\\xffffffff')")
    return " || ".join(fields)


def state_digest(feature_id: str = "id") -> str:
    """Return the SQL of the digest of a feature's state; `feature_id` is the column of its id."""
    columns = {name.format(feature_id=feature_id): kind for name, kind in _STATE.items()}
    return f"sha256({_record(columns)})"


OWN_DIGEST = f"sha256({_record({**_OWN, 'created_at': 'time'})})"
"""The SQL of the digest of a row of `change_sets`, without its message."""
MESSAGE_RECORD = _record({"message": "text"})
SUBJECT_RECORD = _record(_SUBJECT)
"""The SQL of the record of a row of `subject_changes`, without its details."""
DETAILS_RECORD = _record({"id": "bigint", "details": "jsonb"})
LAYER_DIGEST = f"sha256({_record(_LAYER)})"
"""The SQL of the digest of a row of `layer_change_sets`."""


def record(*fields: Field) -> bytes:
    """Return the record of these fields."""
    encoded = [_binary(field) for field in fields]
    return b"".join(_NULL if field is None else len(field).to_bytes(4) + field for field in encoded)


def _binary(field: Field) -> bytes | None:
    match field:
        case int():
            return field.to_bytes(8, signed=True)
        case str():
            return field.encode()
        case UUID():
            return field.bytes
        case datetime():
            since = field - _EPOCH
            microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
            return microseconds.to_bytes(8, signed=True)
    return field


def made_bytes(ids: Iterable[int], digests: bytes) -> bytes:
    """Return what the digest of made states is of: each one's id, and its digest."""
    return b"".join(
        feature_id.to_bytes(8, signed=True)
        + digests[DIGEST_BYTES * place : DIGEST_BYTES * (place + 1)]
        for place, feature_id in enumerate(ids)
    )


def ended_bytes(ids: Iterable[int], begun: Iterable[int], deleted: Iterable[bool]) -> bytes:
    """Return what the digest of ended states is of: each one's id, the change set that had made it,
    and whether the feature was deleted."""
    return b"".join(
        feature_id.to_bytes(8, signed=True) + change.to_bytes(8, signed=True) + bytes([was_deleted])
        for feature_id, change, was_deleted in zip(ids, begun, deleted, strict=True)
    )


def texts_digest(salt: bytes, texts: bytes) -> bytes:
    """Return the digest of a change set's message and details, which nobody guesses without its
    salt."""
    return sha256(salt + texts).digest()


def next_head(
    former: bytes, position: int, change_set_id: int, sealed_at: datetime, digest: bytes
) -> bytes:
    """Return the head of the chain after a seal."""
    return sha256(former + record(position, change_set_id, sealed_at, digest)).digest()
