"""The names of users, as SQL."""


def display_name(user: str) -> str:
    """Return the expression for the name that others see of a row of `users` with this alias: the
    full name, else the user name, else null. Emails are no names."""
    full_name = f"btrim(concat_ws(' ', {user}.first_name, {user}.last_name))"
    return f"coalesce(nullif({full_name}, ''), {user}.username)"
