"""Distributes the tables that grow with features over several servers, with Citus.

`docs/growing.md` describes what that is good for, and what it needs.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from samsyn_model.database.execution import run
from samsyn_model.database.revisions import is_newest
from samsyn_model.database.transactions import (
    LOCK_TIMEOUT,
    reading,
    set_in_transaction,
    writing,
)
from samsyn_model.errors import DatabaseSetupError
from samsyn_model.sharding.tables import DISTRIBUTED_TABLES, DISTRIBUTION_COLUMN

MINIMUM_CITUS = (13, 0)
SHARDS = 32
"""How many parts each table has, unless told otherwise."""
_NUMBERS = re.compile(r"\d+")
_LOCK = 7_221_540_332

_CITUS = """
SELECT default_version AS available, installed_version AS installed
FROM pg_available_extensions WHERE name = 'citus'"""

_NODES = """
SELECT nodename || ':' || nodeport AS name FROM pg_dist_node
WHERE isactive AND shouldhaveshards AND noderole = 'primary' ORDER BY name"""

_IS_COORDINATOR = "SELECT groupid = 0 FROM pg_dist_local_group"

_DISTRIBUTED = """
SELECT relname FROM pg_dist_partition JOIN pg_class ON pg_class.oid = logicalrelid
WHERE partmethod = 'h' AND relname = ANY(%(tables)s)"""

_SIZES = """
SELECT relname AS name, greatest(reltuples, 0)::bigint AS rows,
    pg_total_relation_size(oid) AS bytes
FROM pg_class WHERE oid = ANY(%(tables)s::regclass[])"""

# Those of extensions come with these. Citus finds the functions of triggers itself, but not what
# these call, nor what statements on the tables do. Workers lack the types of rows of other tables.
_DISTRIBUTE_FUNCTIONS = """
SELECT create_distributed_function(oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    AND NOT starts_with(proname, 'procrastinate_')
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
    AND NOT EXISTS (
        SELECT FROM pg_type WHERE oid = ANY (prorettype || proargtypes::oid[]) AND typrelid <> 0)
    AND NOT EXISTS (
        SELECT FROM pg_dist_object
        WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid)"""

_DISTRIBUTE_TABLE = """
SELECT create_distributed_table(
    %(table)s, %(column)s, colocate_with => %(beside)s, shard_count => %(shards)s)"""

# What was there before is in the table itself still, hidden.
_FREE_LOCAL_ROWS = "SELECT truncate_local_data_after_distributing_table(%(table)s)"


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table, with its number of rows by PostgreSQL's statistics."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is to be done, or has been: the tables that are not distributed yet, and over what."""

    version: str
    nodes: Sequence[str]
    pending: Sequence[TableSize]


def plan_distribution(engine: Engine) -> Distribution:
    """Return what `distribute` would do.

    Raises DatabaseSetupError, saying what is missing, where that is not possible.
    """
    with reading(engine) as connection:
        version = _require_citus(connection)
        if not run(connection, _IS_COORDINATOR).scalar():
            raise DatabaseSetupError(
                "DATABASE_URL leads to a worker of Citus: name the coordinator in it."
            )
    if not is_newest(engine):
        raise DatabaseSetupError("The database is not migrated: run `samsyn db upgrade` first.")
    with reading(engine) as connection:
        nodes = run(connection, _NODES).scalars()
        if not nodes:
            raise DatabaseSetupError(
                "No server of Citus takes data: add workers, each with"
                " SELECT citus_add_node('HOST', PORT)."
            )
        tables = {"tables": list(DISTRIBUTED_TABLES)}
        done = frozenset(run(connection, _DISTRIBUTED, tables).scalars())
        sizes = {row.name: TableSize(*row) for row in run(connection, _SIZES, tables)}
    pending = [sizes[name] for name in DISTRIBUTED_TABLES if name not in done]
    return Distribution(version, nodes, pending)


def distribute(
    engine: Engine, shards: int = SHARDS, tell: Callable[[str], None] = lambda _text: None
) -> Distribution:
    """Distribute the tables that are not yet, all in one transaction; `tell` is called with what is
    done.

    Those who read go on until it ends, those who write wait. Where it ends in the middle nothing
    has been done. Errors as `plan_distribution`.
    """
    distribution = plan_distribution(engine)
    if distribution.pending:
        with writing(engine) as connection:
            _distribute(connection, distribution, shards, tell)
    return distribution


def _require_citus(connection: Connection) -> str:
    found: Any = run(connection, _CITUS).one_or_none()
    if found is None:
        raise DatabaseSetupError("Citus is not installed on the database's server.")
    if found.installed is None:
        raise DatabaseSetupError(
            "The database lacks the extension citus: a superuser has to CREATE EXTENSION citus in"
            " this database, here and on each worker."
        )
    version = str(found.installed)
    if tuple(map(int, _NUMBERS.findall(version)[:2])) < MINIMUM_CITUS:
        wanted = ".".join(map(str, MINIMUM_CITUS))
        raise DatabaseSetupError(f"This is Citus {version}: SamSyn needs {wanted} or later.")
    return version


def _distribute(
    connection: Connection,
    distribution: Distribution,
    shards: int,
    tell: Callable[[str], None],
) -> None:
    set_in_transaction(connection, statement_timeout="0", lock_timeout=LOCK_TIMEOUT)
    # triggers write to what is beside them alone, and what is created is used at once
    run(connection, "SET LOCAL citus.enable_unsafe_triggers = on")
    run(connection, "SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
    run(connection, f"SELECT pg_advisory_xact_lock({_LOCK})")
    pending = [table.name for table in distribution.pending]
    run(connection, f"LOCK TABLE {', '.join(pending)} IN SHARE ROW EXCLUSIVE MODE")
    tell(f"{len(run(connection, _DISTRIBUTE_FUNCTIONS).all())} functions")
    # rows that are moved are no changes of features
    run(connection, f"ALTER TABLE {DISTRIBUTED_TABLES[0]} DISABLE TRIGGER USER")
    for table in pending:
        is_first = table == DISTRIBUTED_TABLES[0]
        values = {
            "table": table,
            "column": DISTRIBUTION_COLUMN,
            "beside": "none" if is_first else DISTRIBUTED_TABLES[0],
            "shards": shards if is_first else None,
        }
        run(connection, _DISTRIBUTE_TABLE, values)
        run(connection, _FREE_LOCAL_ROWS, values)
        tell(table)
    run(connection, f"ALTER TABLE {DISTRIBUTED_TABLES[0]} ENABLE TRIGGER USER")
