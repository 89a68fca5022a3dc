"""Digests are of the bytes that the documentation names: another program can verify them."""

from hashlib import sha256

from sqlalchemy import Engine, text

from samsyn_model.database.execution import driver_of
from tests.model.audit.chain import MakeLayer, head_of, rows
from tests.model.tables.features import insert

_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_STATE = "layer_id, id, version, created_by, updated_by, created_at, updated_at, properties"


def copied(engine: Engine, query: str) -> bytes:
    """Return the fields of the one row of a query as `COPY … (FORMAT binary)` writes them."""
    with (
        engine.connect() as connection,
        driver_of(connection).cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as received,  # type: ignore[arg-type]
    ):
        data = b"".join(map(bytes, received))
    assert data.startswith(_HEADER)
    assert data.endswith(b"\xff\xff")
    return data[len(_HEADER) + 2 : -2]


def test_a_chain_of_one_is_made_from_copied_rows(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        origin = '{"via": "web", "message": "é"}'
        connection.exec_driver_sql(f"SET LOCAL samsyn.origin = '{origin}'")
        (feature,) = insert(connection, layer)
        connection.exec_driver_sql("UPDATE layers SET name = 'ö'")
        connection.execute(
            text('UPDATE layer_features SET properties = \'{"ä": 1.10, "b": null}\'')
        )
    head_of(roomy_database)
    (seal,) = rows(
        roomy_database,
        "SELECT position, change_set_id, salt, head FROM change_seals"
        " ORDER BY position DESC LIMIT 1",
    )
    position, number, salt, head = seal
    state = sha256(
        copied(roomy_database, f"SELECT {_STATE}, ST_AsEWKB(geom) FROM layer_features")
    ).digest()
    own = copied(
        roomy_database,
        f"SELECT id, user_id, via, request_id, created_at FROM change_sets WHERE id = {number}",
    )
    changed = copied(
        roomy_database,
        "SELECT layer_id, change_set_id, inserted, updated, deleted, committed_at, latest,"
        f" overtaken_at, feature_count, first_id, last_id FROM layer_change_sets"
        f" WHERE change_set_id = {number}",
    )
    message = copied(roomy_database, f"SELECT message FROM change_sets WHERE id = {number}")
    subject = copied(
        roomy_database,
        "SELECT id, kind, action, subject_id, map_id, layer_id FROM subject_changes"
        f" WHERE change_set_id = {number}",
    )
    details = copied(
        roomy_database, f"SELECT id, details FROM subject_changes WHERE change_set_id = {number}"
    )
    digest = sha256(
        fields(
            sha256(own).digest(),
            sha256(subject).digest(),
            sha256(salt + message + details).digest(),
        )
        + fields(
            layer.bytes,
            sha256(changed).digest(),
            sha256(feature.to_bytes(8) + state).digest(),
            sha256().digest(),
        )
    ).digest()
    link = copied(
        roomy_database,
        f"SELECT position, change_set_id, sealed_at FROM change_seals WHERE position = {position}",
    )
    former = bytes(32)
    if position > 1:
        ((former,),) = rows(
            roomy_database, f"SELECT head FROM change_seals WHERE position = {position - 1}"
        )
    assert head == sha256(former + link + fields(digest)).digest()


def fields(*values: bytes | None) -> bytes:
    return b"".join(
        b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4) + value for value in values
    )
