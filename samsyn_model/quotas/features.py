"""Quotas of features: of a layer, and of all layers of the user who has created it."""

import uuid

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import LimitReachedError
from samsyn_model.settings import Settings

_COUNT_LAYER = "SELECT sum(feature_count) FROM layer_changes WHERE layer_id = %(layer)s"

_COUNT_USER = """
SELECT sum(feature_count) FROM layer_changes WHERE layer_id = ANY(ARRAY(
    SELECT id FROM layers WHERE created_by = (
        SELECT created_by FROM layers WHERE id = %(layer)s)))"""

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
    quotas = [(_COUNT_LAYER, settings.max_features_per_layer, "A layer has")]
    if of_account:
        detail = "The layers of an account have"
        quotas.append((_COUNT_USER, settings.max_features_per_user, detail))
    is_locked = False
    for text, maximum, detail in quotas:
        if not maximum or _count(connection, text, layer_id) <= _CLOSE * maximum:
            continue
        if not is_locked:
            run(connection, _LOCK, {"layer": layer_id})
            is_locked = True
        if _count(connection, text, layer_id) > maximum:
            raise LimitReachedError(f"{detail} up to {maximum:,} features: delete some first.")


def _count(connection: Connection, text: str, layer_id: uuid.UUID) -> int:
    return int(run(connection, text, {"layer": layer_id}).scalar_one() or 0)
