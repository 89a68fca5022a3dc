"""Quotas of rows: of an account, of a map, of a layer."""

import enum
import uuid
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import LimitReachedError
from samsyn_model.settings import Settings


class Quota(enum.Enum):
    """Rows that are counted, by the setting that has their maximum; 0 there: there is none."""

    JOBS_OF_USER = "max_jobs_per_user"
    TOKENS_OF_USER = "max_tokens_per_user"
    SUBSCRIPTIONS_OF_USER = "max_subscriptions_per_user"
    MAPS_OF_USER = "max_maps_per_user"
    LAYERS_OF_USER = "max_layers_per_user"
    LAYERS_OF_MAP = "max_layers_per_map"
    COLLABORATORS_OF_MAP = "max_collaborators_per_map"
    COMMENTS_OF_USER = "max_comments_per_user"
    COMMENTS_OF_MAP = "max_comments_per_map"
    COMMENTS_OF_LAYER = "max_comments_per_layer"


# Each condition is the beginning of an index.
_ROWS = {
    Quota.JOBS_OF_USER: "jobs WHERE user_id = %({key})s AND status IN ('accepted', 'running')",
    Quota.TOKENS_OF_USER: "api_tokens WHERE user_id = %({key})s"
    " AND revoked_at IS NULL AND coalesce(expires_at > now(), true)",
    Quota.SUBSCRIPTIONS_OF_USER: "subscriptions WHERE user_id = %({key})s",
    Quota.MAPS_OF_USER: "maps WHERE created_by = %({key})s",
    Quota.LAYERS_OF_USER: "layers WHERE created_by = %({key})s",
    Quota.LAYERS_OF_MAP: "map_layers WHERE map_id = %({key})s",
    Quota.COLLABORATORS_OF_MAP: "map_collaborators WHERE map_id = %({key})s",
    Quota.COMMENTS_OF_USER: "comments WHERE author_id = %({key})s",
    Quota.COMMENTS_OF_MAP: "comments WHERE map_id = %({key})s",
    Quota.COMMENTS_OF_LAYER: "comments WHERE layer_id = %({key})s",
}
_DETAILS = {
    Quota.JOBS_OF_USER: "Up to {maximum} jobs of an account wait or run: wait until one has ended.",
    Quota.TOKENS_OF_USER: "An account has up to {maximum} API tokens: delete one first.",
    Quota.SUBSCRIPTIONS_OF_USER: "An account follows up to {maximum} maps and threads: end one"
    " of its subscriptions first.",
    Quota.MAPS_OF_USER: "An account owns up to {maximum} maps: delete one first.",
    Quota.LAYERS_OF_USER: "An account has up to {maximum} layers: delete one first.",
    Quota.LAYERS_OF_MAP: "A map has up to {maximum} layers: take one off first.",
    Quota.COLLABORATORS_OF_MAP: "A map has up to {maximum} collaborators: remove one first.",
    Quota.COMMENTS_OF_USER: "An account has up to {maximum} comments: delete one first.",
    Quota.COMMENTS_OF_MAP: "A map has up to {maximum} comments: delete one first.",
    Quota.COMMENTS_OF_LAYER: "A layer has up to {maximum} comments: delete one first.",
}


def refuse_excess(
    connection: Connection, settings: Settings, *counted: tuple[Quota, uuid.UUID]
) -> None:
    """Raise LimitReachedError where there are more rows than a quota, those of this transaction
    included: call it after the last of them is inserted, just before the transaction ends.

    With each quota goes the id of the account, the map or the layer; they are in the order of the
    class. Two statements, the first of which waits for other transactions that count the same, the
    second sees what those have committed.
    """
    maxima = [(quota, key, getattr(settings, quota.value)) for quota, key in counted]
    limited = [(quota, key, maximum) for quota, key, maximum in maxima if maximum]
    if not limited:
        return
    values: dict[str, Any] = {}
    locks, counts = [], []
    for number, (quota, key, maximum) in enumerate(limited):
        values |= {
            f"name_{number}": f"{quota.value} {key}",
            f"key_{number}": key,
            f"limit_{number}": maximum + 1,
        }
        locks.append(f"pg_advisory_xact_lock(hashtextextended(%(name_{number})s, 0))")
        rows = _ROWS[quota].format(key=f"key_{number}")
        counts.append(f"(SELECT count(*) FROM (SELECT FROM {rows} LIMIT %(limit_{number})s) AS r)")
    run(connection, f"SELECT {', '.join(locks)}", values)
    found = run(connection, f"SELECT ARRAY[{', '.join(counts)}]", values).scalar_one()
    for (quota, _, maximum), count in zip(limited, found, strict=True):
        if count > maximum:
            raise LimitReachedError(_DETAILS[quota].format(maximum=f"{maximum:,}"))
