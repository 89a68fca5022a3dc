"""`…/restore` and `…/undo` below `/api/v1/layers/{id}`: features put back to what they were."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection

from samsyn_admin.http.request_body import read_json, refuse, validated
from samsyn_admin.layers.history.schemas import FeatureRestore, FeatureUndo
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.errors import Fault, InvalidParameterError, NotFoundError
from samsyn_model.history.reversal import Plan, carry_out, plan_state, plan_undoing
from samsyn_model.origin import Via
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.lookup import Lock
from samsyn_model.quotas.features import refuse_excess_features
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.features.provider import missing_feature
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.http.problems import problem
from samsyn_provider.items.preconditions import refuse_other_version
from samsyn_provider.query.parameters import parse_boolean, parse_feature_id, single_values
from samsyn_provider.versions.states import moment_of, state_of

bp = Blueprint("layer_history", __name__, url_prefix="/api/v1/layers/<layer_id>")

_TIMEOUT = "5min"  # as long as restoring a deleted layer of as many features may take
_MAX_CHANGE_SET = 18  # digits
_LOCK_FEATURE = """
SELECT version FROM layer_features
WHERE layer_id = %(layer)s AND id = %(feature)s FOR NO KEY UPDATE"""
_VERSION = "SELECT version FROM layer_features WHERE layer_id = %(layer)s AND id = %(feature)s"

Planning = Callable[[Connection, Collection, str | None], Plan]


class _RefusedError(Exception):
    """There are conflicts: nothing is written."""


@bp.post("/features/<feature>/restore")
@requires(Action.WRITE_FEATURES)
def restore_feature(layer_id: str, feature: str) -> Response:
    """Make a feature again what it was, also one that was deleted; `dry_run=true` only checks."""
    _refuse_others(layer_id)
    body = validated(FeatureRestore, read_json())

    def plan(connection: Connection, collection: Collection, schema: str | None) -> Plan:
        key = parse_feature_id(feature)
        lock = _VERSION if _is_dry_run() else _LOCK_FEATURE
        values = {"layer": collection.id, "feature": key}
        refuse_other_version(run(connection, lock, values).scalar())
        state = state_of(connection, collection, _moment(connection, collection, body))
        exists = f"SELECT EXISTS (SELECT FROM {state.feature('%(feature)s')} AS states)"
        if not run(connection, exists, {**state.values, **values}).scalar_one():
            raise missing_feature(connection, collection, key)
        return plan_state(
            connection,
            state,
            feature_id=key,
            geometry_type=collection.geometry_type,
            schema=schema,
        )

    message = body.message or f"Feature {feature} as it was: {body.as_of}."
    # others go on editing: the feature itself is locked
    return _respond(layer_id, plan, "restore", message, "KEY SHARE")


@bp.post("/features/restore")
@requires(Action.WRITE_FEATURES)
def restore_features(layer_id: str) -> Response:
    """Make the features of a layer again what they were at a moment; `dry_run=true` only checks."""
    _refuse_others(layer_id)
    body = validated(FeatureRestore, read_json())

    def plan(connection: Connection, collection: Collection, schema: str | None) -> Plan:
        state = state_of(connection, collection, _moment(connection, collection, body))
        return plan_state(connection, state, geometry_type=collection.geometry_type, schema=schema)

    message = body.message or f"The layer as it was: {body.as_of}."
    return _respond(layer_id, plan, "restore", message, "UPDATE")


@bp.post("/change-sets/<change_set>/undo")
@requires(Action.WRITE_FEATURES)
def undo_change_set(layer_id: str, change_set: str) -> Response:
    """Take back what a change set has done to the features; `dry_run=true` only checks."""
    _refuse_others(layer_id)
    body = validated(FeatureUndo, read_json() if request.get_data() else {})

    def plan(connection: Connection, collection: Collection, schema: str | None) -> Plan:
        is_number = change_set.isascii() and change_set.isdigit()
        if not is_number or len(change_set) > _MAX_CHANGE_SET:
            raise NotFoundError("There is no such change set.")
        return plan_undoing(
            connection,
            collection.id,
            int(change_set),
            geometry_type=collection.geometry_type,
            schema=schema,
        )

    message = body.message or f"Change set {change_set} taken back."
    return _respond(layer_id, plan, "undo", message, "UPDATE")


def _refuse_others(layer_id: str) -> None:
    """Raise the errors of `find_collection` before the body is read, whose message the transaction
    begins with."""
    with reading(deployment().engine) as connection:
        find_collection(connection, principal(), layer_id, Action.WRITE_FEATURES)


def _respond(layer_id: str, plan: Planning, via: Via, message: str, lock: Lock) -> Response:
    """Return what has been done by a plan, or would be; 409 with the conflicts where nothing is.

    With `UPDATE` for its lock nobody writes to the layer meanwhile.
    """
    values = single_values(request.args, {"dry_run", "on_conflict"})
    is_dry_run, on_conflict = _is_dry_run(), values.get("on_conflict", "refuse")
    if on_conflict not in {"refuse", "skip"}:
        raise InvalidParameterError("on_conflict is refuse or skip.")
    planned, change_set = Plan(0, 0, 0, 0, ()), None
    try:
        with writing(deployment().engine, via=via, message=message) as connection:
            set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT, statement_timeout=_TIMEOUT)
            collection = find_collection(
                connection,
                principal(),
                layer_id,
                Action.WRITE_FEATURES,
                lock=None if is_dry_run else lock,
            )
            schema = collection.property_schema
            planned = plan(connection, collection, None if schema is None else json.dumps(schema))
            if planned.conflict_count and on_conflict == "refuse":
                raise _RefusedError
            if not is_dry_run:
                user_id = require_user(principal())
                change_set = carry_out(connection, collection.id, user_id, planned)
                if planned.inserted:
                    refuse_excess_features(
                        connection,
                        deployment().settings,
                        collection.id,
                        of_account=planned.inserted > 1,
                    )
    except _RefusedError:
        return _refused(planned)
    response = jsonify(dry_run=is_dry_run, change_set=change_set, **asdict(planned))
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_dry_run() -> bool:
    return parse_boolean("dry_run", request.args.get("dry_run", "false"))


def _moment(connection: Connection, collection: Collection, body: FeatureRestore) -> datetime:
    try:
        return moment_of(connection, collection, "as_of", body.as_of)
    except InvalidParameterError as error:
        refuse([Fault("/as_of", error.detail.removeprefix("as_of: "))])
        raise


def _refused(plan: Plan) -> Response:
    """Return 409 with the first of the features that cannot be put back."""
    count, first = plan.conflict_count, plan.conflicts[0]
    features = "1 feature conflicts" if count == 1 else f"{count:,} features conflict"
    response = problem(
        HTTPStatus.CONFLICT,
        f"Nothing was changed: {features}, the first is {first.feature_id}: {first.detail}"
        " With on_conflict=skip these are left as they are.",
    )
    conflicts = [asdict(conflict) for conflict in plan.conflicts]
    document = json.loads(response.get_data())
    response.set_data(json.dumps({**document, "conflict_count": count, "conflicts": conflicts}))
    return response
