"""Webhooks: signed batches of events, tried again for a day, and never sent inside."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from samsyn_admin.app import create_app
from samsyn_admin.notifications import webhooks
from samsyn_admin.notifications.digest import MAX_LINES
from samsyn_model.settings import Settings
from tests.api.notifications.followers import SUBSCRIPTIONS, Plan
from tests.api.notifications.webhook_server import BODY, Hook, webhook_server
from tests.api.outgoing.remote_server import remote_server


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook_server() as running:
        yield running


@pytest.fixture
def given(hook: Hook) -> dict[str, Any]:
    return {"outgoing_allow": hook.server}


@pytest.fixture
def followed(plan: Plan, hook: Hook) -> Any:
    """The subscription as it was created, with something to be told."""
    body = {"map_id": plan.map, "webhook_url": f"{hook.root}/samsyn", "frequency": "immediate"}
    created = plan.send(plan.follower, "POST", SUBSCRIPTIONS, body)
    plan.add_features(plan.editor, 2)
    return created


def test_it_is_sent_a_signed_batch(plan: Plan, hook: Hook, followed: Any) -> None:
    comment = plan.comment(plan.owner, "A word. And more.")
    assert plan.tell() == 1
    [body], [headers] = hook.bodies, hook.headers
    Webhook(followed["secret"]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(followed["secret"]).verify(body + b" ", headers)
    assert headers["content-type"] == "application/cloudevents-batch+json"
    assert "authorization" not in headers
    said, added = json.loads(body)
    assert said["id"] == f"{headers['webhook-id']}-1"
    assert said["type"] == "org.samsyn.comment.create"
    assert said["source"] == f"https://plan.example.org/api/v1/maps/{plan.map}"
    assert said["subject"] == f"https://plan.example.org/api/v1/comments/{comment}"
    assert said["data"]["quote"] == "A word."
    assert said["data"]["user"] == {"id": str(plan.owner.id), "name": "Somebody"}
    assert added["type"] == "org.ogc.api.collection.item.create"
    assert added["subject"] == f"https://plan.example.org/ogc/collections/{plan.layer}/items"
    assert added["data"] == {
        "text": "Edda Strand added 2 features.",
        "user": {"id": str(plan.editor.id), "name": "Edda Strand"},
        "layer_id": plan.layer,
        "layer_name": "Wind farms",
        "inserted": 2,
        "updated": 0,
        "deleted": 0,
    }
    for event in (said, added):
        assert event["specversion"] == "1.0"
        assert event["time"].endswith("Z")
    assert plan.tell() == 0


def test_the_secret_is_shown_once(plan: Plan, followed: Any) -> None:
    assert followed["secret"].startswith("whsec_")
    again = plan.subscription(followed["id"])
    assert "secret" not in again
    assert again == {name: value for name, value in followed.items() if name != "secret"}
    assert (again["channel"], again["status"]) == ("webhook", "active")


@pytest.mark.parametrize("status", [500, 404, 301, 307, 429])
def test_a_failure_is_tried_again_as_the_same_message(
    plan: Plan, hook: Hook, followed: Any, status: int
) -> None:
    hook.statuses = [status, status]
    plan.tell()
    failing = plan.subscription(followed["id"])
    assert failing["status"] == "active"
    assert failing["reason"] == f"The webhook responded with the status {status}."
    plan.tell()
    plan.add_features(plan.editor)
    plan.tell()
    plan.tell()
    first, second, third, fourth = (headers["webhook-id"] for headers in hook.headers)
    assert first == second == third != fourth
    assert hook.bodies[0] == hook.bodies[2]
    assert plan.subscription(followed["id"])["reason"] is None


def test_after_a_day_it_is_not_tried_any_more(plan: Plan, hook: Hook, followed: Any) -> None:
    hook.statuses = [500] * 5
    plan.tell()
    plan.wait(minutes=23 * 60)
    assert plan.tell() == 1
    assert plan.subscription(followed["id"])["status"] == "active"
    plan.wait(minutes=70)
    assert plan.tell() == 1
    ended = plan.subscription(followed["id"])
    assert ended["status"] == "failed"
    assert ended["reason"] == (
        "For a day every delivery failed. The webhook responded with the status 500."
    )
    assert BODY.decode() not in json.dumps(ended)
    assert plan.tell() == 0
    hook.statuses = []
    change = {"status": "active"}
    again = plan.send(plan.follower, "PATCH", f"{SUBSCRIPTIONS}/{followed['id']}", change)
    assert (again["status"], again["reason"]) == ("active", None)
    plan.tell()
    assert hook.headers[-1]["webhook-id"] == hook.headers[0]["webhook-id"]


def test_one_that_is_gone_is_not_tried_again(plan: Plan, hook: Hook, followed: Any) -> None:
    hook.statuses = [410]
    plan.tell()
    assert plan.subscription(followed["id"])["status"] == "failed"


def test_one_that_does_not_respond_is_not_waited_for(
    plan: Plan, followed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_SECONDS", 0.3)
    with remote_server(lambda *_: time.sleep(2)) as silent:
        plan.settings = Settings(
            _env_file=None, **plan.settings.model_dump() | {"outgoing_allow": silent.server}
        )
        plan.rows("UPDATE subscriptions SET webhook_url = :url", url=silent.url)
        plan.tell()
    assert plan.subscription(followed["id"])["reason"] == "127.0.0.1 did not respond in time."


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/",
        "http://localhost:8080/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/",
        "http://[::1]:8080/",
        "ftp://93.184.216.34/",
        "https://user:word@93.184.216.34/",
        "https://93.184.216.34:22/",
        "not an address",
    ],
)
def test_what_is_no_public_address_is_refused(plan: Plan, url: str) -> None:
    response = plan.follower.client.post(
        SUBSCRIPTIONS,
        json={"map_id": plan.map, "webhook_url": url},
        headers=plan.follower.headers,
    )
    assert response.status_code == 422, response.json
    assert response.json is not None
    [fault] = response.json["errors"]
    assert fault["pointer"] == "/webhook_url"
    assert plan.rows("SELECT FROM subscriptions") == []


def test_an_address_that_has_become_private_is_not_asked(
    plan: Plan, hook: Hook, followed: Any
) -> None:
    plan.settings = Settings(
        _env_file=None, **plan.settings.model_dump() | {"outgoing_allow": "127.0.0.1:1"}
    )
    plan.rows("UPDATE subscriptions SET webhook_url = 'http://localhost:8080/'")
    plan.tell()
    assert hook.bodies == []
    assert plan.subscription(followed["id"])["reason"] == (
        "localhost is not a public server on the internet."
    )


def test_nothing_is_sent_where_the_server_asks_no_others(
    plan: Plan, hook: Hook, followed: Any
) -> None:
    off = Settings(_env_file=None, **plan.settings.model_dump() | {"outgoing": False})
    plan.settings = off
    assert plan.tell() == 0
    client = create_app(off, plan.engine).test_client()
    body = {"map_id": plan.map, "webhook_url": hook.root}
    assert client.post(SUBSCRIPTIONS, json=body, headers=plan.follower.headers).status_code == 503
    assert hook.bodies == []


def test_a_long_batch_is_cut_and_says_so(plan: Plan, hook: Hook, followed: Any) -> None:
    with plan.engine.begin() as connection:
        for number in range(MAX_LINES + 5):
            connection.exec_driver_sql(
                "INSERT INTO comments (map_id, author_id, content) VALUES (%s, %s, %s)",
                (plan.map, plan.editor.id, f"Comment {number}. " + "å" * 9_000),
            )
    plan.tell()
    events = json.loads(hook.bodies[0])
    assert len(events) == MAX_LINES + 1
    assert events[-1]["type"] == "org.samsyn.digest.more"
    assert len(hook.bodies[0]) < 200_000


def test_mail_and_webhooks_are_followed_beside_each_other(
    plan: Plan, hook: Hook, followed: Any
) -> None:
    body = {"map_id": plan.map, "webhook_url": f"{hook.root}/other"}
    other = plan.send(plan.follower, "POST", SUBSCRIPTIONS, body)
    assert other["secret"] != followed["secret"]
    again = plan.follower.client.post(SUBSCRIPTIONS, json=body, headers=plan.follower.headers)
    assert again.status_code == 409
