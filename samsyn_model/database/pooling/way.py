"""The way that an engine has to PostgreSQL: straight, or through a pooler, of which it finds out
itself what that keeps."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from samsyn_model.database.pooling.moves import find_moves
from samsyn_model.database.pooling.session_settings import (
    EACH_ITS_PLAN,
    SELECT_SETTINGS,
    not_in_force,
    start_up_options,
)

LOGGER = logging.getLogger(__name__)

NO_NOTIFICATIONS = (
    "DATABASE_URL leads to a pooler that passes no notifications on: %s come up to %s late."
    " Name the database itself in DIRECT_DATABASE_URL."
)
"""What is told where LISTEN would run through a pooler that moves clients: what, and how late."""
_LOOK = """
SELECT pg_backend_pid(), EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"""
_REFUSAL = "unsupported startup parameter"
# On a replica that of its last restart point: the primary's, but for moments after a promotion.
_SELECT_LINEAGE = """
SELECT system_identifier, oid, CASE WHEN pg_is_in_recovery()
    THEN (SELECT lpad(to_hex(timeline_id), 8, '0') FROM pg_control_checkpoint())
    ELSE lower(left(pg_walfile_name(pg_current_wal_lsn()), 8)) END
FROM pg_control_system(), pg_database WHERE datname = current_database()"""

type Parameters = dict[str, Any]


class Way:
    """What an engine knows of its way; thread-safe.

    Until the first connection it is taken for a straight one.
    """

    def __init__(
        self, settings: Mapping[str, str], *, prepares: bool, sends_options: bool = True
    ) -> None:
        """`settings` are what sessions should begin with."""
        self.settings = dict(settings)
        self._sends_options = sends_options
        self._is_known = False
        self._lock = threading.Lock()
        self._wants_plans = prepares
        self.prepares = prepares
        """Whether statements are prepared."""
        self.is_pooled = False
        """Whether there is a pooler."""
        self.moves = False
        """Whether that gives a connection for a transaction, not for a session: no notifications
        come."""
        self.missing: tuple[str, ...] = ()
        """The names of settings that are not in force."""
        self.lineage = ""
        """Which history of the database this is: another one after a backup has been restored, in
        which versions of layers may come again. Empty where the role may not ask."""
        self.is_distributed = False
        """Whether tables may be distributed over several servers, by Citus."""

    @property
    def wanted(self) -> dict[str, str]:
        """The settings that should be in force; where nothing is prepared, plans do not matter."""
        return {
            name: value
            for name, value in self.settings.items()
            if self._wants_plans or name != "plan_cache_mode"
        }

    @property
    def begin(self) -> str:
        """The text that begins a transaction: what triggers do depends on the layer, so that no
        plan suits all."""
        parts = ["BEGIN"]
        if self._wants_plans or self.is_pooled:
            parts.append("SET LOCAL plan_cache_mode = auto")
        if "statement_timeout" in self.missing:
            parts.append(f"SET LOCAL statement_timeout = {self.settings['statement_timeout']}")
        return "; ".join(parts)

    def connect[C: psycopg.Connection[Any]](
        self, make: Callable[[Parameters], C], parameters: Parameters
    ) -> C:
        """Return a new connection that `make` makes; look what is between. Raises its errors."""
        connection = self._make(make, parameters)
        if self._is_known and not self.is_pooled:
            return connection
        try:
            with self._lock:
                self._look(connection, lambda: self._make(make, parameters))
        except BaseException:
            connection.close()
            raise
        return connection

    def lose_prepared(self) -> None:
        """Prepare nothing any more: a pooler has turned out not to keep it."""
        if self.prepares:
            self.prepares = False
            LOGGER.error("The pooler of the database does not keep prepared statements: none is.")

    def _make[C](self, make: Callable[[Parameters], C], parameters: Parameters) -> C:
        if self._sends_options:
            options = {"options": start_up_options(self.settings)}
            try:
                return make({**parameters, **options})
            except psycopg.OperationalError as error:
                if _REFUSAL not in str(error):
                    raise
                self._sends_options = False
        return make(parameters)

    def _look[C: psycopg.Connection[Any]](self, first: C, connect: Callable[[], C]) -> None:
        first.autocommit = True
        row = first.execute(_LOOK).fetchone()
        self.is_pooled = row is not None and row[0] != first.pgconn.backend_pid
        self.is_distributed = row is not None and row[1]
        if self.is_distributed and self.settings["plan_cache_mode"] != EACH_ITS_PLAN:
            # which server a statement is for depends on its values
            self.settings["plan_cache_mode"] = EACH_ITS_PLAN
            if not self.is_pooled:
                first.execute(f"SET plan_cache_mode = {EACH_ITS_PLAN}")
        if self.is_pooled or not self._sends_options:
            wanted = self.wanted
            found = dict(first.execute(SELECT_SETTINGS, {"names": [*wanted]}).fetchall())
            self.missing = not_in_force(wanted, found)
        if not self._is_known:
            self.lineage = _lineage(first)
        if self.is_pooled and not self._is_known:
            self.moves, keeps_prepared = find_moves(first, connect)
            self.prepares = self.prepares and keeps_prepared
            self._tell()
        self._is_known = True

    def _tell(self) -> None:
        how = "for a transaction each" if self.moves else "for a session each"
        prepared = "are prepared" if self.prepares else "are not prepared"
        missing = f"; not in force: {', '.join(self.missing)}" if self.missing else ""
        LOGGER.warning(
            "The database is behind a pooler that gives connections %s; statements %s%s.",
            *(how, prepared, missing),
        )


def _lineage(connection: psycopg.Connection[Any]) -> str:
    try:
        row = connection.execute(_SELECT_LINEAGE).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return ".".join(map(str, row or ()))
