"""A layer as it was at a moment: which states of its features were there, as SQL.

A state of a feature is there from one change set (`from_change`) to another one (`to_change`). Its
numbers are given while a transaction works and its times at the end, so a moment is a greatest
number, and the few lower ones that were committed only later. `docs/decisions/history.md` has the
reasons.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import NotFoundError
from samsyn_model.history.horizons import HORIZON, pruned_error
from samsyn_model.tables.history import SPAN

# Before its first change set a layer had what the present count is without its later changes.
_AS_OF = f"""
SELECT %(moment)s >= (SELECT created_at FROM change_sets ORDER BY id LIMIT 1) AS is_known,
    ({HORIZON}) AS begins_at, reached.*,
    ARRAY(
        SELECT change_set_id FROM layer_change_sets
        WHERE layer_id = %(layer)s AND overtaken_at IS NOT NULL
            AND tstzrange(overtaken_at, committed_at) @> %(moment)s
        ORDER BY change_set_id
    ) AS exceptions,
    CASE WHEN reached.latest IS NULL THEN coalesce(
        (SELECT feature_count - inserted + deleted FROM layer_change_sets
         WHERE layer_id = %(layer)s ORDER BY committed_at LIMIT 1),
        (SELECT sum(feature_count)::bigint FROM layer_changes WHERE layer_id = %(layer)s),
        0) END AS first_count
FROM (SELECT 1) AS always
LEFT JOIN (
    SELECT latest, committed_at, feature_count, first_id, last_id FROM layer_change_sets
    WHERE layer_id = %(layer)s AND committed_at <= %(moment)s
    ORDER BY committed_at DESC LIMIT 1
) AS reached ON true"""

COLUMNS = (
    *("layer_id", "id", "geom", "properties", "version"),
    *("created_by", "updated_by", "created_at", "updated_at"),
)
"""The columns of `layer_features` that its states at a moment have too."""

_LEAST, _GREATEST = -(2**63), 2**63 - 1
_FORMER = frozenset({"feature_versions", "former"})


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment in the history of a layer.

    The states that were there then are those made by change sets up to `latest` that are none of
    the `exceptions`, and not replaced or deleted by one of these. `values` are the values that the
    SQL of this class binds, their names beginning with `as_of_`, and `layer`.
    """

    layer_id: uuid.UUID
    moment: datetime
    latest: int
    exceptions: tuple[int, ...]
    committed_at: datetime | None
    """When the layer changed last before the moment; None: not since history began."""
    feature_count: int | None
    """How many features the layer had; None where that is not known."""
    first_id: int
    """No feature of the layer had a lesser id then."""
    last_id: int
    """No feature of the layer had a greater id then."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The values that the SQL of this class binds."""
        return {
            "layer": self.layer_id,
            "as_of": self.latest,
            "as_of_exceptions": list(self.exceptions),
            "as_of_least": min(self.exceptions, default=self.latest),
            "as_of_first_id": self.first_id,
            "as_of_last_id": self.last_id,
        }

    def present(self, table: str = "layer_features") -> str:
        """Return the condition that a row of `layer_features` was then what it is now."""
        return f"coalesce({table}.change_set, 0) <= %(as_of)s" + self._unless(
            f"{table}.change_set", is_nullable=True
        )

    def former(self, table: str = "feature_versions") -> str:
        """Return the condition that a row of `feature_versions` was there then."""
        began = f"{table}.from_change"
        return f"{self._ended_later(table)} AND {began} <= %(as_of)s{self._unless(began)}"

    def feature(self, feature_id: str) -> str:
        """Return what `features` does, of the one feature whose id the SQL `feature_id` is: for
        joins, which push no conditions down."""
        return f"""(
    SELECT {_columns("layer_features")}, coalesce(change_set, 0) AS from_change,
        NULL::bigint AS to_change
    FROM layer_features WHERE layer_id = %(layer)s AND id = {feature_id} AND {self.present()}
    UNION ALL
    SELECT {_columns("feature_versions")}, from_change, to_change
    FROM feature_versions
    WHERE layer_id = %(layer)s AND feature_id = {feature_id} AND {self.former()})"""

    def features(self) -> str:
        """Return the states that were there, as a subquery with COLUMNS, `from_change` and
        `to_change`, null for what is there still.

        For statements that find few by an index: of an id, in a box (`geom &&`), by `updated_at`.
        Conditions on these are pushed down to the indexes of both tables.
        """
        return f"""(
    SELECT {_columns("layer_features")}, coalesce(change_set, 0) AS from_change,
        NULL::bigint AS to_change
    FROM layer_features WHERE layer_id = %(layer)s AND {self.present()}
    UNION ALL
    SELECT {_columns("feature_versions")}, from_change, to_change
    FROM feature_versions WHERE layer_id = %(layer)s AND {self.former()}
        AND {SPAN} && int8range(%(as_of_least)s, %(as_of)s, '[]'))"""

    def features_in_order(self, after_id: str | None = None, limit: str | None = None) -> str:
        """Return what `features` does, in ascending order of ids where that is asked for.

        For pages in that order, and for all features. `after_id` is SQL of an id that all are
        greater than. It reads each feature of the layer between the ids that it had then, and its
        one state of the moment by a key: its cost does not grow with the number of versions.
        `limit` is SQL of how many are read at most, where nothing leaves any of them out.
        """
        bounds = "BETWEEN %(as_of_first_id)s AND %(as_of_last_id)s"
        end = "" if limit is None else f" LIMIT {limit}"
        after = "" if after_id is None else f" AND {{}} > {after_id}"
        state = f"""
        SELECT * FROM feature_versions AS former
        WHERE former.layer_id = %(layer)s AND former.feature_id = {{}} AND {self.former("former")}
        ORDER BY former.to_change LIMIT 1"""
        changed = _columns("former")
        return f"""(
    (SELECT {_columns("state", "stored.id")}, state.from_change, state.to_change
     FROM layer_features AS stored
     CROSS JOIN LATERAL (
        SELECT {_columns("stored")}, coalesce(stored.change_set, 0) AS from_change,
            NULL::bigint AS to_change
        WHERE {self.present("stored")}
        UNION ALL
        SELECT {changed}, former.from_change, former.to_change
        FROM ({state.format("stored.id")}) AS former WHERE NOT ({self.present("stored")})
     ) AS state
     WHERE stored.layer_id = %(layer)s AND stored.id {bounds}{after.format("stored.id")}
     ORDER BY stored.id{end})
    UNION ALL
    (SELECT {_columns("former", "gone.feature_id")}, former.from_change, former.to_change
     FROM feature_versions AS gone
     CROSS JOIN LATERAL ({state.format("gone.feature_id")}) AS former
     WHERE gone.layer_id = %(layer)s AND gone.was_deleted AND {self._ended_later("gone")}
        AND gone.feature_id {bounds}{after.format("gone.feature_id")}
        AND NOT EXISTS (
            SELECT FROM layer_features
            WHERE layer_features.layer_id = %(layer)s AND layer_features.id = gone.feature_id)
        AND NOT EXISTS (
            SELECT FROM feature_versions AS sooner
            WHERE sooner.layer_id = %(layer)s AND sooner.feature_id = gone.feature_id
                AND sooner.was_deleted AND sooner.to_change < gone.to_change
                AND {self._ended_later("sooner")})
     ORDER BY gone.feature_id{end}))"""

    def _ended_later(self, table: str) -> str:
        """Return the condition that a state of `feature_versions` ended after the moment, if it had
        begun."""
        later = f"{table}.to_change > %(as_of)s"
        if not self.exceptions:
            return later
        return (
            f"{table}.to_change >= %(as_of_least)s"
            f" AND ({later} OR {table}.to_change = ANY (%(as_of_exceptions)s))"
        )

    def _unless(self, column: str, *, is_nullable: bool = False) -> str:
        if not self.exceptions:
            return ""
        value = f"coalesce({column}, 0)" if is_nullable else column
        return f" AND {value} <> ALL (%(as_of_exceptions)s)"


def _columns(table: str, feature_id: str | None = None) -> str:
    """Return COLUMNS of a table; `feature_id` is the SQL of the id where a statement is sorted by
    it, in the same words: else the rows would be sorted once more."""
    if feature_id is None:
        feature_id = f"{table}.{'feature_id' if table in _FORMER else 'id'}"
    names = (f"{feature_id} AS id" if name == "id" else f"{table}.{name}" for name in COLUMNS)
    return ", ".join(names)


def as_of(connection: Connection, layer_id: uuid.UUID, moment: datetime) -> AsOf:
    """Return a moment in the history of a layer that there is, in one statement.

    `moment` has a time zone. Raises NotFoundError where history did not begin before it,
    HistoryPrunedError where what was then has been removed. What is committed later than the
    statement is never part of the moment, if that is not in the future.
    """
    values = {"layer": layer_id, "moment": moment}
    row = run(connection, _AS_OF, values).one()
    if not row.is_known:
        raise NotFoundError("There is no history of that time: it begins later.")
    if row.begins_at is not None and moment < row.begins_at:
        raise pruned_error(row.begins_at)
    has_bounds = row.feature_count is not None
    if row.latest is None:
        return AsOf(layer_id, moment, 0, (), None, row.first_count, _LEAST, _GREATEST)
    return AsOf(
        layer_id,
        moment,
        row.latest,
        tuple(row.exceptions),
        row.committed_at,
        row.feature_count,
        # an empty layer has neither
        _bound(row.first_id, has_bounds, _LEAST, _GREATEST),
        _bound(row.last_id, has_bounds, _GREATEST, _LEAST),
    )


def _bound(value: int | None, is_known: bool, unknown: int, empty: int) -> int:
    if not is_known:
        return unknown
    return empty if value is None else value
