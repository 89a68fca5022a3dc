"""What change sets consist of: digests of their rows as they are now, in the same words for whoever
seals and whoever verifies."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from samsyn_model.audit.encoding import (
    DETAILS_RECORD,
    LAYER_DIGEST,
    MESSAGE_RECORD,
    OWN_DIGEST,
    SUBJECT_RECORD,
    ended_bytes,
    made_bytes,
    record,
)
from samsyn_model.database.execution import run

_ROWS = f"""
SELECT id, {OWN_DIGEST} AS own_digest, {MESSAGE_RECORD} AS message_record,
    message IS NOT NULL AS has_message
FROM change_sets WHERE id = ANY(%(ids)s)"""

_SUBJECTS = f"""
SELECT change_set_id, sha256(string_agg({SUBJECT_RECORD}, '' ORDER BY id)) AS digest,
    string_agg({DETAILS_RECORD}, '' ORDER BY id) AS details,
    bool_and(details = '{{}}') AS is_erased
FROM subject_changes WHERE change_set_id = ANY(%(ids)s) GROUP BY change_set_id"""

_LAYERS = f"""
SELECT change_set_id, layer_id, {LAYER_DIGEST} AS digest, inserted + updated + deleted AS number
FROM layer_change_sets WHERE change_set_id = ANY(%(ids)s)"""


@dataclass(slots=True)
class Contents:
    """The rows of a change set, but for states of features."""

    own_digest: bytes | None = None
    """None where it has no row of its own."""
    subjects_digest: bytes | None = None
    texts: bytes | None = None
    """Its message and the details of what it changed; None where there is neither."""
    has_texts: bool = False
    """Whether any of these say something, which is not so after they have been erased."""
    layers: dict[UUID, tuple[bytes, int]] = field(default_factory=dict)
    """The digest of the row of each layer, and how many features it changed there."""

    @property
    def feature_count(self) -> int:
        """How many features it changed."""
        return sum(number for _, number in self.layers.values())


def contents_of(connection: Connection, ids: Sequence[int]) -> dict[int, Contents]:
    """Return the rows of change sets, by their numbers, in three statements."""
    found = {change_set_id: Contents() for change_set_id in ids}
    values = {"ids": list(ids)}
    messages = {}
    for row in run(connection, _ROWS, values):
        found[row.id].own_digest = row.own_digest
        messages[row.id] = row.message_record
        if row.has_message:
            found[row.id].texts = row.message_record
            found[row.id].has_texts = True
    for row in run(connection, _SUBJECTS, values):
        contents = found[row.change_set_id]
        contents.subjects_digest = row.digest
        contents.texts = messages.get(row.change_set_id, b"") + row.details
        contents.has_texts |= not row.is_erased
    for row in run(connection, _LAYERS, values):
        found[row.change_set_id].layers[row.layer_id] = (row.digest, row.number)
    return found


@dataclass(slots=True)
class LayerDigest:
    """The digest of what a change set did to a layer, from its parts one after the other."""

    layer_id: UUID
    row_digest: bytes | None
    made: Any = field(default_factory=sha256)
    ended: Any = field(default_factory=sha256)

    def add(self, part: Any) -> None:
        """Add a part: a row of `layer_seals`, or what will be one."""
        self.made.update(made_bytes(part.made, part.digests))
        self.ended.update(ended_bytes(part.ended, part.ended_from, part.deleted))

    def record(self) -> bytes:
        """Return what the digest of the change set has of the layer."""
        return record(self.layer_id, self.row_digest, self.made.digest(), self.ended.digest())


def change_set_digest(
    own: bytes, subjects: bytes | None, texts: bytes | None, layers: Iterable[LayerDigest]
) -> bytes:
    """Return the digest of a change set from those of its rows, and of its layers in the order of
    their ids."""
    return sha256(record(own, subjects, texts) + b"".join(_records(layers))).digest()


def _records(layers: Iterable[LayerDigest]) -> Iterator[bytes]:
    for layer in layers:
        yield layer.record()
