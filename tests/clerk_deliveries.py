"""Deliveries of Clerk's webhook for tests: payloads, and requests signed as Svix signs them."""

import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from svix.webhooks import Webhook
from werkzeug.test import TestResponse

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WEBHOOK = "/api/v1/webhooks/clerk"
NOW = int(time.time() * 1000)

_numbers = itertools.count()


def new_id() -> str:
    return f"msg_{next(_numbers)}"


def clerk_user(
    clerk_id: str = "user_anna",
    *,
    at: int = 0,
    email: str | None = "anna@example.org",
    verified: bool = True,
    **members: Any,
) -> dict[str, Any]:
    """The `data` of an event about a user `at` ms from NOW, with another address beside."""
    status = {"status": "verified" if verified else "unverified", "strategy": "email_code"}
    other = {"id": "idn_0", "email_address": "other@example.org", "verification": status}
    primary = {"id": "idn_1", "email_address": email, "verification": status}
    return {
        "object": "user",
        "id": clerk_id,
        "updated_at": NOW + at,
        "created_at": NOW - 1000,
        "email_addresses": [other, primary] if email else [other],
        "primary_email_address_id": "idn_1" if email else None,
        "username": None,
        "first_name": "Anna",
        "last_name": "Sjö",
        "image_url": "https://img.example.org/anna",
        "public_metadata": {},
        **members,
    }


def event(kind: str, data: Any) -> bytes:
    document = {"data": data, "object": "event", "type": kind, "timestamp": NOW}
    return json.dumps(document).encode()


def signed(body: bytes, svix_id: str, *, age: int = 0, secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery made `age` seconds ago."""
    moment = int(time.time()) - age
    return {
        "Content-Type": "application/json",
        "svix-id": svix_id,
        "svix-timestamp": str(moment),
        # the library takes the time for UTC
        "svix-signature": Webhook(secret).sign(
            svix_id, datetime.fromtimestamp(moment, UTC), body.decode()
        ),
    }


def deliver(client: FlaskClient, body: bytes, svix_id: str | None = None) -> TestResponse:
    """Send a rightly signed delivery."""
    return client.post(WEBHOOK, data=body, headers=signed(body, svix_id or new_id()))


def deliver_user(client: FlaskClient, kind: str, data: Any, svix_id: str | None = None) -> None:
    """Deliver an event that has to be taken."""
    response = deliver(client, event(f"user.{kind}", data), svix_id)
    assert response.status_code == 204, response.text
