"""`/api/v1/subscriptions`: followed, listed, changed, ended, by their owner alone."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_admin.notifications.links import Links
from samsyn_admin.notifications.unsubscribing import unsubscribe_address
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller, MakeCaller, pointers
from tests.api.maps.map_requests import MAPS
from tests.api.notifications.followers import Plan, make_plan
from tests.documented_responses import validate_responses

SUBSCRIPTIONS = "/api/v1/subscriptions"
MEMBERS = {
    *("id", "map_id", "comment_id", "frequency", "channel", "webhook_url", "status", "reason"),
    *("delivered_at", "created_at", "updated_at"),
}


@pytest.fixture
def settings() -> Settings:
    return Settings(
        _env_file=None,
        smtp_host="mail.example.org",
        mail_from="samsyn@example.org",
        max_subscriptions_per_user=3,
        titiler_url="off",
    )


@pytest.fixture
def app(empty_database: Engine, settings: Settings) -> Flask:
    created = create_app(settings, empty_database)
    validate_responses(created)
    return created


@pytest.fixture
def plan(empty_database: Engine, settings: Settings, make_caller: MakeCaller) -> Plan:
    return make_plan(empty_database, settings, make_caller)


def send(
    caller: Caller, method: str, path: str = "", body: Any = None, **headers: str
) -> TestResponse:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    options = {} if body is None else {"json": body}
    return caller.client.open(
        f"{SUBSCRIPTIONS}{path}", method=method, headers={**caller.headers, **renamed}, **options
    )


def test_a_map_is_followed(plan: Plan) -> None:
    response = send(plan.follower, "POST", body={"map_id": plan.map})
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    created = response.json
    assert created is not None
    assert created.keys() == MEMBERS
    assert (created["map_id"], created["comment_id"]) == (plan.map, None)
    assert (created["frequency"], created["channel"]) == ("daily", "email")
    assert (created["status"], created["reason"]) == ("active", None)
    read = plan.follower.client.get(response.headers["Location"], headers=plan.follower.headers)
    assert read.json == created
    listed = send(plan.follower, "GET")
    assert listed.json == [created]
    assert listed.headers["X-Total-Count"] == "1"


def test_the_list_is_the_callers_and_is_filtered(plan: Plan) -> None:
    root = plan.comment(plan.owner, "A thread.")
    thread, whole = plan.follow(comment_id=root), plan.follow()
    plan.follow(plan.editor)

    def ids(query: str = "") -> list[str]:
        return [entry["id"] for entry in send(plan.follower, "GET", query).json or []]

    assert ids() == [whole, thread]
    assert ids(f"?map_id={plan.map}") == [whole]
    assert ids(f"?comment_id={root}") == [thread]
    assert ids("?limit=1&offset=1") == [thread]
    for query in ("?map_id=x", "?comment_id=x", "?status=active", "?limit=0"):
        assert send(plan.follower, "GET", query).status_code == 400


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ({}, ["/map_id"]),
        ({"map_id": "x"}, ["/map_id"]),
        ({"map_id": None, "comment_id": None}, ["/map_id"]),
        ({"map_id": str(uuid.uuid4()), "comment_id": str(uuid.uuid4())}, ["/map_id"]),
        ({"map_id": str(uuid.uuid4()), "frequency": "weekly"}, ["/frequency"]),
        ({"map_id": str(uuid.uuid4()), "frequency": None}, ["/frequency"]),
        ({"map_id": str(uuid.uuid4()), "webhook_url": ""}, ["/webhook_url"]),
        ({"map_id": str(uuid.uuid4()), "webhook_url": 7}, ["/webhook_url"]),
        ({"map_id": str(uuid.uuid4()), "status": "active"}, ["/status"]),
        ({"map_id": str(uuid.uuid4()), "email": "other@example.org"}, ["/email"]),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused(
    plan: Plan, body: dict[str, Any], faulty: list[str]
) -> None:
    assert pointers(send(plan.follower, "POST", body=body)) == faulty


def test_what_may_not_be_read_cannot_be_followed(plan: Plan, make_caller: MakeCaller) -> None:
    root = plan.comment(plan.owner, "A thread.")
    stranger = make_caller("stranger")
    for body in ({"map_id": plan.map}, {"comment_id": root}, {"map_id": str(uuid.uuid4())}):
        assert send(stranger, "POST", body=body).status_code == 404
    reply = plan.comment(plan.owner, "A reply.", parent_id=root)
    assert pointers(send(plan.follower, "POST", body={"comment_id": reply})) == ["/comment_id"]


def test_the_same_is_followed_once(plan: Plan) -> None:
    plan.follow()
    response = send(plan.follower, "POST", body={"map_id": plan.map, "frequency": "hourly"})
    assert response.status_code == 409
    plan.follow(plan.editor)


def test_a_quota_ends_it(plan: Plan) -> None:
    for number in range(3):
        plan.follow(comment_id=plan.comment(plan.owner, f"Thread {number}."))
    response = send(plan.follower, "POST", body={"map_id": plan.map})
    assert response.status_code == 422
    assert response.json is not None
    assert "up to 3 maps and threads" in response.json["detail"]
    plan.follow(plan.editor)


def test_frequency_and_status_are_changed(plan: Plan) -> None:
    key = plan.follow()
    for method, body in (
        ("PATCH", {"frequency": "hourly"}),
        ("PUT", {"status": "paused"}),
        ("PATCH", {"status": "active", "frequency": "immediate"}),
    ):
        response = send(plan.follower, method, f"/{key}", body)
        assert response.status_code == 200, response.json
        assert response.json is not None
        assert body.items() <= response.json.items()
    whole = plan.subscription(key)
    assert send(plan.follower, "PUT", f"/{key}", whole).json == whole
    for body in ({"status": "resting"}, {"frequency": None}, {"secret": "x"}, {"status": "failed"}):
        assert len(pointers(send(plan.follower, "PATCH", f"/{key}", body))) == 1


def test_a_paused_subscription_tells_nothing_of_its_pause(plan: Plan) -> None:
    key = plan.follow()
    send(plan.follower, "PATCH", f"/{key}", {"status": "paused"})
    plan.add_features(plan.editor)
    assert plan.tell() == 0
    send(plan.follower, "PATCH", f"/{key}", {"status": "active"})
    row = plan.row(key)
    newest = plan.rows("SELECT max(position) AS newest FROM change_notices")[0].newest
    assert row.position == newest


def test_a_new_frequency_sets_the_time_of_what_waits(plan: Plan) -> None:
    key = plan.follow()
    daily = plan.row(key).due_at
    assert (daily.hour, daily.minute) == (6, 0)
    send(plan.follower, "PATCH", f"/{key}", {"frequency": "hourly"})
    hourly = plan.row(key).due_at
    assert hourly.minute == 0
    send(plan.follower, "PATCH", f"/{key}", {"frequency": "immediate"})
    [row] = plan.rows("SELECT due_at - now() < interval '61 seconds' AS soon FROM subscriptions")
    assert row.soon


def test_a_change_of_another_state_is_refused(plan: Plan) -> None:
    key = plan.follow()
    tag = send(plan.follower, "GET", f"/{key}").headers["ETag"]
    assert send(plan.follower, "GET", f"/{key}", If_None_Match=tag).status_code == 304
    assert send(plan.follower, "PATCH", f"/{key}", {"frequency": "hourly"}).status_code == 200
    stale = send(plan.follower, "PATCH", f"/{key}", {"frequency": "daily"}, If_Match=tag)
    assert stale.status_code == 412
    assert send(plan.follower, "DELETE", f"/{key}", If_Match=tag).status_code == 412


def test_it_is_ended(plan: Plan) -> None:
    key = plan.follow()
    assert send(plan.owner, "DELETE", f"/{key}").status_code == 404
    assert send(plan.follower, "DELETE", f"/{key}").status_code == 204
    assert send(plan.follower, "GET", f"/{key}").status_code == 404


def test_it_ends_with_the_map_and_the_thread(plan: Plan) -> None:
    root = plan.comment(plan.owner, "A thread.")
    plan.follow(comment_id=root)
    plan.send(plan.owner, "DELETE", f"/api/v1/comments/{root}")
    assert plan.rows("SELECT FROM subscriptions") == []
    plan.follow()
    plan.send(plan.owner, "DELETE", f"{MAPS}/{plan.map}")
    assert plan.rows("SELECT FROM subscriptions") == []


def test_without_an_email_there_is_no_mail(plan: Plan) -> None:
    plan.rows("UPDATE users SET email = NULL WHERE id = :id", id=plan.follower.id)
    response = send(plan.follower, "POST", body={"map_id": plan.map})
    assert response.status_code == 409
    assert response.json is not None
    assert response.json["detail"].startswith("Your account has no e-mail address")


@pytest.fixture
def link(plan: Plan) -> Callable[[str], str]:
    """Returns the path of the link in the mail of a subscription."""

    def made(key: str) -> str:
        with plan.engine.begin() as connection:
            links = Links("", None)
            return unsubscribe_address(connection, links, uuid.UUID(key), plan.follower.id)

    return made


def test_a_link_ends_mail_without_signing_in(plan: Plan, link: Callable[[str], str]) -> None:
    key = plan.follow()
    client, address = plan.follower.client, link(key)
    page = client.get(address)
    assert page.status_code == 200
    assert "No more mail of this kind?" in page.text
    assert 'method="post"' in page.text
    assert plan.subscription(key)["status"] == "active", "looking at the page ends nothing"
    for _ in range(2):
        ended = client.post(address, data={"List-Unsubscribe": "One-Click"})
        assert ended.status_code == 200
        assert "You are not told any more" in ended.text
    assert plan.subscription(key)["status"] == "paused"
    assert plan.subscription(key)["reason"] == "Ended by a link in a mail."


def test_a_link_ends_its_own_subscription_alone(plan: Plan, link: Callable[[str], str]) -> None:
    key, other = plan.follow(), plan.follow(plan.editor)
    client, address = plan.follower.client, link(key)
    ticket = re.sub(".*ticket=", "", address)
    changed = ticket[:-5] + ("AAAAA" if ticket[-5:] != "AAAAA" else "BBBBB")
    for path in (
        f"/{other}/unsubscribe?ticket={ticket}",
        f"/{key}/unsubscribe?ticket={changed}",
        f"/{key}/unsubscribe?ticket=",
        f"/{key}/unsubscribe",
        f"/x/unsubscribe?ticket={ticket}",
    ):
        for method in ("GET", "POST"):
            assert client.open(f"{SUBSCRIPTIONS}{path}", method=method).status_code == 404, path
    assert client.get(f"{address}&more=1").status_code == 400
    states = plan.rows("SELECT status FROM subscriptions")
    assert [row.status for row in states] == ["active", "active"]
    plan.send(plan.follower, "DELETE", "/api/v1/users/me")
    assert client.get(address).status_code == 404
