"""Columns that PostgreSQL writes as JSON, for answers that pass it on as it came."""

from typing import Any

from sqlalchemy import ColumnElement, cast, func, select
from sqlalchemy.types import UserDefinedType


class PassedText(UserDefinedType[bytes]):
    """Text that is brought as the bytes that it was sent as."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in SQL."""
        return "bpchar"


def json_object(table: Any, *columns: ColumnElement[Any]) -> ColumnElement[bytes]:
    """Return the column with some of a table's columns as a JSON object.

    Its members have the names of the columns, and their order.
    """
    members = select(*columns).correlate(table).subquery()
    written = select(cast(func.row_to_json(members.table_valued()), PassedText()))
    return written.correlate(table).scalar_subquery()


def utc(column: Any) -> ColumnElement[str]:
    """Return the column with a time as ISO 8601 text in UTC."""
    return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
