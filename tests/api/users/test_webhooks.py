"""`/api/v1/webhooks/clerk`: accepted deliveries, and their effect on a user."""

import io
import json

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.errors import CredentialsError
from tests.clerk_deliveries import (
    NOW,
    SECRET,
    WEBHOOK,
    clerk_user,
    deliver,
    deliver_user,
    event,
    new_id,
    signed,
)
from tests.clerk_instance import ISSUER, public_pem, session_token, settings
from tests.model.identity.authentication import principal, rows

COLUMNS = "clerk_id, email, username, first_name, last_name, profile_image_url, is_admin"


def client_of(engine: Engine, secret: str | None = SECRET) -> FlaskClient:
    values = settings(
        clerk_jwt_key=public_pem(),
        clerk_issuer=ISSUER,
        clerk_webhook_secret=None if secret is None else SecretStr(secret),
    )
    return create_app(values, engine).test_client()


@pytest.fixture
def client(empty_database: Engine) -> FlaskClient:
    return client_of(empty_database)


def test_a_user_is_created_changed_and_deleted(client: FlaskClient, engine: Engine) -> None:
    deliver_user(client, "created", clerk_user(email="Anna@Example.org"))
    anna = ("user_anna", "Anna@Example.org", None, "Anna", "Sjö", "https://img.example.org/anna")
    assert rows(engine, f"SELECT {COLUMNS} FROM users") == [(*anna, False)]
    changed = clerk_user(at=1, email="a@example.org", username="anna", last_name=None)
    deliver_user(client, "updated", changed)
    anna = ("user_anna", "a@example.org", "anna", "Anna", None, "https://img.example.org/anna")
    assert rows(engine, f"SELECT {COLUMNS} FROM users") == [(*anna, False)]
    [user] = rows(engine, "SELECT id, clerk_updated_at FROM users")
    assert user.clerk_updated_at.timestamp() * 1000 == pytest.approx(NOW + 1)
    assert principal(engine, session_token()).user_id == user.id
    deliver_user(client, "deleted", {"id": "user_anna", "object": "user", "deleted": True})
    assert rows(engine, f"SELECT {COLUMNS} FROM users") == [("user_anna", *[None] * 5, False)]
    with pytest.raises(CredentialsError, match="deleted"):
        principal(engine, session_token())


def test_an_update_of_an_unknown_user_creates_it(client: FlaskClient, engine: Engine) -> None:
    deliver_user(client, "updated", clerk_user())
    assert rows(engine, "SELECT email FROM users") == [("anna@example.org",)]


def test_a_delivery_counts_once(client: FlaskClient, engine: Engine) -> None:
    svix_id = new_id()
    deliver_user(client, "created", clerk_user(), svix_id)
    rows(engine, "UPDATE users SET first_name = 'Changed here', clerk_updated_at = NULL")
    deliver_user(client, "created", clerk_user(), svix_id)
    assert rows(engine, "SELECT first_name FROM users") == [("Changed here",)]
    assert rows(engine, "SELECT svix_id, type FROM webhook_events") == [(svix_id, "user.created")]


def test_older_deliveries_change_nothing(client: FlaskClient, engine: Engine) -> None:
    deliver_user(client, "updated", clerk_user(at=10, first_name="New"))
    deliver_user(client, "created", clerk_user(first_name="Old"))
    deliver_user(client, "updated", clerk_user(at=9, first_name="Old"))
    deliver_user(client, "created", clerk_user(at=10, first_name="As old"))
    assert rows(engine, "SELECT first_name FROM users") == [("New",)]
    deliver_user(client, "updated", clerk_user(at=10, first_name="As new"))
    assert rows(engine, "SELECT first_name FROM users") == [("As new",)]
    assert len(rows(engine, "SELECT FROM webhook_events")) == 5


def test_deleted_users_remain_deleted(client: FlaskClient, engine: Engine) -> None:
    deletion = {"id": "user_anna", "deleted": True}
    deliver_user(client, "deleted", deletion)
    for kind, at in (("created", 0), ("updated", 10_000)):
        deliver_user(client, kind, clerk_user(at=at))
        with pytest.raises(CredentialsError, match="deleted"):
            principal(engine, session_token(email="anna@example.org", email_verified=True))
    [before] = rows(engine, "SELECT * FROM users")
    deliver_user(client, "deleted", deletion)
    assert rows(engine, "SELECT * FROM users") == [before]
    assert (before.clerk_id, before.email, before.first_name) == ("user_anna", None, None)
    assert before.deleted_at is not None


def test_a_closed_account_is_not_reopened(client: FlaskClient, engine: Engine) -> None:
    deliver_user(client, "created", clerk_user())
    headers = {"Authorization": f"Bearer {session_token()}"}
    assert client.delete("/api/v1/users/me", headers=headers).status_code == 204
    deliver_user(client, "updated", clerk_user(at=10, public_metadata={"isAdmin": True}))
    assert rows(engine, f"SELECT {COLUMNS} FROM users") == [("user_anna", *[None] * 5, False)]
    assert client.get("/api/v1/users/me", headers=headers).status_code == 401


def test_the_metadata_sets_administrators(client: FlaskClient, engine: Engine) -> None:
    users = []
    for at, metadata in enumerate(
        [{"isAdmin": True}, {}, None, {"isAdmin": "yes"}, {"isAdmin": False}, {"isAdmin": 1}, {}]
    ):
        deliver_user(client, "updated", clerk_user(at=at, public_metadata=metadata))
        users += rows(engine, "SELECT is_admin FROM users")
    assert [bool(row.is_admin) for row in users] == [True, True, True, True, False, False, False]
    rows(engine, "UPDATE users SET is_admin = true")
    deliver_user(client, "updated", clerk_user(at=20))
    assert rows(engine, "SELECT is_admin FROM users") == [(True,)]


def test_the_email_is_the_verified_primary_one(client: FlaskClient, engine: Engine) -> None:
    address = {"id": "idn_1", "email_address": "anna@example.org"}
    for at, (members, email) in enumerate(
        [
            ({}, "anna@example.org"),
            ({"verified": False}, None),
            ({}, "anna@example.org"),
            ({"email": None}, None),
            ({"primary_email_address_id": "idn_0"}, "other@example.org"),
            ({"primary_email_address_id": "idn_9"}, None),
            ({"email_addresses": [address]}, None),
            ({"email_addresses": [{**address, "verification": None}]}, None),
        ]
    ):
        deliver_user(client, "updated", clerk_user(at=at, **members))
        assert rows(engine, "SELECT email FROM users") == [(email,)]


def test_other_events_are_recorded(client: FlaskClient, engine: Engine) -> None:
    for kind in ("session.created", "organization.updated"):
        assert deliver(client, event(kind, {"id": "x"})).status_code == 204
    types = rows(engine, "SELECT type FROM webhook_events ORDER BY type")
    assert types == [("organization.updated",), ("session.created",)]
    assert rows(engine, "SELECT FROM users") == []


DATA = clerk_user()
MISSHAPEN = {
    "array": b"[]",
    "text": b'"x"',
    "null": b"null",
    "no JSON": b"{",
    "empty": b"",
    "deep": b"[" * 100_000,
    "long number": b"[" + b"1" * 10_000 + b"]",
    "no data": json.dumps({"type": "user.created"}).encode(),
    "no type": json.dumps({"data": DATA}).encode(),
    "type is a number": json.dumps({"type": 5, "data": DATA}).encode(),
    "type with NUL": event("a\x00b", DATA),
    "data is null": event("user.created", None),
    "data is a list": event("user.updated", [DATA]),
    "nothing deleted": event("user.deleted", {"deleted": True}),
    "deleted a number": event("user.deleted", {"id": 5}),
    "deleted NUL": event("user.deleted", {"id": "user\x00"}),
    **{
        f"{name} is {value!r:.20}": event("user.created", {**DATA, name: value})
        for name, value in [
            *((("id"), value) for value in (None, 5, "", "a b", "a\x00", "å", "x" * 256, "a\n")),
            *(("updated_at", value) for value in (None, "5", 1.5, True, -1, 10**20, [])),
            *(("email_addresses", value) for value in (None, {}, "a@b", [5], [{"id": "idn_1"}])),
            *(("first_name", value) for value in (5, "a\x00", "\ud800", "x" * 5000, {})),
            ("username", ["a"]),
            ("last_name", "\udfff"),
            ("image_url", 5),
            ("primary_email_address_id", 5),
            ("public_metadata", []),
        ]
    },
    "email with NUL": event("user.created", clerk_user(email="a\x00@b")),
    "email with surrogate": event("user.created", clerk_user(email="a\ud800@b")),
    "email too long": event("user.created", clerk_user(email="a@" + "b" * 320)),
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_events_of_another_shape_are_refused(
    client: FlaskClient, engine: Engine, name: str
) -> None:
    response = deliver(client, MISSHAPEN[name])
    assert response.status_code == 400, response.text
    assert response.json
    assert response.json["detail"]
    assert rows(engine, "SELECT svix_id FROM webhook_events") == []
    assert rows(engine, "SELECT FROM users") == []


BODY = event("user.created", clerk_user())


def forgeries() -> dict[str, dict[str, str]]:
    """Return headers of current deliveries, each with one fault."""
    good = signed(BODY, "msg_good")
    signature = good["svix-signature"]
    names = ("svix-id", "svix-timestamp", "svix-signature")
    garbage = ("v1", "v1,", "v1,x", "v1,é", "v1,!!!!", ",", ",,", " ", "v2," + "A" * 44, "v1,a,b")
    times = ("x", "nan", "inf", "1e400", "-1", "9" * 30, "0x10", "1_0")
    return {
        "other secret": signed(BODY, "msg_good", secret="whsec_AAAA"),
        "other body": signed(BODY + b" ", "msg_good"),
        "too old": signed(BODY, "msg_good", age=301),
        "too new": signed(BODY, "msg_good", age=-310),
        "another id": {**good, "svix-id": "msg_other"},
        "another time": {**good, "svix-timestamp": str(int(good["svix-timestamp"]) - 1)},
        "another version": {**good, "svix-signature": signature.replace("v1,", "v1a,")},
        "cut short": {**good, "svix-signature": signature[:-4]},
        "other names": {name.replace("svix-", "webhook-"): good[name] for name in good},
        **{f"no {name}": {k: good[k] for k in good if k != name} for name in names},
        **{f"empty {name}": {**good, name: ""} for name in names},
        **{f"signature {text[:9]!r}": {**good, "svix-signature": text} for text in garbage},
        **{f"time {text[:9]!r}": {**good, "svix-timestamp": text} for text in times},
    }


@pytest.mark.parametrize("name", forgeries())
def test_unsigned_deliveries_are_refused(client: FlaskClient, engine: Engine, name: str) -> None:
    response = client.post(WEBHOOK, data=BODY, headers=forgeries()[name])
    assert response.status_code == 400, response.text
    assert rows(engine, "SELECT FROM webhook_events") == rows(engine, "SELECT FROM users") == []


def test_one_good_signature_among_others_is_enough(client: FlaskClient) -> None:
    headers = signed(BODY, "msg_rotated")
    headers["svix-signature"] = f"v1,{'A' * 43}= {headers['svix-signature']}"
    assert client.post(WEBHOOK, data=BODY, headers=headers).status_code == 204


def test_bytes_that_are_not_utf8_are_refused(client: FlaskClient) -> None:
    for body in (b"\xff\xfe", b'{"type": "\xe5"}'):
        headers = signed(BODY, "msg_good")
        assert client.post(WEBHOOK, data=body, headers=headers).status_code == 400


def test_a_large_delivery_is_refused(client: FlaskClient, engine: Engine) -> None:
    wide = event("user.created", clerk_user(private_metadata={"x": "y" * 2**20}))
    assert deliver(client, wide).status_code == 413
    chunked = client.post(
        WEBHOOK,
        input_stream=io.BytesIO(wide),
        headers=signed(wide, "msg_chunked"),
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert chunked.status_code == 413
    fits = event("user.created", clerk_user(private_metadata={"x": "y" * (2**20 - 2**12)}))
    assert deliver(client, fits).status_code == 204


def test_without_a_secret_no_delivery_is_accepted() -> None:
    engine = open_engine("postgresql://127.0.0.1:1/nowhere")
    response = client_of(engine, secret=None).post(
        WEBHOOK, data=BODY, headers=signed(BODY, "msg_x")
    )
    assert response.status_code == 503
    assert response.json
    assert "CLERK_WEBHOOK_SECRET" in response.json["detail"]
    unreachable = client_of(engine).post(WEBHOOK, data=BODY, headers=signed(BODY, "msg_x"))
    assert unreachable.status_code == 503


def test_only_post_and_no_parameters(client: FlaskClient) -> None:
    assert client.get(WEBHOOK).status_code == 405
    headers = signed(BODY, "msg_good")
    assert client.post(f"{WEBHOOK}?x=1", data=BODY, headers=headers).status_code == 400
    assert client.post(WEBHOOK, data=BODY, headers=headers).status_code == 204


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_x", "whsec_å", "!!!"])
def test_a_malformed_secret_stops_the_start(engine: Engine, secret: str) -> None:
    with pytest.raises(ValueError, match="CLERK_WEBHOOK_SECRET"):
        client_of(engine, secret=secret)
