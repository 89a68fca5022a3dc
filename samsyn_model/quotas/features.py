"""Quotas of features: of a layer, and of all layers of the user who has created it."""

import uuid

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import LimitReachedError
from samsyn_model.settings import Settings

_COUNT = "SELECT sum(feature_count) FROM layer_changes WHERE layer_id = ANY(%(layers)s)"

_SAME_CREATOR = """
SELECT id FROM layers WHERE created_by = (SELECT created_by FROM layers WHERE id = %(layer)s)"""

_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended('features ' || created_by, 0))
FROM layers WHERE id = %(layer)s"""

_CLOSE = 0.9  # of a quota: from here on those who write at the same time wait for one another


def refuse_excess_features(
    connection: Connection, settings: Settings, layer_id: uuid.UUID, *, of_account: bool
) -> None:
    """Raise LimitReachedError where a layer has more features than its quota, after this
    transaction has added some: call it just before the transaction ends.

    Also `of_account`, where its creator has, in all layers: left out for single features, as the
    sum over many layers takes longer than writing one. Far from a quota nobody waits, so that
    writers who together add more than a tenth of it at the same time may exceed it.
    """
    quotas = [([layer_id], settings.max_features_per_layer, "A layer has")]
    if of_account and settings.max_features_per_user:
        layers = run(connection, _SAME_CREATOR, {"layer": layer_id}).scalars()
        quotas.append((layers, settings.max_features_per_user, "The layers of an account have"))
    is_locked = False
    for layers, maximum, detail in quotas:
        if not maximum or _count(connection, layers) <= _CLOSE * maximum:
            continue
        if not is_locked:
            run(connection, _LOCK, {"layer": layer_id})
            is_locked = True
        if _count(connection, layers) > maximum:
            raise LimitReachedError(f"{detail} up to {maximum:,} features: delete some first.")


def _count(connection: Connection, layers: list[uuid.UUID]) -> int:
    return int(run(connection, _COUNT, {"layers": layers}).scalar_one() or 0)
