"""Sealing: what was committed becomes part of the chain, soon after its commit.

One process seals at a time, in a transaction of its own; no writer waits for it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from secrets import token_bytes
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from samsyn_model.audit.contents import Contents, LayerDigest, change_set_digest, contents_of
from samsyn_model.audit.encoding import NO_HEAD, next_head, record, state_digest, texts_digest
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import set_in_transaction, writing

BATCH = 200
"""Change sets that are sealed in a transaction."""
_PART = 1_000  # features in a row of layer_seals
_SALT_BYTES = 16
_TIMEOUT = "60min"  # of a statement: an import of millions is read by one

_LOCK = "SELECT {}(hashtextextended('change_seals', 0))"

# One that was removed before it was sealed is left, for those who verify.
_QUEUED = """
SELECT change_set_id FROM unsealed_change_sets AS queued
WHERE change_set_id = 0 OR EXISTS (SELECT FROM change_sets WHERE id = queued.change_set_id)
ORDER BY change_set_id LIMIT %(limit)s"""

_LAST = """
SELECT position, head, greatest(clock_timestamp(), sealed_at) AS now
FROM change_seals ORDER BY position DESC LIMIT 1"""

_NOW = "SELECT clock_timestamp()"

# By the number of the change set alone: no statistics lead PostgreSQL to read a whole layer.
_MADE = f"""
SELECT layer_id, id AS feature_id, {state_digest()} AS digest
FROM layer_features WHERE {{present}}
UNION ALL
SELECT layer_id, feature_id, {state_digest("feature_id")}
FROM feature_versions WHERE from_change = %(change)s
ORDER BY 1, 2"""

_ENDED = """
SELECT layer_id, feature_id, from_change, was_deleted
FROM feature_versions WHERE to_change = %(change)s ORDER BY 1, 2, 3"""

_INSERT_PART = """
INSERT INTO layer_seals (layer_id, change_set_id, part, row_digest, made, digests, ended,
    ended_from, deleted)
VALUES (%(layer)s, %(change)s, %(part)s, %(row_digest)s, %(made)s::bigint[], %(digests)s,
    %(ended)s::bigint[], %(ended_from)s::bigint[], %(deleted)s::boolean[])"""

_INSERT_SEAL = """
INSERT INTO change_seals (position, change_set_id, sealed_at, own_digest, subjects_digest,
    texts_digest, salt, head)
VALUES (%(position)s, %(change)s, %(now)s, %(own)s, %(subjects)s, %(texts)s, %(salt)s, %(head)s)"""

_REMOVE = "DELETE FROM unsealed_change_sets WHERE change_set_id = ANY(%(ids)s)"

_NOTE_HEAD = """
INSERT INTO daily_heads (day, position, head)
VALUES ((%(now)s AT TIME ZONE 'UTC')::date, %(position)s, %(head)s)
ON CONFLICT (day) DO UPDATE SET position = EXCLUDED.position, head = EXCLUDED.head"""


@dataclass(slots=True)
class _End:
    """Where the chain ends, and the time of the seals of a batch."""

    position: int
    head: bytes
    now: datetime

    def values(self) -> dict[str, Any]:
        """Return the values that statements bind."""
        return {"position": self.position, "head": self.head, "now": self.now}


@dataclass(slots=True)
class _Part:
    """What a row of `layer_seals` has of features."""

    made: list[int] = field(default_factory=list)
    digests: bytes = b""
    ended: list[int] = field(default_factory=list)
    ended_from: list[int] = field(default_factory=list)
    deleted: list[bool] = field(default_factory=list)


def seal_all(engine: Engine) -> int:
    """Seal what has been committed by now, batch after batch; return how many change sets that
    were. Where another process seals, wait for it."""
    total = 0
    while number := seal_batch(engine, waits=True):
        total += number
    return total


def seal_batch(engine: Engine, *, waits: bool = False) -> int:
    """Seal change sets that have been committed, at most BATCH, in the order of their numbers, in
    one transaction; return how many.

    0 where there are none, and where another process seals, unless it `waits` for that.
    """
    with writing(engine) as connection:
        set_in_transaction(connection, statement_timeout=_TIMEOUT, enable_seqscan="off")
        lock = "pg_advisory_xact_lock" if waits else "pg_try_advisory_xact_lock"
        if run(connection, _LOCK.format(lock)).scalar_one() is False:
            return 0
        ids = run(connection, _QUEUED, {"limit": BATCH}).scalars()
        if not ids:
            return 0
        last = run(connection, _LAST).one_or_none()
        end = _End(*(last or (0, NO_HEAD, run(connection, _NOW).scalar_one())))
        found = contents_of(connection, ids)
        for change_set_id in ids:
            _seal(connection, end, change_set_id, found[change_set_id])
        run(connection, _NOTE_HEAD, end.values())
        run(connection, _REMOVE, {"ids": ids})
    return len(ids)


def _seal(connection: Connection, end: _End, change_set_id: int, contents: Contents) -> None:
    """Seal a change set, with which the chain ends then."""
    salt = texts = None
    if contents.texts is not None:
        salt = token_bytes(_SALT_BYTES)
        texts = texts_digest(salt, contents.texts)
    if not change_set_id:
        contents.own_digest = own_digest_of_before()
    own = contents.own_digest or b""
    layers = _seal_layers(connection, change_set_id, contents)
    digest = change_set_digest(own, contents.subjects_digest, texts, layers)
    end.position += 1
    end.head = next_head(end.head, end.position, change_set_id, end.now, digest)
    values = {
        "change": change_set_id,
        "own": own,
        "subjects": contents.subjects_digest,
        "texts": texts,
        "salt": salt,
    }
    run(connection, _INSERT_SEAL, values | end.values())


def own_digest_of_before() -> bytes:
    """Return what stands for the digest of a row of `change_sets`, of what was there when history
    began."""
    return sha256(record(0)).digest()


def _seal_layers(
    connection: Connection, change_set_id: int, contents: Contents
) -> list[LayerDigest]:
    """Store the digests of what a change set did to layers, and return those of the layers in the
    order of their ids."""
    rows = {layer_id: digest for layer_id, (digest, _) in contents.layers.items()}
    digests = []
    for layer_id, states in groupby(_states(connection, change_set_id, contents), itemgetter(0)):
        digest = LayerDigest(layer_id, rows.get(layer_id))
        for number, part in enumerate(_parts(states)):
            _insert_part(connection, change_set_id, digest, number, part)
        digests.append(digest)
    for layer_id in rows.keys() - {digest.layer_id for digest in digests}:
        digest = LayerDigest(layer_id, rows[layer_id])
        _insert_part(connection, change_set_id, digest, 0, _Part())
        digests.append(digest)
    return sorted(digests, key=attrgetter("layer_id"))


def _insert_part(
    connection: Connection, change_set_id: int, digest: LayerDigest, number: int, part: _Part
) -> None:
    digest.add(part)
    values = {
        "layer": digest.layer_id,
        "change": change_set_id,
        "part": number,
        "row_digest": None if number else digest.row_digest,
        "made": part.made,
        "digests": part.digests,
        "ended": part.ended,
        "ended_from": part.ended_from,
        "deleted": part.deleted,
    }
    run(connection, _INSERT_PART, values)


def _parts(states: Iterable[tuple[UUID, bool, Any]]) -> Iterator[_Part]:
    """Yield what a change set did to the features of a layer, in parts."""
    part = _Part()
    for _, is_end, row in states:
        if (len(part.made) == _PART and not is_end) or len(part.ended) == _PART:
            yield part
            part = _Part()
        if is_end:
            part.ended.append(row.feature_id)
            part.ended_from.append(row.from_change)
            part.deleted.append(row.was_deleted)
        else:
            part.made.append(row.feature_id)
            part.digests += row.digest
    yield part


def _states(
    connection: Connection, change_set_id: int, contents: Contents
) -> Iterator[tuple[UUID, bool, Any]]:
    """Yield the states that a change set has made and, of each layer behind them, those that it
    has ended, as the layer's id, whether it is an end, and a row; in the order of their ids."""
    values = {"change": change_set_id}
    is_large = not change_set_id or contents.feature_count > _PART
    present = "change_set = %(change)s" if change_set_id else "change_set IS NULL"
    made = _rows(connection, "made", _MADE.format(present=present), values, is_large=is_large)
    ended = _rows(connection, "ended", _ENDED, values, is_large=is_large)
    yield from merge(
        ((row.layer_id, False, row) for row in made),
        ((row.layer_id, True, row) for row in ended),
        key=itemgetter(0, 1),
    )


def _rows(
    connection: Connection, name: str, statement: str, values: dict[str, int], *, is_large: bool
) -> Iterator[Any]:
    """Yield the rows of a statement, of many a part at a time from a cursor of the database."""
    if not is_large:
        yield from run(connection, statement, values)
        return
    run(connection, f"DECLARE {name} NO SCROLL CURSOR FOR {statement}", values)
    while rows := run(connection, f"FETCH {_PART} FROM {name}").all():
        yield from rows
    run(connection, f"CLOSE {name}")
