"""What the server has acknowledged, and whether the database has it."""

import uuid
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import URL

from bench.databases import session

type FeatureKey = tuple[str, int]
"""The id of a layer, and that of a feature."""
_SHOWN = 10


@dataclass
class Kept:
    """A feature of one writer: as it was acknowledged last."""

    version: int
    value: int
    is_deleted: bool = False
    tried: int | None = None
    """The value of a later write without a response, which may be stored or not."""
    is_deletion_tried: bool = False


class Ledger:
    """Every write that was acknowledged."""

    def __init__(self) -> None:
        self.own: dict[FeatureKey, Kept] = {}
        """Features that one writer alone changes."""
        self.shared: dict[FeatureKey, list[int]] = defaultdict(list)
        """The versions that writers were told to have made of features that many change."""
        self.writes = 0
        """How many were acknowledged."""

    def losses(self, database: URL) -> list[str]:
        """Return what the database lacks of what was acknowledged, and where the versions that it
        keeps of a changed feature have a gap."""
        layers = sorted({uuid.UUID(layer) for layer, _ in (*self.own, *self.shared)})
        with session(database) as cursor:
            cursor.execute(
                "SELECT layer_id::text, id, version, properties ->> 'n' FROM layer_features"
                " WHERE layer_id = ANY(%s)",
                (layers,),
            )
            stored = {(layer, number): (version, n) for layer, number, version, n in cursor}
            cursor.execute(
                "SELECT f.layer_id::text, f.id, f.version, array_agg(v.version ORDER BY v.version)"
                " FROM layer_features f LEFT JOIN feature_versions v"
                " ON (v.layer_id, v.feature_id) = (f.layer_id, f.id)"
                " WHERE f.layer_id = ANY(%s) AND f.version > 1"
                " GROUP BY f.layer_id, f.id, f.version",
                (layers,),
            )
            gaps = [
                f"feature {number}: version {version}, kept before it: {before}"
                for _, number, version, before in cursor
                if before != list(range(1, version))
            ]
        lost = [
            f"feature {key[1]}: {kept}, stored: {stored.get(key)}"
            for key, kept in self.own.items()
            if not _is_right(kept, stored.get(key))
        ]
        torn = [
            f"feature {key[1]}: acknowledged {sorted(versions)[-5:]}, stored: {stored.get(key)}"
            for key, versions in self.shared.items()
            if len(set(versions)) < len(versions) or max(versions) > stored.get(key, (0, ""))[0]
        ]
        return [*lost, *torn, *gaps]


def _is_right(kept: Kept, stored: tuple[int, str | None] | None) -> bool:
    if stored is None:
        return kept.is_deleted or kept.is_deletion_tried
    if kept.is_deleted:
        return False
    states = {(kept.version, str(kept.value))}
    if kept.tried is not None:
        states.add((kept.version + 1, str(kept.tried)))
    return stored in states
