"""Lines of activity as JSON and as CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from samsyn_admin.activity.lines import Line
from samsyn_admin.http.responses import iso, json_text
from samsyn_model.features.spreadsheet_csv import BYTE_ORDER_MARK, with_guard
from samsyn_model.history.changes import Change

_NUMBERS = ("inserted", "updated", "deleted")
COLUMNS = (
    *("first_change_set", "last_change_set", "count", "first_at", "last_at"),
    *("author_id", "author_name", "via", "message"),
    *("kind", "action", "id", "map_id", "layer_id", "name", "changed"),
    *_NUMBERS,
)
"""The columns of CSV, which has a row for each change of a line."""


def line_document(line: Line) -> dict[str, Any]:
    """Return a line as JSON of the management API."""
    return {
        **_head(line),
        "author": _author(line),
        "via": line.newest.via,
        "message": line.newest.message,
        "inserted": line.inserted,
        "updated": line.updated,
        "deleted": line.deleted,
        "change_count": line.change_count,
        "changes": [_change(change, count) for change, count in line.changes],
    }


def ndjson_parts(lines: Iterable[Line]) -> Iterator[str]:
    """Yield lines as JSON, one a line of text."""
    for line in lines:
        yield json_text(line_document(line)) + "\n"


def csv_parts(lines: Iterable[Line]) -> Iterator[str]:
    """Yield lines as CSV for spreadsheets: texts that could be formulas have an apostrophe."""
    yield BYTE_ORDER_MARK + _row(COLUMNS)
    for line in lines:
        author = _author(line) or {"id": None, "name": None}
        head = (*_head(line).values(), author["id"], author["name"])
        head = (*head, line.newest.via, line.newest.message)
        yield "".join(
            _row(
                (
                    *head,
                    *(change.kind, change.action, change.id, change.map_id, change.layer_id),
                    *(change.name, " ".join(change.changed)),
                    *_numbers(change),
                )
            )
            for change, _ in line.changes
        )


def _head(line: Line) -> dict[str, Any]:
    return {
        "first_change_set": line.oldest.id,
        "last_change_set": line.newest.id,
        "count": line.count,
        "first_at": iso(line.first_at),
        "last_at": iso(line.last_at),
    }


def _author(line: Line) -> dict[str, Any] | None:
    """Return who it was; who is gone has no name."""
    if line.newest.user_id is None:
        return None
    return {"id": str(line.newest.user_id), "name": line.newest.author_name}


def _change(change: Change, count: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": change.kind,
        "action": change.action,
        "id": str(change.id),
        "map_id": change.map_id and str(change.map_id),
        "layer_id": change.layer_id and str(change.layer_id),
        "name": change.name,
        "count": count,
    }
    if change.kind == "features":
        return document | dict(zip(_NUMBERS, _numbers(change), strict=True))
    document["changed"] = list(change.changed)
    return document | {"old": dict(change.old), "new": dict(change.new)}


def _numbers(change: Change) -> tuple[int | None, ...]:
    """Return how many features were inserted, updated and deleted; None of what is no feature."""
    if change.kind != "features":
        return (None, None, None)
    return (change.inserted, change.updated, change.deleted)


def _row(values: Iterable[Any]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([with_guard(value) for value in values])
    return text.getvalue()
