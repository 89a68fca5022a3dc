"""Pages of lists: `limit` and `offset`, `Link` (RFC 8288) and `X-Total-Count`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.http.links import request_url
from samsyn_provider.query.parameters import MAX_OFFSET

MAX_LIMIT = 1_000
"""How many entries a list has at most, and how many it has when no limit is asked for."""
PAGE_PARAMETERS = frozenset({"limit", "offset"})

_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    limit: int = MAX_LIMIT
    offset: int = 0


def parse_page(values: Mapping[str, str]) -> Page:
    """Return the page that a request's parameters ask for.

    Raises InvalidParameterError for a limit outside 1 to MAX_LIMIT, or an offset that is no
    number.
    """
    limit, offset = values.get("limit", str(MAX_LIMIT)), values.get("offset", "0")
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MAX_LIMIT:
        raise InvalidParameterError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    if not _NUMBER.fullmatch(offset) or int(offset) > MAX_OFFSET:
        raise InvalidParameterError("offset is a whole number from 0.")
    return Page(int(limit), int(offset))


def run_page(
    connection: Connection, statement: Select[Any], page: Page
) -> tuple[list[Row[Any]], int]:
    """Return the page's rows of an ordered statement, and how many rows it has in all.

    One statement, or two when the page lies behind the end.
    """
    counted = statement.add_columns(func.count().over().label("total"))
    rows = list(run(connection, counted.limit(page.limit).offset(page.offset)))
    if rows or not page.offset:
        return rows, rows[0].total if rows else 0
    whole = select(func.count()).select_from(statement.order_by(None).subquery())
    return [], run(connection, whole).scalar_one()


def page_headers(page: Page, shown: int, total: int) -> dict[str, str]:
    """Return the headers of a list that answers `shown` of its `total` entries."""
    pages = {}
    if 0 < shown < total - page.offset:
        pages["next"] = request_url(offset=page.offset + shown)
    if page.offset:
        pages["prev"] = request_url(offset=max(0, page.offset - page.limit))
        pages["first"] = request_url(offset=None)
    headers = {"X-Total-Count": str(total)}
    if pages:
        headers["Link"] = ", ".join(f'<{url}>; rel="{rel}"' for rel, url in pages.items())
    return headers
