"""The comments of a map that is made of a file."""

import uuid
from datetime import datetime
from typing import Any

import shapely
from geoalchemy2 import WKBElement
from sqlalchemy import Connection, insert, select

from samsyn_admin.imports.maps.package import parse_id
from samsyn_admin.imports.sources.counts import counted
from samsyn_model.database.execution import run
from samsyn_model.errors import UnreadableFileError
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.users import User

_MAX_CONTENT = 10_000  # characters
_ROWS = 1_000


class CommentImport:
    """Comments, which are stored once what they are on is known."""

    def __init__(
        self,
        connection: Connection,
        map_id: uuid.UUID,
        owner_id: uuid.UUID,
        comments: list[tuple[dict[str, Any], Any]],
    ) -> None:
        self._connection = connection
        self._map_id = map_id
        self._owner_id = owner_id
        self._comments = comments
        self.layers: dict[str, uuid.UUID] = {}
        """The new layers by the ids that they had."""
        self.features: dict[tuple[str, int], int] = {}
        """The new ids of features by that of their layer and their own."""
        self.notes: list[str] = []

    def features_of(self, layer_id: str) -> set[int]:
        """Return the ids of the features of a layer that comments are on."""
        return {
            row["feature_id"]
            for row, _ in self._comments
            if row["layer_id"] == layer_id and row["feature_id"] is not None
        }

    def store(self) -> int:
        """Store the comments whose subject there is; return how many."""
        authors = self._authors()
        # that of the features: they were made in this transaction
        change = run(self._connection, "SELECT current_change_set() AS change").scalar_one()
        ids: dict[str, uuid.UUID] = {}
        rows = []
        unknown = 0
        for row, place in self._comments:
            values = self._subject(row)
            if values is None or (row["parent_id"] and row["parent_id"] not in ids):
                continue
            ids[row["comment_id"]] = values["id"] = uuid.uuid4()
            author = authors.get(row["author_id"])
            unknown += author is None and not row["deleted_at"]
            values |= {
                "parent_id": ids.get(row["parent_id"]),
                "feature_change": change if values["feature_id"] is not None else None,
                **_place(place),
                "author_id": author or self._owner_id,
                "content": _content(row, names_author=author is None),
                **{name: _moment(row[name]) for name in _MOMENTS},
            }
            values["created_at"] = values["created_at"] or datetime.now().astimezone()
            values["updated_at"] = values["created_at"]
            rows.append(values)
        for first in range(0, len(rows), _ROWS):
            run(self._connection, insert(Comment).values(rows[first : first + _ROWS]))
        left_out = len(self._comments) - len(rows)
        if left_out:
            text = (
                "{count} {comment was|comments were} left out: what {it is|they are} on is missing."
            )
            self.notes.append(counted(text, left_out))
        if unknown:
            text = (
                "{count} {comment is of a user|comments are of users} not known here:"
                " {it begins|they begin} with the name of {its|their} author."
            )
            self.notes.append(counted(text, unknown))
        return len(rows)

    def _subject(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """Return what a comment is on, None where that is missing."""
        layer_id = self.layers.get(row["layer_id"])
        if row["layer_id"] and layer_id is None:
            return None
        feature_id = self.features.get((row["layer_id"], row["feature_id"]))
        if row["feature_id"] is not None and feature_id is None:
            return None
        map_id = self._map_id if row["on_map"] or layer_id is None else None
        return {"map_id": map_id, "layer_id": layer_id, "feature_id": feature_id}

    def _authors(self) -> dict[str, uuid.UUID]:
        named = {parse_id(row["author_id"]) for row, _ in self._comments} - {None}
        statement = select(User.id).where(User.id.in_(named), User.deleted_at.is_(None))
        return {str(row.id): row.id for row in run(self._connection, statement)}


_MOMENTS = ("created_at", "edited_at", "deleted_at", "resolved_at")


def _place(shape: Any) -> dict[str, Any]:
    """Return the columns of where a comment is: a point, or an area."""
    columns: dict[str, Any] = {"position": None, "area": None}
    if shape is not None:
        geometry = shapely.force_2d(shapely.from_wkb(shape.wkb))
        column = {"Point": "position", "Polygon": "area", "MultiPolygon": "area"}.get(
            geometry.geom_type
        )
        if column is not None:
            columns[column] = WKBElement(shapely.to_wkb(geometry), srid=4326)
    return columns


def _content(row: dict[str, Any], *, names_author: bool) -> str:
    content = row["content"] or ""
    if row["deleted_at"]:
        return content
    if names_author:
        content = f"{row['author'] or 'Somebody'}: {content}"
    return content[:_MAX_CONTENT]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise UnreadableFileError(f"The file is damaged: {text!r} is no date-time.") from error
