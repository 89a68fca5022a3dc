"""A plan that several people work on, and one who follows it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, text

from samsyn_admin.notifications.telling import Teller
from samsyn_model.settings import Settings
from tests.api.layer_requests import LAYERS, Caller, MakeCaller
from tests.api.maps.map_requests import MAPS

SUBSCRIPTIONS = "/api/v1/subscriptions"
COMMENTS = "/api/v1/comments"
POINT = {"type": "Point", "coordinates": [11, 57]}


@dataclass
class Plan:
    """A map of the owner, with a public layer on it; the editor and the follower are on it."""

    engine: Engine
    settings: Settings
    owner: Caller
    editor: Caller
    follower: Caller
    map: str
    layer: str

    def send(self, caller: Caller, method: str, path: str, body: Any = None) -> Any:
        """Send a request that has to succeed, and return its JSON."""
        response = caller.client.open(path, method=method, json=body, headers=caller.headers)
        assert response.status_code < 300, response.text
        return response.json

    def follow(self, caller: Caller | None = None, **body: Any) -> str:
        """Have somebody follow the map, or what the body says; return the subscription's id."""
        if "comment_id" not in body:
            body.setdefault("map_id", self.map)
        return str(self.send(caller or self.follower, "POST", SUBSCRIPTIONS, body)["id"])

    def add_features(self, caller: Caller, count: int = 1, layer: str | None = None) -> None:
        features = [
            {"type": "Feature", "geometry": POINT, "properties": {"number": number}}
            for number in range(count)
        ]
        path = f"/ogc/collections/{layer or self.layer}/items"
        for feature in features:
            response = caller.client.post(
                path,
                json=feature,
                headers={**caller.headers, "Content-Type": "application/geo+json"},
            )
            assert response.status_code == 201, response.text

    def comment(self, caller: Caller, content: str, **members: Any) -> str:
        if "layer_id" not in members:
            members.setdefault("map_id", self.map)
        return str(self.send(caller, "POST", COMMENTS, {"content": content, **members})["id"])

    def subscription(self, key: str, caller: Caller | None = None) -> Any:
        return self.send(caller or self.follower, "GET", f"{SUBSCRIPTIONS}/{key}")

    def row(self, key: str) -> Row[Any]:
        return self.rows("SELECT * FROM subscriptions WHERE id = :id", id=key)[0]

    def rows(self, sql: str, **values: Any) -> list[Row[Any]]:
        with self.engine.begin() as connection:
            result = connection.execute(text(sql), values)
            return list(result.all()) if result.returns_rows else []

    def wait(self, minutes: int = 0) -> None:
        """Let as much time pass as is needed for what is due, or so much."""
        self.rows("UPDATE subscriptions SET due_at = now() WHERE due_at IS NOT NULL")
        if minutes:
            self.rows(
                "UPDATE subscriptions SET failing_since = failing_since - :m * interval '1 minute',"
                " claimed_until = claimed_until - :m * interval '1 minute'",
                m=minutes,
            )

    def tell(self, teller: Teller | None = None) -> int:
        """Tell everything that there is; return how many deliveries were made."""
        teller = teller or Teller(self.engine, self.settings)
        teller.look_for_news()
        self.wait()
        count = 0
        while teller.tell_next():
            count += 1
        return count


def make_plan(engine: Engine, settings: Settings, make_caller: MakeCaller) -> Plan:
    owner, editor, follower = map(make_caller, ("owner", "editor", "follower"))
    plan = Plan(engine, settings, owner, editor, follower, "", "")
    body = {"name": "Kattegat", "view_permission": "collaborators"}
    plan.map = plan.send(owner, "POST", MAPS, body | {"edit_permission": "collaborators"})["id"]
    layer = {"name": "Wind farms", "source_type": "vector", "editable": "everyone"}
    plan.layer = plan.send(owner, "POST", LAYERS, layer | {"visibility": "public"})["id"]
    plan.send(owner, "POST", f"{MAPS}/{plan.map}/layers", {"layer_id": plan.layer})
    for caller, role in ((editor, "editor"), (follower, "viewer")):
        person = {"user_id": str(caller.id), "role": role}
        plan.send(owner, "POST", f"{MAPS}/{plan.map}/collaborators", person)
    name(plan, editor, "Edda", "Strand")
    return plan


def name(plan: Plan, caller: Caller, first: str | None, last: str | None = None) -> None:
    plan.rows(
        "UPDATE users SET first_name = :first, last_name = :last WHERE id = :id",
        first=first,
        last=last,
        id=caller.id,
    )
