"""Which server requests read on, and that nobody is told what is older than they know."""

import re
import time
import uuid
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.serving.reading_servers import respond
from samsyn_model.database.engine import database_url, open_engine
from samsyn_model.database.execution import run, run_together
from samsyn_model.database.transactions import concern, reading, writing
from samsyn_model.errors import SamsynError
from samsyn_model.identity import api_tokens
from samsyn_model.origin import coming_by
from samsyn_model.replicas.reads import Reads
from samsyn_model.replicas.replica import open_replica
from samsyn_model.replicas.shared_moments import PENDING
from samsyn_model.replicas.writes import Writes
from samsyn_model.settings import Settings
from tests.faults.database_server import DatabaseServer, wait_until
from tests.model.tables.features import insert
from tests.replicas.people import POINT, Person, items_of, person
from tests.replicas.standby import Standby

WRITERS = 20
ENDS_BY = """
CREATE TEMPORARY TABLE one (number int);
CREATE FUNCTION pg_temp.end_it() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN {} RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER ending AFTER INSERT ON one DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.end_it();
INSERT INTO one VALUES (1); SELECT 1"""
"""A transaction whose commit does something else first."""
_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?(\w+)>")


@pytest.fixture
def owner(app: Flask, engine: Engine, reads: Reads) -> Person:
    return person(app, engine)


@pytest.fixture
def other(app: Flask, engine: Engine) -> Person:
    return person(app, engine)


@pytest.fixture
def anonymous(app: Flask) -> Person:
    return Person(app)


def settle(reads: Reads, standby: Standby) -> None:
    """Wait until the replica has everything, and the app knows."""
    moment = time.monotonic_ns()
    standby.catch_up()

    def is_known() -> bool:
        progress = reads.replica.progress()
        return progress is not None and progress.fresh_until > moment

    wait_until(is_known, 20, "the app knows that the replica has everything")


def insert_unnoted(primary: DatabaseServer, layer: str) -> str:
    """Insert a feature as somebody at `psql`; return its path."""
    engine = open_engine(primary.url)
    with engine.begin() as connection:
        (key,) = insert(connection, uuid.UUID(layer), 1)
    engine.dispose()
    return f"{items_of(layer)}/{key}"


def number_of(who: Person, layer: str) -> int:
    return int(who.done(who.get(items_of(layer))).json["numberMatched"])


def test_who_has_not_written_reads_on_the_replica(
    owner: Person, anonymous: Person, reads: Reads, standby: Standby
) -> None:
    layer = owner.layer(visibility="public")
    owner.insert(layer, a=1)
    settle(reads, standby)
    for who in (owner, anonymous):
        for path in (
            *(items_of(layer), f"{items_of(layer)}?f=csv", f"{items_of(layer)}?f=geojson"),
            *(f"/ogc/collections/{layer}", f"/api/v1/layers/{layer}"),
            f"/ogc/collections/{layer}/tiles/WebMercatorQuad/3/2/4",
        ):
            before = standby.mentions(layer)
            assert who.get(path).status_code == 200, path
            assert standby.mentions(layer) > before, path


def test_writers_read_what_they_wrote_from_a_replica_that_is_behind(
    app: Flask, engine: Engine, reads: Reads, standby: Standby, anonymous: Person
) -> None:
    calm = person(app, engine)
    calm_layer = calm.layer(visibility="public")
    people = [person(app, engine) for _ in range(WRITERS)]
    layers = [one.layer(visibility="public") for one in people]
    settle(reads, standby)
    is_over = Event()

    def write(number: int) -> list[str]:
        own, layer = people[number], layers[number]
        wrong = []
        for count in range(1, 6):
            path = own.insert(layer, number=count)
            own.done(own.send("PATCH", f"/api/v1/layers/{layer}", {"name": f"Zones {count}"}))
            listed = own.done(own.get("/api/v1/layers?mine=true")).json
            told = (
                number_of(own, layer),
                own.done(own.get(path)).json["properties"]["number"],
                own.done(own.get(f"/api/v1/layers/{layer}")).json["name"],
                next(one["name"] for one in listed if one["id"] == layer),
                number_of(anonymous, layer),
            )
            if told != (count, count, f"Zones {count}", f"Zones {count}", count):
                wrong.append(f"{told} instead of {count}")
        return wrong

    def read(number: int) -> list[str]:
        """Look at others' layers: what is read never becomes less."""
        wrong, seen = [], 0
        while not is_over.is_set():
            found = number_of(anonymous, layers[number])
            if found < seen:
                wrong.append(f"{found} after {seen}")
            seen = found
            number_of(anonymous, calm_layer)
        return wrong

    before = standby.mentions(calm_layer)
    with standby.delayed(400), ThreadPoolExecutor(WRITERS + 2) as pool:
        readers = [pool.submit(read, number) for number in range(2)]
        try:
            wrong = [line for lines in pool.map(write, range(WRITERS)) for line in lines]
            assert reads.replica.progress() is not None
        finally:
            is_over.set()
        wrong += [line for one in readers for line in one.result()]
    assert wrong == []
    assert standby.mentions(calm_layer) > before


def test_nobody_is_told_less_while_what_they_have_seen_is_not_noted_yet(
    owner: Person,
    anonymous: Person,
    reads: Reads,
    standby: Standby,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = owner.layer(visibility="public")
    owner.insert(layer, a=1)
    settle(reads, standby)
    is_committed, may_end, end = Event(), Event(), Writes.end

    def end_later(writes: Writes, commit: str, ids: Collection[uuid.UUID], position: int) -> None:
        is_committed.set()
        assert may_end.wait(30)
        end(writes, commit, ids, position)

    monkeypatch.setattr(Writes, "end", end_later)
    with standby.paused(), ThreadPoolExecutor(1) as pool:
        writer = pool.submit(owner.insert, layer, a=2)
        try:
            assert is_committed.wait(10)
            for who in (owner, anonymous):
                assert number_of(who, layer) == 2
        finally:
            may_end.set()
        writer.result()
        assert number_of(anonymous, layer) == 2
        assert reads.replica.progress() is not None


@pytest.mark.parametrize(
    ("at_the_end", "is_pending"),
    [("PERFORM 1 / 0;", False), ("PERFORM pg_terminate_backend(pg_backend_pid());", True)],
)
def test_a_commit_of_which_nobody_knows_is_pending_for_a_while(
    engine: Engine, reads: Reads, standby: Standby, at_the_end: str, *, is_pending: bool
) -> None:
    user_id = uuid.uuid4()
    settle(reads, standby)
    with (
        suppress(SamsynError, psycopg.Error),
        coming_by("web", user_id),
        writing(engine) as connection,
    ):
        run_together(connection, ENDS_BY.format(at_the_end))
    settle(reads, standby)
    progress = reads.replica.progress()
    assert progress is not None
    assert reads.writes.are_replayed([user_id], progress) is not is_pending
    reads.writes._moments._begun[user_id.int % (1 << 16)] -= PENDING * 10**9
    assert reads.writes.are_replayed([user_id], progress)


def test_credentials_and_rights_end_and_begin_at_once(
    owner: Person, other: Person, anonymous: Person, reads: Reads, standby: Standby
) -> None:
    layer = owner.layer(visibility="public")
    map_id = owner.map(layer)
    collaborators = f"/api/v1/maps/{map_id}/collaborators"
    owner.done(owner.send("POST", collaborators, {"user_id": str(other.id)}))
    settle(reads, standby)
    assert other.get(f"/api/v1/maps/{map_id}").status_code == 200
    with standby.paused():
        made = owner.done(owner.send("POST", "/api/v1/tokens", {"name": "new"})).json
        new = Person(owner.app, owner.id, made["token"])
        assert new.get(f"/api/v1/maps/{map_id}").status_code == 200
        owner.done(owner.send("DELETE", f"/api/v1/tokens/{made['id']}"))
        assert new.get(items_of(layer)).status_code == 401
        assert anonymous.get(items_of(layer)).status_code == 200
        owner.done(owner.send("PATCH", f"/api/v1/layers/{layer}", {"visibility": "private"}))
        assert anonymous.get(items_of(layer)).status_code == 404
        owner.done(owner.send("DELETE", f"{collaborators}/{other.id}"))
        assert other.get(f"/api/v1/maps/{map_id}").status_code == 404
        assert map_id not in other.done(other.get("/api/v1/maps")).text
        comments = f"/api/v1/comments?layer_id={layer}"
        assert anonymous.get(comments).status_code == 404
        assert reads.replica.progress() is not None


def test_what_the_replica_does_not_know_is_looked_up_on_the_primary(
    owner: Person, anonymous: Person, primary: DatabaseServer, reads: Reads, standby: Standby
) -> None:
    layer = owner.layer(visibility="public")
    settle(reads, standby)
    with standby.paused():
        path = insert_unnoted(primary, layer)
        assert number_of(anonymous, layer) == 0  # it may be behind
        assert anonymous.get(path).status_code == 200
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        past = anonymous.done(anonymous.get(f"{items_of(layer)}?datetime={now}")).json
        assert past["numberReturned"] == 1
        assert anonymous.get(f"{path}/versions").status_code == 200
        assert reads.replica.progress() is not None
    settle(reads, standby)
    assert number_of(anonymous, layer) == 1


def test_a_replica_that_is_too_far_behind_is_not_read(
    owner: Person, anonymous: Person, primary: DatabaseServer, reads: Reads, standby: Standby
) -> None:
    layer = owner.layer(visibility="public")
    settle(reads, standby)
    with standby.paused():
        begun = time.monotonic()
        insert_unnoted(primary, layer)
        wait_until(lambda: number_of(anonymous, layer) == 1, 10, "the primary is read")
        assert time.monotonic() - begun < reads.replica.max_lag + 2
        health = anonymous.done(anonymous.get("/api/health")).json
        assert (health["status"], health["replica"]["status"]) == ("ok", "not read")
        assert health["replica"]["lag"] >= reads.replica.max_lag - 1
        assert "behind" in health["replica"]["reason"]
    settle(reads, standby)
    health = anonymous.done(anonymous.get("/api/health")).json
    assert health["replica"]["status"] == "read"
    before = standby.mentions(layer)
    assert number_of(anonymous, layer) == 1
    assert standby.mentions(layer) > before


def test_what_is_no_replica_of_the_database_is_not_read(
    primary: DatabaseServer, standby: Standby
) -> None:
    engine = open_engine(primary.url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE staging TEMPLATE template0")
        connection.exec_driver_sql("CREATE ROLE stranger LOGIN")
    engine.dispose()
    standby.catch_up()
    addresses = {
        "is that of another database": database_url(standby.plain_url).set(database="staging"),
        "may not be read by the role": database_url(standby.plain_url).set(username="stranger"),
        "is no replica": database_url(primary.url),
    }
    for reason, address in addresses.items():
        url = address.render_as_string(hide_password=False)
        settings = Settings(_env_file=None, read_database_url=url)
        replica = open_replica(primary.url, settings)
        assert replica is not None
        replica.watch()
        wait_until(lambda: reason in str(replica.state().reason), 20, reason)  # noqa: B023
        assert replica.progress() is None
        replica.close()


def test_a_statement_that_stood_in_the_way_of_the_replay_runs_on_the_primary(
    engine: Engine, primary: DatabaseServer, reads: Reads
) -> None:
    asked = []

    def view() -> bool:
        with reading(engine) as connection:
            seconds = "CASE WHEN pg_is_in_recovery() THEN 10 ELSE 0 END"
            asked.append(1)
            columns = f"pg_is_in_recovery(), pg_sleep({seconds}), (SELECT count(*) FROM layers)"
            return bool(run(connection, f"SELECT {columns}").one()[0])

    plain = open_engine(primary.url)
    with ThreadPoolExecutor(1) as pool:

        def request() -> bool:
            reads.begin(None, ())
            try:
                return respond(view)
            finally:
                reads.end()

        answer = pool.submit(request)
        wait_until(lambda: asked, 10, "the statement runs")
        time.sleep(0.3)
        with plain.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE layers IN ACCESS EXCLUSIVE MODE")
        assert answer.result(8) is False
    plain.dispose()
    assert len(asked) == 2
    assert reads.replica.progress() is not None  # which has not failed


def test_conditions_are_checked_on_the_primary(
    owner: Person, reads: Reads, standby: Standby
) -> None:
    layer = owner.layer(visibility="public")
    path = owner.insert(layer, a=1)
    settle(reads, standby)
    tag = owner.get(path).headers["ETag"]
    changed = {"type": "Feature", "geometry": POINT, "properties": {"a": 2}}
    kind = "application/geo+json"
    with standby.paused():
        owner.done(owner.send("PUT", path, changed, Content_Type=kind, If_Match=tag))
        late = owner.send("PUT", path, changed, Content_Type=kind, If_Match=tag)
        assert late.status_code == 412
        assert owner.get(path, If_None_Match=tag).status_code == 200


def test_no_route_that_reads_writes_on_the_replica(
    app: Flask, owner: Person, reads: Reads, standby: Standby
) -> None:
    layer = owner.layer(visibility="public")
    feature = owner.insert(layer, a=1).rsplit("/", 1)[1]
    ids = {
        **{"collection_id": layer, "layer_id": layer, "map_id": owner.map(layer)},
        **{"feature_id": feature, "user_id": owner.id, "tile_matrix_set_id": "WebMercatorQuad"},
        **{"tile_matrix": 3, "tile_row": 2, "tile_col": 4, "zoom": 3, "column": 4, "row": 2},
    }
    settle(reads, standby)
    rules = [rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    paths = {_ARGUMENT.sub(lambda found: str(ids.get(found[1], layer)), rule) for rule in rules}
    assert len(paths) > 60
    faults = []
    for path in sorted(paths - {"/api/health", "/api/openapi.json", "/ogc/api"}):
        for who in (owner, Person(app)):
            response = who.get(path)
            # others, such as events, are for what is not beside this app
            status = response.status_code
            if status == 500 or (status > 500 and "atabase" in response.text):
                faults.append(f"{path}: {response.status_code} {response.text[:200]}")
            response.close()
    assert faults == []
    assert standby.mentions(layer) > 20
    for refusal in ("a read-only transaction", "relations during recovery"):
        assert standby.mentions(refusal) == 0


def test_a_user_whom_a_request_has_made_reads_the_primary(
    engine: Engine, reads: Reads, standby: Standby
) -> None:
    settle(reads, standby)
    with standby.paused():
        with writing(engine) as connection:  # in a thread of its own, as a first sign-in may be
            made = api_tokens.find_or_create_user(connection, f"{uuid.uuid4().hex}@example.org")
            concern(connection, made)
        for user_id, is_new in ((made, True), (uuid.uuid4(), False)):
            reads.begin(user_id, ())
            try:
                with reading(engine) as connection:
                    is_on_replica = run(connection, "SELECT pg_is_in_recovery() AS is_so").one()
                    assert is_on_replica.is_so is not is_new
            finally:
                reads.end()


def test_a_transaction_that_writes_nothing_is_nobodys_write(
    engine: Engine, reads: Reads, standby: Standby
) -> None:
    user_id = uuid.uuid4()
    settle(reads, standby)
    with standby.paused():
        with coming_by("web", user_id), writing(engine) as connection:
            run(connection, "SELECT 1")
        progress = reads.replica.progress()
        assert progress is not None
        assert reads.writes.are_replayed([user_id], progress)
