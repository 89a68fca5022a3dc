"""`/api/v1/webhooks`: events of users from Clerk, signed by Svix."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from pydantic import SecretStr

from samsyn_admin.http.responses import no_content
from samsyn_model.errors import MalformedBodyError, TooLargeError
from samsyn_model.identity.clerk_events import apply_event, parse_event
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.deployment import Deployment, deployment
from samsyn_provider.http.guard import requires
from samsyn_provider.http.problems import problem
from samsyn_provider.query.parameters import single_values

if TYPE_CHECKING:
    from svix.webhooks import Webhook

MAX_DELIVERY = 1024 * 1024

_SIGNED_HEADERS = ("svix-id", "svix-timestamp", "svix-signature")

bp = Blueprint("webhooks", __name__, url_prefix="/api/v1/webhooks")


@bp.post("/clerk")
@requires(Action.WEBHOOK)
def take_clerk_delivery() -> Response | tuple[str, HTTPStatus]:
    """Process an event; after a 2xx Svix does not send it again."""
    secret = deployment().settings.clerk_webhook_secret
    if secret is None:
        detail = "This server accepts no webhooks from Clerk: CLERK_WEBHOOK_SECRET is not set."
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    single_values(request.args, ())
    body = _receive()
    svix_id = _verify(secret, body)
    apply_event(deployment().engine, svix_id, parse_event(body))
    return no_content()


def _receive() -> bytes:
    """Return the body; raises TooLargeError or werkzeug's error when it exceeds MAX_DELIVERY."""
    # One more, because a body without a Content-Length is cut at the limit silently.
    request.max_content_length = MAX_DELIVERY + 1
    body = request.get_data()
    if len(body) > MAX_DELIVERY:
        raise TooLargeError("The delivery is larger than 1 MiB.")
    return body


def _verify(secret: SecretStr, body: bytes) -> str:
    """Return the delivery's id. Raises MalformedBodyError without a recent, valid signature."""
    headers = {name: request.headers.get(name, "") for name in _SIGNED_HEADERS}
    signature = _signature(secret)
    try:
        signature.verify(body, headers)
    except Exception as error:  # malformed input makes the library raise various errors
        raise MalformedBodyError(
            "The signature is not valid, or the delivery is older than five minutes."
        ) from error
    return headers["svix-id"]


def _signature(secret: SecretStr) -> "Webhook":
    from svix.webhooks import Webhook  # noqa: PLC0415 - loads Svix's whole client, slowly

    try:
        return Webhook(secret.get_secret_value())
    except Exception as error:  # binascii.Error, or a class that is not exported
        raise ValueError("CLERK_WEBHOOK_SECRET is not a signing secret (whsec_…).") from error


def _check_secret(state: BlueprintSetupState) -> None:
    """Raise ValueError at start when the secret is malformed."""
    parts: Deployment = state.app.extensions["samsyn"]
    if parts.settings.clerk_webhook_secret is not None:
        _signature(parts.settings.clerk_webhook_secret)


bp.record(_check_secret)
