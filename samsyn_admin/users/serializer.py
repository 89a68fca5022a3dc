"""Users as JSON of the management API."""

from typing import Any

from sqlalchemy import ColumnElement, case, func, null

from samsyn_admin.http.json_columns import utc
from samsyn_model.permissions.principal import Principal
from samsyn_model.permissions.users import is_oneself, may_see_email
from samsyn_model.tables.users import User


def user_object(principal: Principal, user: Any = User) -> ColumnElement[Any]:
    """Return the column with a user as JSON, as the principal may read it.

    `user` is `User` or an alias of it in the statement's FROM. `clerk_id` is null unless the user
    is the principal. To those who may not see the email it is null too, and the full name is the
    `username`: the web app prints "First Last (email)" for whoever has a first or a last name.
    """
    names = (func.nullif(func.btrim(name), "") for name in (user.first_name, user.last_name))
    full_name = func.nullif(func.concat_ws(" ", *names), "")
    return func.jsonb_build_object(
        *("id", user.id),
        *("clerk_id", case((is_oneself(principal, user), user.clerk_id))),
        *("profile_image_url", user.profile_image_url),
        *("created_at", utc(user.created_at)),
        *("updated_at", utc(user.updated_at)),
    ).op("||")(
        case(
            (
                may_see_email(principal, user),
                func.jsonb_build_object(
                    *("email", user.email),
                    *("username", user.username),
                    *("first_name", user.first_name),
                    *("last_name", user.last_name),
                ),
            ),
            else_=func.jsonb_build_object(
                *("email", null()),
                *("username", func.coalesce(full_name, user.username)),
                *("first_name", null()),
                *("last_name", null()),
            ),
        )
    )
