"""Digests at webhooks: a batch of CloudEvents, signed as Standard Webhooks describes.

https://www.standardwebhooks.com; the signature is that of `svix`, which verifies Clerk's too.
"""

import base64
import json
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from samsyn_admin.notifications.digest import Digest
from samsyn_admin.outgoing.requests import Outgoing

_SECRET_SIZE = 32  # bytes
_PREFIX = "whsec_"
_SECONDS = 15.0
_MEDIA_TYPE = "application/cloudevents-batch+json"

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class WebhookFailedError(Exception):
    """A webhook has not responded with a status of success, but with this one."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The webhook responded with the status {status}.")
        self.is_gone = status == HTTPStatus.GONE


def new_secret() -> bytes:
    """Return what the requests to a webhook are signed with."""
    return secrets.token_bytes(_SECRET_SIZE)


def secret_text(secret: bytes) -> str:
    """Return a secret as its receiver configures it."""
    return _PREFIX + base64.b64encode(secret).decode()


def send_digest(
    outgoing: Outgoing, digest: Digest, url: str, secret: bytes, message: tuple[str, uuid.UUID]
) -> None:
    """Send a digest to a webhook; `message` is its id, and the user for whom it is sent.

    Raises WebhookFailedError, and the errors of `Outgoing.post`.
    """
    from svix.webhooks import Webhook  # noqa: PLC0415 - loads Svix's whole client, slowly

    message_id, user_id = message
    body = _json([*_events(digest, message_id)])
    now = datetime.now(UTC)
    headers = {
        "Content-Type": _MEDIA_TYPE,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }
    status = outgoing.post(
        url, body.encode(), caller=str(user_id), seconds=_SECONDS, headers=headers
    )
    if not 200 <= status < 300:
        raise WebhookFailedError(status)


def _events(digest: Digest, message_id: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(digest.lines, 1):
        author = line.author
        yield {
            "specversion": "1.0",
            "id": f"{message_id}-{number}",
            "type": line.topic.event,
            "source": line.topic.source,
            "subject": line.topic.subject,
            "time": line.time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {
                "text": line.text,
                "user": {"id": author.id and str(author.id), "name": author.name},
                **line.data,
            },
        }
    if not digest.is_whole:
        yield {
            "specversion": "1.0",
            "id": f"{message_id}-more",
            "type": "org.samsyn.digest.more",
            "source": digest.href,
            "datacontenttype": "application/json",
            "data": {"text": "There is more than this.", "href": digest.href},
        }
