"""Request bodies of subscriptions."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from samsyn_admin.comments.schemas import Identifier
from samsyn_admin.http.request_body import refuse, validated
from samsyn_admin.http.update_body import read_change
from samsyn_admin.outgoing.addresses import MAX_URL
from samsyn_model.errors import Fault

Frequency = Literal["immediate", "hourly", "daily"]

READ_ONLY = frozenset(
    {
        *("id", "map_id", "comment_id", "channel", "webhook_url", "reason", "delivered_at"),
        *("created_at", "updated_at"),
    }
)
"""Read-only members of a subscription: a change accepts and ignores them."""


class SubscriptionCreate(BaseModel):
    """The body of a request that follows a map or a thread."""

    model_config = ConfigDict(extra="forbid", strict=True)

    map_id: Identifier | None = None
    comment_id: Identifier | None = None
    """The first comment of a thread."""
    frequency: Frequency = "daily"
    webhook_url: Annotated[str, Field(min_length=1, max_length=MAX_URL)] | None = None
    """Where to deliver; by default by e-mail."""


class SubscriptionUpdate(BaseModel):
    """The body of a request that changes a subscription."""

    model_config = ConfigDict(extra="forbid", strict=True)

    frequency: Frequency = "daily"
    status: Literal["active", "paused"] = "active"


def parse_subscription(body: Any) -> SubscriptionCreate:
    """Return the subscription that a body describes.

    Raises InvalidBodyError with a fault for each member that breaks a rule.
    """
    subscription = validated(SubscriptionCreate, body)
    if (subscription.map_id is None) == (subscription.comment_id is None):
        refuse([Fault("/map_id", "Follow either a map (map_id) or a thread (comment_id).")])
    return subscription


def read_update(status: str) -> dict[str, str]:
    """Return the members that a PUT or PATCH changes of a subscription of this status, which may be
    sent back.

    Raises the errors of `read_change`, and InvalidBodyError for other members.
    """
    change = read_change(READ_ONLY)
    if change.get("status") == status:
        del change["status"]
    return validated(SubscriptionUpdate, change).model_dump(exclude_unset=True)
