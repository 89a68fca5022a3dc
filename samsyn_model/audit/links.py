"""The links of the chain, one after the other, against the rows that they are of."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from samsyn_model.audit.contents import Contents, LayerDigest, change_set_digest, contents_of
from samsyn_model.audit.encoding import NO_HEAD, next_head, texts_digest
from samsyn_model.audit.findings import Finding, Tally
from samsyn_model.audit.sealing import own_digest_of_before
from samsyn_model.database.execution import run, stream

_PAGE = 500  # seals

_SEALS = """
SELECT * FROM change_seals WHERE position > %(after)s ORDER BY position LIMIT %(limit)s"""

_HEAD = "SELECT head FROM change_seals WHERE position = %(position)s"

_PARTS = """
SELECT * FROM layer_seals WHERE change_set_id = ANY(%(ids)s)
ORDER BY change_set_id, layer_id, part"""

# Each of these is one statement: what is committed meanwhile is queued, or not there yet.
_UNSEALED = """
SELECT 'change set' AS what, id AS change_set_id, NULL::uuid AS layer_id, 'added' AS kind
FROM change_sets WHERE id >= %(least)s
    AND NOT EXISTS (SELECT FROM change_seals WHERE change_set_id = change_sets.id)
    AND NOT EXISTS (SELECT FROM unsealed_change_sets WHERE change_set_id = change_sets.id)
UNION ALL
SELECT 'changes of a layer', change_set_id, layer_id, 'added'
FROM (
    SELECT change_set_id, layer_id FROM layer_change_sets WHERE change_set_id >= %(least)s OFFSET 0
) AS changed
WHERE NOT EXISTS (SELECT FROM change_seals WHERE change_set_id = changed.change_set_id)
    AND NOT EXISTS (SELECT FROM unsealed_change_sets WHERE change_set_id = changed.change_set_id)
    AND NOT EXISTS (SELECT FROM change_sets WHERE id = changed.change_set_id)
UNION ALL
SELECT 'change set that was not sealed yet', change_set_id, NULL, 'missing'
FROM unsealed_change_sets AS queued WHERE change_set_id > 0
    AND NOT EXISTS (SELECT FROM change_sets WHERE id = queued.change_set_id)
ORDER BY 2"""

_WRONG_HEADS = """
SELECT day FROM daily_heads LEFT JOIN change_seals USING (position)
WHERE daily_heads.head IS DISTINCT FROM change_seals.head AND position > %(after)s
ORDER BY day"""


def verify_links(connection: Connection, tally: Tally, after: int = 0) -> Iterator[Finding]:
    """Yield what is wrong with the links after a position, and with the rows that they are of but
    states of features; count them in the tally.

    `connection` is one for reading. What comes after a link that is wrong is compared with what is
    stored of it, so that one change is one finding.
    """
    former: bytes | None = NO_HEAD
    if after:
        former = run(connection, _HEAD, {"position": after}).scalar()
    position = after
    while True:
        page = run(connection, _SEALS, {"after": position, "limit": _PAGE}).all()
        if not page:
            return
        ids = [seal.change_set_id for seal in page]
        found = contents_of(connection, ids)
        layers = _layers_of(connection, ids)
        for seal in page:
            if seal.position != position + 1:
                yield Finding(
                    "missing", f"the seals at the positions {position + 1} to {seal.position - 1}"
                )
                former = None
            contents, sealed = found[seal.change_set_id], layers.get(seal.change_set_id, [])
            if seal.change_set_id == 0:
                contents.own_digest = own_digest_of_before()
            yield from _verify_rows(seal, contents, sealed, tally)
            digest = change_set_digest(
                seal.own_digest, seal.subjects_digest, seal.texts_digest, sealed
            )
            if former is not None and seal.head != next_head(
                former, seal.position, seal.change_set_id, seal.sealed_at, digest
            ):
                yield Finding(
                    "altered", f"the seal at the position {seal.position}", seal.change_set_id
                )
            former, position = seal.head, seal.position
            tally.add_change_set()


def _layers_of(connection: Connection, ids: list[int]) -> dict[int, list[LayerDigest]]:
    """Return what is stored of layers in the seals of change sets, in the order of their ids."""
    found: dict[int, list[LayerDigest]] = {}
    for part in stream(connection, _PARTS, {"ids": ids}):
        layers = found.setdefault(part.change_set_id, [])
        if not layers or layers[-1].layer_id != part.layer_id:
            layers.append(LayerDigest(part.layer_id, part.row_digest))
        layers[-1].add(part)
    return found


def _verify_rows(
    seal: Any, contents: Contents, sealed: list[LayerDigest], tally: Tally
) -> Iterator[Finding]:
    number = seal.change_set_id
    if contents.own_digest is None:
        yield Finding("missing", "change set", number)
    elif contents.own_digest != seal.own_digest:
        yield Finding("altered", "change set", number)
    if contents.subjects_digest != seal.subjects_digest:
        yield _difference(
            seal.subjects_digest, contents.subjects_digest, "changes beside features", number
        )
    is_erased = seal.texts_digest is not None and seal.salt is None and not contents.has_texts
    if is_erased:
        tally.erased += 1
    elif contents.own_digest is not None or contents.texts is not None:
        present = None
        if contents.texts is not None and seal.salt is not None:
            present = texts_digest(seal.salt, contents.texts)
        if present != seal.texts_digest or (contents.texts is None) != (seal.texts_digest is None):
            yield _difference(
                seal.texts_digest, contents.texts, "message or details of changes", number
            )
    if number:
        yield from _verify_layers(number, contents, {one.layer_id: one for one in sealed})


def _verify_layers(
    number: int, contents: Contents, sealed: dict[UUID, LayerDigest]
) -> Iterator[Finding]:
    for layer_id in sorted(contents.layers.keys() | sealed.keys()):
        before = sealed[layer_id].row_digest if layer_id in sealed else None
        now = contents.layers[layer_id][0] if layer_id in contents.layers else None
        if before != now:
            yield _difference(before, now, "changes of a layer", number, layer_id)


def _difference(
    before: object, now: object, what: str, number: int, layer_id: UUID | None = None
) -> Finding:
    if before is None:
        return Finding("added", what, number, layer_id)
    return Finding("missing" if now is None else "altered", what, number, layer_id)


def verify_completeness(
    connection: Connection, least: int = 0, after: int = 0
) -> Iterator[Finding]:
    """Yield change sets from a number on that are neither sealed nor wait for it, those that were
    removed before, and heads of days that are not those of the chain after a position."""
    for row in run(connection, _UNSEALED, {"least": least}):
        yield Finding(row.kind, row.what, row.change_set_id, row.layer_id)
    for row in run(connection, _WRONG_HEADS, {"after": after}):
        yield Finding("altered", f"the head of {row.day}")
