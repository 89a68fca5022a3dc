"""People as the management API answers them."""

from typing import Any

from sqlalchemy import ColumnElement, case, func, null

from samsyn_admin.http.json_columns import utc
from samsyn_model.permissions.principal import Principal
from samsyn_model.permissions.users import may_see_email
from samsyn_model.tables.users import User


def user_object(principal: Principal, person: Any = User) -> ColumnElement[Any]:
    """Return the column with a user as JSON, as the principal may see them.

    `person` is `User` or an alias of it in the statement's FROM. `email` and `clerk_id` are null
    but for oneself and those with whom one shares a map.
    """
    known = may_see_email(principal, person.id)
    return func.jsonb_build_object(
        *("id", person.id),
        *("username", person.username),
        *("first_name", person.first_name),
        *("last_name", person.last_name),
        *("profile_image_url", person.profile_image_url),
        *("created_at", utc(person.created_at)),
        *("updated_at", utc(person.updated_at)),
    ).op("||")(
        case(
            (known, func.jsonb_build_object("clerk_id", person.clerk_id, "email", person.email)),
            else_=func.jsonb_build_object("clerk_id", null(), "email", null()),
        )
    )
