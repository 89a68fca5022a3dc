"""`/api/v1/subscriptions`: the maps and threads that the caller is told of, by mail or webhook."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, render_template, request
from sqlalchemy import Connection, Row, Select, delete, select, update

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.request_body import read_json
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_admin.notifications.unsubscribing import may_unsubscribe
from samsyn_admin.notifications.webhooks import new_secret, secret_text
from samsyn_admin.outgoing.requests import Outgoing
from samsyn_admin.subscriptions.schemas import parse_subscription, read_update
from samsyn_admin.subscriptions.serializer import subscription_document
from samsyn_admin.subscriptions.writing import change_subscription, insert_subscription
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import (
    Fault,
    InvalidBodyError,
    InvalidParameterError,
    NotFoundError,
    RemoteTimeoutError,
)
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.tables.live import Subscription
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires, spend
from samsyn_provider.http.representations import as_page
from samsyn_provider.query.parameters import parse_uuid, parse_uuid_filter, single_values
from samsyn_provider.rates.rate_limits import Rate

bp = Blueprint(
    "subscriptions",
    __name__,
    url_prefix="/api/v1/subscriptions",
    template_folder="../templates",
)

EXTENSION = "samsyn_webhooks"
"""The key of `app.extensions` with the door to webhooks."""
_UNSUBSCRIBED = "Ended by a link in a mail."


@bp.get("")
@requires(Action.SIGNED_IN)
def list_subscriptions() -> Response:
    """List the caller's subscriptions, newest first."""
    values = single_values(request.args, {"map_id", "comment_id", *PAGE_PARAMETERS})
    page = parse_page(values)
    statement = _own().order_by(Subscription.created_at.desc(), Subscription.id)
    for name, column in (("map_id", Subscription.map_id), ("comment_id", Subscription.comment_id)):
        key = parse_uuid_filter(values, name)
        if key is not None:
            statement = statement.where(column == key)
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, statement, page)
    settings = deployment().settings
    return respond_list([subscription_document(row, settings) for row in rows], page, total)


@bp.post("")
@requires(Action.SIGNED_IN)
def create_subscription() -> Response:
    """Follow a map or a thread: of a webhook only this response contains the secret."""
    single_values(request.args, ())
    user_id = require_user(principal())
    body = parse_subscription(read_json())
    secret = None
    if body.webhook_url is not None:
        _check_webhook(body.webhook_url)
        secret = new_secret()
    with writing(deployment().engine) as connection:
        key = insert_subscription(connection, principal(), user_id, body, secret)
        row = _find(connection, _own(), key)
    document = subscription_document(row, deployment().settings)
    if secret is not None:
        document["secret"] = secret_text(secret)
    location = f"{public_url()}{bp.url_prefix}/{key}"
    response = respond(document, version_of(row.updated_at), HTTPStatus.CREATED, location)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/<subscription_id>")
@requires(Action.SIGNED_IN)
def read_subscription(subscription_id: str) -> Response:
    """Return a subscription of the caller."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        row = _find(connection, _own(), parse_uuid(subscription_id))
    return respond(subscription_document(row, deployment().settings), version_of(row.updated_at))


@bp.put("/<subscription_id>")
@bp.patch("/<subscription_id>")
@requires(Action.SIGNED_IN)
def update_subscription(subscription_id: str) -> Response:
    """Change how often the caller is told, pause a subscription, or make it active again."""
    single_values(request.args, ())
    key = parse_uuid(subscription_id)
    with writing(deployment().engine) as connection:
        row = _find(connection, _own().with_for_update(key_share=True), key)
        check_if_match(version_of(row.updated_at))
        change_subscription(connection, principal(), row, read_update(row.status))
        row = _find(connection, _own(), key)
    return respond(subscription_document(row, deployment().settings), version_of(row.updated_at))


@bp.delete("/<subscription_id>")
@requires(Action.SIGNED_IN)
def delete_subscription(subscription_id: str) -> tuple[str, HTTPStatus]:
    """End a subscription."""
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        row = _find(connection, _own().with_for_update(), parse_uuid(subscription_id))
        check_if_match(version_of(row.updated_at))
        run(connection, delete(Subscription).where(Subscription.id == row.id))
    return no_content()


@bp.get("/<subscription_id>/unsubscribe")
@requires(Action.UNSUBSCRIBE)
def unsubscribe_page(subscription_id: str) -> Response:
    """Return the page of the link in a mail, which asks whether to end its subscription."""
    with reading(deployment().engine) as connection:
        row = _ticketed(connection, subscription_id)
    return _page(is_over=row.status == "paused")


@bp.post("/<subscription_id>/unsubscribe")
@requires(Action.UNSUBSCRIBE)
def unsubscribe(subscription_id: str) -> Response:
    """End a subscription by the link in a mail, without signing in (RFC 8058): it is paused."""
    with writing(deployment().engine) as connection:
        row = _ticketed(connection, subscription_id)
        values = {"status": "paused", "reason": _UNSUBSCRIBED}
        run(connection, update(Subscription).where(Subscription.id == row.id).values(values))
    return _page(is_over=True)


def _check_webhook(url: str) -> None:
    """Raise InvalidBodyError where requests to an address will be refused, as far as is known."""
    spend(Rate.OUTGOING)
    door: Outgoing = current_app.extensions[EXTENSION]
    try:
        door.check(url)
    except (InvalidParameterError, RemoteTimeoutError) as error:
        raise InvalidBodyError(error.detail, (Fault("/webhook_url", error.detail),)) from error


def _own() -> Select[Any]:
    owner = require_user(principal())
    return select(Subscription.__table__).where(Subscription.user_id == owner)


def _find(connection: Connection, subscriptions: Select[Any], key: UUID | None) -> Row[Any]:
    row = key and run(connection, subscriptions.where(Subscription.id == key)).one_or_none()
    if not row:
        raise NotFoundError("There is no such subscription.")
    return row


def _ticketed(connection: Connection, subscription_id: str) -> Row[Any]:
    """Return the subscription of an address with a ticket; raises NotFoundError without a valid
    one."""
    ticket = single_values(request.args, {"ticket"}).get("ticket", "")
    key = parse_uuid(subscription_id)
    if key is None or not may_unsubscribe(connection, key, ticket):
        raise NotFoundError("This link is not valid any more: sign in to end what you follow.")
    return _find(connection, select(Subscription.__table__), key)


def _page(*, is_over: bool) -> Response:
    page = as_page(render_template("unsubscribe.html", is_over=is_over))
    page.headers["Cache-Control"] = "no-store"
    return page
