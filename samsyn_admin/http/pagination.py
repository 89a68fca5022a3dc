"""Pagination of lists: `limit` and `offset`, `Link` (RFC 8288) and `X-Total-Count`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from samsyn_model.database.execution import run
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.http.links import bounded_header, request_url
from samsyn_provider.query.parameters import MAX_OFFSET

MAX_LIMIT = 1_000
"""The maximum and the default of `limit`."""
PAGE_PARAMETERS = frozenset({"limit", "offset"})

_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Page:
    """The requested part of a list."""

    limit: int = MAX_LIMIT
    offset: int = 0


def parse_page(values: Mapping[str, str]) -> Page:
    """Return the page that a request's parameters name.

    Raises InvalidParameterError for a limit outside 1 to MAX_LIMIT, or an offset that is not a
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
    """Return the page's rows of an ordered statement, and its total number of rows.

    One statement, or two when the page lies past the end.
    """
    counted = statement.add_columns(func.count().over().label("total"))
    rows = list(run(connection, counted.limit(page.limit).offset(page.offset)))
    if rows or not page.offset:
        return rows, rows[0].total if rows else 0
    total = select(func.count()).select_from(statement.order_by(None).subquery())
    return [], run(connection, total).scalar_one()


def page_headers(page: Page, returned: int, total: int) -> dict[str, str]:
    """Return the headers of a page with `returned` of the list's `total` entries."""
    links = {}
    if 0 < returned < total - page.offset:
        links["next"] = request_url(offset=page.offset + returned)
    if page.offset:
        links["prev"] = request_url(offset=max(0, page.offset - page.limit))
        links["first"] = request_url(offset=None)
    link_header = bounded_header(f'<{url}>; rel="{rel}"' for rel, url in links.items())
    return {"X-Total-Count": str(total), **link_header}
