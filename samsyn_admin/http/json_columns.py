"""Columns that PostgreSQL serializes as JSON, for responses that pass it on unparsed."""

from typing import Any

from sqlalchemy import ColumnElement, cast, func, select
from sqlalchemy.types import UserDefinedType


class RawText(UserDefinedType[bytes]):
    """Text that is returned as bytes, not decoded."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in SQL."""
        return "bpchar"


def json_object(table: Any, *columns: ColumnElement[Any]) -> ColumnElement[bytes]:
    """Return the column with some of a table's columns as a JSON object.

    Its members have the names and the order of the columns.
    """
    members = select(*columns).correlate(table).subquery()
    serialized = select(cast(func.row_to_json(members.table_valued()), RawText()))
    return serialized.correlate(table).scalar_subquery()


def utc(column: Any) -> ColumnElement[str]:
    """Return the column with a time as ISO 8601 text in UTC."""
    return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
