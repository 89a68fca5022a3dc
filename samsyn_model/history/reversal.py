"""Features put back to what they were: to a moment, or as if a change set had not been."""

import uuid
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection
from sqlalchemy import text as sql_text

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import set_in_transaction
from samsyn_model.errors import ConflictError, NotFoundError
from samsyn_model.history import reversal_statements as statements
from samsyn_model.history.as_of import AsOf
from samsyn_model.history.horizons import refuse_pruned
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.validation import property_faults
from samsyn_model.sharding.writing import begin_writing

MAX_CONFLICTS = 100
"""How many conflicts are listed at most."""

_DETAILS = {
    "changed": "The feature has been changed again since.",
    "deleted": "The feature has been deleted since.",
    "made": "The feature has come back since, and may have been changed.",
}
_OTHER_TYPE = "Its geometry is none of the layer's type any more."
_BATCH = 10_000
_FEW = 100  # features for each of which another one's rows may be read through


@dataclass(frozen=True, slots=True)
class Conflict:
    """A feature that cannot be put back."""

    feature_id: int
    reason: str
    """`changed`, `deleted` or `made` since; or `invalid`: what it was does not suit the layer."""
    detail: str
    change_set: int | None
    """What made it what it is, or deleted it; None: it was so when history began."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many features are to be put back in which way, and which cannot be."""

    inserted: int
    updated: int
    deleted: int
    conflict_count: int
    conflicts: tuple[Conflict, ...]
    """The first MAX_CONFLICTS, by their ids."""


def plan_state(
    connection: Connection,
    state: AsOf,
    *,
    feature_id: int | None = None,
    geometry_type: str | None,
    schema: str | None,
) -> Plan:
    """List what makes a layer, or one feature of it, what it was at a moment.

    Once in a transaction, which goes on with `carry_out`. What was there conflicts where it does
    not suit the layer's present geometry type and schema (JSON text). Raises TooLargeError where
    checking takes too long.
    """
    run(connection, statements.CREATE_TABLES)
    touched, differences = (
        statements.list_touched(state, feature_id),
        statements.list_differences(state),
    )
    run(connection, touched.text, touched.values)
    _set_joins(connection)
    run(connection, differences.text, differences.values)
    return _checked(connection, state.layer_id, geometry_type, schema)


def plan_undoing(
    connection: Connection,
    layer_id: uuid.UUID,
    change_set: int,
    *,
    geometry_type: str | None,
    schema: str | None,
) -> Plan:
    """List what takes back a change set of a layer; as `plan_state`.

    Features that are neither as it has left them nor as they were before it conflict. Raises
    NotFoundError where it has changed nothing of the layer, HistoryPrunedError where what was
    before it has been removed.
    """
    values = {"layer": layer_id, "change_set": change_set}
    before = run(connection, statements.MOMENT_BEFORE, values).scalar()
    if before is None:
        raise NotFoundError(f"This layer has no change set {change_set}.")
    refuse_pruned(connection, layer_id, before)
    run(connection, statements.CREATE_TABLES)
    run(connection, statements.TOUCHED_BY, values)
    _set_joins(connection)
    run(connection, statements.TO_BEFORE, values)
    return _checked(connection, layer_id, geometry_type, schema)


def carry_out(
    connection: Connection, layer_id: uuid.UUID, user_id: uuid.UUID, plan: Plan
) -> int | None:
    """Do what a plan of this transaction says, without its conflicts; return the number of the
    change set, None where there was nothing to do.

    At most four statements. Raises ConflictError where others have changed the features meanwhile.
    """
    if not (plan.deleted or plan.updated or plan.inserted):
        return None
    begin_writing(connection, layer_id)
    values = {"layer": layer_id, "user": user_id}
    for count, text in (
        (plan.deleted, statements.DELETE),
        (plan.updated, statements.UPDATE),
        (plan.inserted, statements.INSERT),
    ):
        if count and run(connection, text, values).scalar_one() != count:
            raise ConflictError("Somebody else has changed this at the same time: try again.")
    change_set: int | None = run(connection, statements.CURRENT_CHANGE_SET).scalar_one()
    return change_set


def _set_joins(connection: Connection) -> None:
    """Of many features let PostgreSQL join by hashes alone until the transaction ends."""
    run(connection, statements.ANALYZE_TOUCHED)
    if run(connection, statements.COUNT_TOUCHED).scalar_one() > _FEW:
        set_in_transaction(connection, enable_nestloop="off")


def _checked(
    connection: Connection, layer_id: uuid.UUID, geometry_type: str | None, schema: str | None
) -> Plan:
    run(connection, statements.ANALYZE_TABLE)
    if geometry_type is not None or schema is not None:
        _mark_misfits(connection, layer_id, geometry_type, schema)
    row = run(connection, statements.SUMMARY).one()
    found = (
        run(connection, statements.CONFLICTS, {"limit": MAX_CONFLICTS}).all()
        if row.conflicts
        else ()
    )
    conflicts = tuple(
        Conflict(one.id, one.reason, one.detail or _DETAILS[one.reason], one.change_set)
        for one in found
    )
    return Plan(row.inserted, row.updated, row.deleted, row.conflicts, conflicts)


def _mark_misfits(
    connection: Connection, layer_id: uuid.UUID, geometry_type: str | None, schema: str | None
) -> None:
    """Mark the features whose states to be do not suit the layer; a batch of them is in memory."""
    types = [geometry_type, geometry_type.removeprefix("Multi")] if geometry_type else []
    select = sql_text(statements.STATES_TO_BE).execution_options(
        stream_results=True, max_row_buffer=1_000
    )
    since = run(connection, statements.RULES_SINCE, {"layer": layer_id}).scalar_one()
    values = {"layer": layer_id, "types": types, "rules_since": since}
    misfits: dict[int, str] = {}
    with validation_deadline():
        for row in run(connection, select, values):
            detail = _OTHER_TYPE if geometry_type and row.is_other_type else None
            faults = property_faults(row.properties, schema, stored=row.stored_names)
            for fault in islice(faults, 1 if detail is None else 0):
                detail = f"{fault.pointer}: {fault.detail}"
            if detail is not None:
                misfits[row.id] = detail
            if len(misfits) >= _BATCH:
                _mark(connection, misfits)
                misfits.clear()
    if misfits:
        _mark(connection, misfits)


def _mark(connection: Connection, misfits: dict[int, str]) -> None:
    values = {"ids": list(misfits), "details": list(misfits.values())}
    run(connection, statements.MARK_INVALID, values)
