"""Subscriptions as JSON of the management API."""

from typing import Any

from sqlalchemy import Row

from samsyn_admin.http.responses import iso
from samsyn_model.settings import Settings

NO_MAIL = "This server sends no e-mail (SMTP_HOST)."
NO_WEBHOOKS = "This server makes no requests to others (OUTGOING)."


def subscription_document(row: Row[Any], settings: Settings) -> dict[str, Any]:
    """Return a row of `subscriptions` as JSON, without its secret."""
    is_mail = row.webhook_url is None
    reason = row.reason
    if row.status == "active" and is_mail and settings.smtp_host is None:
        reason = NO_MAIL
    elif row.status == "active" and not is_mail and not settings.outgoing:
        reason = NO_WEBHOOKS
    return {
        "id": str(row.id),
        "map_id": row.map_id and str(row.map_id),
        "comment_id": row.comment_id and str(row.comment_id),
        "frequency": row.frequency,
        "channel": "email" if is_mail else "webhook",
        "webhook_url": row.webhook_url,
        "status": row.status,
        "reason": reason,
        "delivered_at": iso(row.delivered_at),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }
