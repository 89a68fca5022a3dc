"""The migrations: there and back, twice, at once, in the way, and in databases that lack much."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, Engine, text

from samsyn_model.database import migrations
from samsyn_model.database.migrations import downgrade, drift, drift_of_fresh_database, upgrade
from samsyn_model.database.revisions import current_revision, newest_revision
from samsyn_model.database.transactions import reading
from samsyn_model.errors import DatabaseSetupError, DatabaseUnavailableError
from samsyn_model.tables.metadata import metadata
from tests.model.scratch import (
    address,
    scratch_database,
    scratch_engine,
    scratch_role,
    superuser,
)
from tests.model.waiting import wait_for_lock

OURS = """
SELECT kind || ' ' || name FROM (
    SELECT oid, 'pg_class'::regclass AS catalog, 'table' AS kind, relname AS name FROM pg_class
    WHERE relkind IN ('r', 'p', 'S', 'v', 'm') AND relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT oid, 'pg_proc'::regclass, 'function', proname FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT oid, 'pg_trigger'::regclass, 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT oid, 'pg_namespace'::regclass, 'schema', nspname FROM pg_namespace
    WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\\_%%'
) AS present
WHERE NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = catalog AND objid = present.oid AND deptype = 'e')
ORDER BY 1"""

CONVENTION = {
    "p": r"pk_{table}",
    "f": r"fk_{table}_{columns}",
    "u": r"uq_{table}_{columns}",
    "c": r"ck_{table}_\w+",
}


@pytest.fixture
def database(server_url: str) -> Iterator[Engine]:
    """An empty database of the test's own."""
    with scratch_database(server_url) as url, scratch_engine(url) as engine:
        yield engine


def ours(engine: Engine) -> list[str]:
    """Return what is in the database that no extension brought."""
    with reading(engine) as connection:
        return list(connection.exec_driver_sql(OURS, {}).scalars())


def revision(engine: Engine) -> str | None:
    with reading(engine) as connection:
        return current_revision(connection)


def test_there_and_back_and_there_again(database: Engine) -> None:
    assert revision(database) is None
    upgrade(database)
    assert revision(database) == newest_revision()
    migrated = ours(database)
    assert {f"table {name}" for name in metadata.tables} < set(migrated)
    assert {"function fold_layer_changes", "trigger delete_layer_features"} < set(migrated)
    upgrade(database)
    assert ours(database) == migrated
    downgrade(database, "base")
    assert revision(database) is None
    assert ours(database) == ["table alembic_version"]
    upgrade(database)
    assert ours(database) == migrated


def test_two_at_once_both_succeed(database: Engine) -> None:
    with ThreadPoolExecutor(4) as threads:
        for upgrading in [threads.submit(upgrade, database) for _ in range(4)]:
            upgrading.result()
    assert revision(database) == newest_revision()


def test_two_processes_at_once_both_succeed(database: Engine) -> None:
    url = database.url.render_as_string(hide_password=False)
    program = (
        "import sys; from samsyn_model.database.engine import open_engine;"
        " from samsyn_model.database.migrations import upgrade; upgrade(open_engine(sys.argv[1]))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, url]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert revision(database) == newest_revision()


def test_a_failure_changes_nothing(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE layer_changes (mine text)"))
    before = ours(database)
    with pytest.raises(Exception, match="layer_changes"):
        upgrade(database)
    assert ours(database) == before
    assert revision(database) is None


def test_the_migrations_make_the_tables_of_the_code(server_url: str) -> None:
    assert drift_of_fresh_database(server_url) == []
    with superuser(server_url) as connection:
        left = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_database WHERE starts_with(datname, 'samsyn_drift_')"
        ).scalar_one()
    assert left == 0


@pytest.mark.parametrize(
    ("alteration", "reported"),
    [
        ("ALTER TABLE layers DROP COLUMN category", ["- column layers.category"]),
        ("ALTER TABLE layers ADD COLUMN extra text", ["+ column layers.extra"]),
        ("ALTER TABLE layers ALTER name TYPE text", ["- column layers.name", "+ column layers"]),
        ("ALTER TABLE layers ALTER name DROP NOT NULL", ["- column layers.name", "NOT NULL"]),
        ("ALTER TABLE layers ALTER editable SET DEFAULT 'everyone'", ["DEFAULT 'everyone'"]),
        ("ALTER TABLE layers ALTER created_at DROP DEFAULT", ["- column layers.created_at"]),
        ("ALTER TABLE layer_features ALTER id DROP IDENTITY", ["- column layer_features.id"]),
        ("ALTER TABLE comments ALTER position TYPE geometry", ["geometry(Point,4326)"]),
        ("DROP TABLE webhook_events", ["- column webhook_events.svix_id"]),
        ("CREATE TABLE extra (id int)", ["+ column extra.id"]),
        ("DROP INDEX ix_layer_features_layer_id_geom", ["- index", "USING gist (layer_id, geom)"]),
        ("DROP INDEX ix_layers_open", ["- index", "is_global OR"]),
        (
            "DROP INDEX uq_users_email_live;"
            " CREATE UNIQUE INDEX uq_users_email_live ON users (lower(email))",
            ["- index CREATE UNIQUE INDEX uq_users_email_live", "+ index"],
        ),
        ("CREATE INDEX ix_extra ON layers (name)", ["+ index CREATE INDEX ix_extra"]),
        ("ALTER TABLE layers DROP CONSTRAINT ck_layers_editable", ["- constraint layers.ck_"]),
        ("ALTER TABLE layers ADD CONSTRAINT ck_x CHECK (name <> 'x')", ["+ constraint layers.ck_"]),
        ("ALTER TABLE maps DROP CONSTRAINT fk_maps_created_by", ["- constraint maps.fk_"]),
        (
            "ALTER TABLE map_layers DROP CONSTRAINT fk_map_layers_layer_id,"
            " ADD CONSTRAINT fk_map_layers_layer_id FOREIGN KEY (layer_id) REFERENCES layers",
            ["ON DELETE CASCADE"],
        ),
        (
            "ALTER TABLE map_layers ALTER CONSTRAINT fk_map_layers_layer_id DEFERRABLE",
            ["+ constraint map_layers.fk_map_layers_layer_id", "DEFERRABLE"],
        ),
        ("ALTER TABLE map_layers DROP CONSTRAINT uq_map_layers_map_id_order", ["- constraint"]),
    ],
)
def test_drift_is_seen(connection: Connection, alteration: str, reported: list[str]) -> None:
    assert drift(connection) == []
    connection.execute(text(alteration))
    lines = "\n".join(drift(connection))
    for fragment in reported:
        assert fragment in lines
    schemas = "SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, 'samsyn_drift')"
    assert connection.execute(text(schemas)).scalar_one() == 0


def test_constraints_are_named_by_the_convention(connection: Connection) -> None:
    constraints = connection.execute(
        text(
            "SELECT relname, conname, contype::text,"
            " (SELECT string_agg(attname, '_' ORDER BY array_position(conkey, attnum))"
            "  FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey)) AS columns"
            " FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid"
            " WHERE relnamespace = 'public'::regnamespace"
            " AND relname NOT IN ('spatial_ref_sys', 'alembic_version') AND contype <> 't'"
            " AND NOT starts_with(relname, 'procrastinate_')"
        )
    ).all()
    assert {row.contype for row in constraints} == set(CONVENTION)
    for row in constraints:
        form = CONVENTION[row.contype].format(table=row.relname, columns=row.columns)
        assert re.fullmatch(form, row.conname), row
    indexes = connection.execute(
        text(
            "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'public'"
            " AND tablename NOT IN ('spatial_ref_sys', 'alembic_version')"
            " AND NOT starts_with(tablename, 'procrastinate_')"
        )
    ).all()
    for row in indexes:
        assert re.match(rf"(pk|uq|ix)_{row.tablename}", row.indexname), row


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_a_lock_held_elsewhere_ends_a_migration(
    database: Engine, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrations.LOCK_TIMEOUT == "10s"
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "1s")
    upgrade(database)
    if direction == "upgrade":  # back to a base that another transaction has a table of
        downgrade(database, "base")
        locked, migrate = "alembic_version", lambda: upgrade(database)
    else:
        locked, migrate = "layers", lambda: downgrade(database, "base")
    before = ours(database)
    with database.connect() as busy:
        busy.execute(text(f"LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailableError, match="stands in the way"):
            migrate()
        assert 0.9 < time.monotonic() - began < 5
    assert ours(database) == before
    migrate()
    assert ours(database) != before


def test_a_second_migration_waits_longer_than_for_a_lock(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "100ms")
    with ThreadPoolExecutor(1) as threads, database.connect() as first:
        first.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migrations._ADVISORY_LOCK})")
        second = threads.submit(upgrade, database)
        wait_for_lock(database, "SELECT pg_advisory_xact_lock")
        time.sleep(0.3)
        assert not second.done()
        first.rollback()
        second.result()
    assert revision(database) == newest_revision()


@pytest.mark.parametrize("direction", [upgrade, downgrade])
def test_an_unknown_revision_is_told(
    database: Engine, direction: Callable[[Engine, str], None]
) -> None:
    upgrade(database)
    with pytest.raises(DatabaseSetupError, match="'nowhere'"):
        direction(database, "nowhere")


def test_a_database_newer_than_the_code_is_told(database: Engine) -> None:
    upgrade(database)
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseSetupError, match="'9999'"):
        upgrade(database)


def test_a_user_without_rights_is_told_the_extension(server_url: str) -> None:
    with ExitStack() as stack:
        role = stack.enter_context(scratch_role(server_url))
        url = stack.enter_context(scratch_database(server_url, f"OWNER {role}"))
        engine = stack.enter_context(scratch_engine(address(url, username=role, password=role)))
        with pytest.raises(DatabaseSetupError, match="CREATE EXTENSION postgis"):
            upgrade(engine)
        assert ours(engine) == []
        with superuser(url) as connection:
            connection.exec_driver_sql("CREATE EXTENSION postgis")
        upgrade(engine)  # the others are trusted: the owner may create them
        assert revision(engine) == newest_revision()


def test_a_user_who_owns_nothing_is_told(server_url: str) -> None:
    with ExitStack() as stack:
        role = stack.enter_context(scratch_role(server_url))
        url = stack.enter_context(scratch_database(server_url))
        engine = stack.enter_context(scratch_engine(address(url, username=role, password=role)))
        with superuser(url) as connection:
            for extension in ("postgis", "btree_gist", "pg_trgm"):
                connection.exec_driver_sql(f"CREATE EXTENSION {extension}")
        with pytest.raises(DatabaseSetupError, match="has to own the database"):
            upgrade(engine)


def test_a_user_who_may_not_create_databases_is_told(server_url: str) -> None:
    with (
        scratch_role(server_url) as role,
        pytest.raises(DatabaseSetupError, match="CREATEDB"),
    ):
        drift_of_fresh_database(address(server_url, username=role, password=role))


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_name_is_refused(server_url: str, encoding: str) -> None:
    with (
        scratch_database(server_url, f"ENCODING '{encoding}' LOCALE 'C'") as url,
        scratch_engine(url) as engine,
        pytest.raises(DatabaseSetupError, match=f"{encoding}.*UTF8"),
    ):
        upgrade(engine)


def test_stored_rings_are_oriented_and_features_stay_as_they_are(database: Engine) -> None:
    upgrade(database, "0006")
    kept = "id, properties, version, created_at, updated_at"
    clockwise = "POLYGON((0 0, 0 1, 1 1, 1 0, 0 0), (.1 .1, .2 .1, .2 .2, .1 .1))"
    with database.begin() as connection:
        layer = connection.execute(
            text(
                "WITH owner AS (INSERT INTO users DEFAULT VALUES RETURNING id)"
                " INSERT INTO layers (name, source_type, created_by)"
                " SELECT 'a', 'vector', id FROM owner RETURNING id"
            )
        ).scalar_one()
        lines = "LINESTRING(0 0, 1 1), POLYGON((0 0, 0 1, 1 1, 0 0))"
        for wkt in (clockwise, "LINESTRING(1 2, 0 0)", f"GEOMETRYCOLLECTION({lines})", None):
            connection.execute(
                text(
                    "INSERT INTO layer_features (layer_id, geom)"
                    " VALUES (:layer, ST_GeomFromText(:wkt, 4326))"
                ),
                {"layer": layer, "wkt": wkt},
            )
        before = connection.execute(text(f"SELECT {kept} FROM layer_features ORDER BY id")).all()
        changes = connection.execute(text("SELECT sum(changes) FROM layer_changes")).scalar_one()
    upgrade(database)
    with database.begin() as connection:
        after = connection.execute(text(f"SELECT {kept} FROM layer_features ORDER BY id")).all()
        oriented = connection.execute(
            text(
                "SELECT ST_IsPolygonCCW(geom), ST_Area(geom), ST_AsText(geom)"
                " FROM layer_features WHERE geom IS NOT NULL ORDER BY id"
            )
        ).all()
        still = connection.execute(text("SELECT sum(changes) FROM layer_changes")).scalar_one()
        connection.execute(text("UPDATE layer_features SET properties = '{\"a\": 1}'"))
        versions = connection.execute(text("SELECT version FROM layer_features")).scalars().all()
    assert after == before
    assert still == changes
    assert [row[0] for row in oriented] == [True, True, True]
    assert oriented[0][1] == pytest.approx(0.995)
    assert oriented[1][2] == "LINESTRING(1 2,0 0)"
    assert oriented[2][2] == ("GEOMETRYCOLLECTION(LINESTRING(0 0,1 1),POLYGON((0 0,1 1,0 1,0 0)))")
    assert versions == [2, 2, 2, 2]


def test_comments_of_before_are_about_the_versions_of_their_time(database: Engine) -> None:
    upgrade(database, "0018")
    with database.begin() as connection:
        layer, author = connection.execute(
            text(
                "WITH owner AS (INSERT INTO users DEFAULT VALUES RETURNING id)"
                " INSERT INTO layers (name, source_type, created_by)"
                " SELECT 'a', 'vector', id FROM owner RETURNING id, created_by"
            )
        ).one()
    values = {"layer": layer, "author": author}
    comment = (
        "INSERT INTO comments (layer_id, feature_id, author_id, content, created_at)"
        " SELECT layer_id, id, :author, '{}', {} FROM layer_features"
    )
    for statement in (
        "INSERT INTO layer_features (layer_id, properties) VALUES (:layer, '{\"a\": 1}')",
        comment.format("unknown", "'2000-01-01Z'::timestamptz"),
        comment.format("first", "clock_timestamp()"),
        "UPDATE layer_features SET properties = '{\"a\": 2}' WHERE layer_id = :layer",
        comment.format("second", "clock_timestamp()"),
        "INSERT INTO comments (layer_id, author_id, content) VALUES (:layer, :author, 'layer')",
    ):
        with database.begin() as connection:
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement.replace('"a": ', '"a"\\: ')), used)
    with database.begin() as connection:
        kept = "SELECT content, updated_at FROM comments ORDER BY created_at"
        before = connection.execute(text(kept)).all()
    upgrade(database)
    with database.begin() as connection:
        assert connection.execute(text(kept)).all() == before
        found = connection.execute(
            text(
                "SELECT content, target ->> 'state' AS state, target ->> 'version' AS version"
                " FROM comments CROSS JOIN LATERAL"
                " comment_target(layer_id, feature_id, feature_change, false) AS target"
            )
        )
        assert {row.content: (row.state, row.version) for row in found} == {
            "unknown": ("current", None),
            "first": ("changed", "1"),
            "second": ("current", "2"),
            "layer": ("current", None),
        }
        numbers = connection.execute(text("SELECT number FROM comments")).scalars()
        assert sorted(numbers) == [1, 2, 3, 4]
        connection.execute(text("DELETE FROM layers"))
    downgrade(database, "0018")
    with database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM comments")).scalar_one() == 0
