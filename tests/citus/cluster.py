"""Distributed databases on a Citus cluster: that of CITUS_DATABASE_URL, the URL of a superuser of
its coordinator, in whose database the workers have been added."""

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, make_url

from samsyn_model.database.migrations import upgrade
from samsyn_model.sharding.distribution import distribute
from tests.model.scratch import address, scratch_engine, superuser

_NODES = """
SELECT nodename AS host, nodeport AS port, groupid = 0 AS is_coordinator FROM pg_dist_node
WHERE isactive ORDER BY groupid"""
_WRITE = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|COPY) layer_features\b")
_SHARDS = 4  # of each table: emptying them after each test takes as long as there are many


def require_cluster(url: str | None) -> str:
    """Return the URL of the cluster; skip the test where there is none."""
    if not url:
        pytest.skip("no CITUS_DATABASE_URL: a superuser's URL of a coordinator with workers")
    return url


@contextmanager
def citus_database(coordinator: str, *, is_migrated: bool = False) -> Iterator[str]:
    """Make a database on all servers of a cluster, migrate it if it is to be so before it gets
    Citus, as one that grows is; yield its URL, drop it."""
    name = f"samsyn_test_{uuid.uuid4().hex[:12]}"
    with superuser(coordinator) as connection:
        nodes = connection.exec_driver_sql(_NODES).all()
    own = make_url(coordinator)
    servers = [coordinator] + [
        own.set(host=node.host, port=node.port).render_as_string(hide_password=False)
        for node in nodes
        if not node.is_coordinator
    ]
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(_node_database(server, name))
        url = address(coordinator, database=name)
        if is_migrated:
            with scratch_engine(url) as engine:
                upgrade(engine)
        for server in servers:
            with superuser(address(server, database=name)) as connection:
                connection.exec_driver_sql("CREATE EXTENSION citus")
        with superuser(url) as connection:
            connection.exec_driver_sql(
                "SELECT citus_set_coordinator_host(%(host)s, %(port)s)",
                {"host": own.host, "port": own.port or 5432},
            )
            for node in nodes:
                if not node.is_coordinator:
                    connection.exec_driver_sql(
                        "SELECT citus_add_node(%(host)s, %(port)s)",
                        {"host": node.host, "port": node.port},
                    )
        yield url


@contextmanager
def distributed_database(coordinator: str) -> Iterator[str]:
    """Make a migrated and distributed database on a cluster; yield its URL, drop it."""
    with (
        citus_database(coordinator, is_migrated=True) as url,
        scratch_engine(url) as engine,
    ):
        distribute(engine, _SHARDS)
        yield url


def begin_as_programs_do(engine: Engine) -> None:
    """Have transactions in which tests write features by SQL of their own begin as they have to on
    a distributed database. What programs send is left alone."""

    @event.listens_for(engine, "before_cursor_execute")
    def begin_writing(*arguments: Any) -> None:
        _, cursor, statement, *_ = arguments
        if _WRITE.search(statement):
            cursor.connection.execute("SELECT begin_writing(id) FROM layers")


@contextmanager
def _node_database(server: str, name: str) -> Iterator[None]:
    with superuser(server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        yield
    finally:
        with superuser(server) as connection:
            _drop(connection, name)


def _drop(connection: Connection, name: str) -> None:
    connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
