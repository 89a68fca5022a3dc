"""The lines of a digest, from changes: many of one kind by the same person are one line."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from samsyn_admin.notifications.digest import SOMEBODY, Author, Line, Topic, plain
from samsyn_admin.notifications.links import Links
from samsyn_admin.notifications.sentences import (
    comment_deed,
    feature_deed,
    first_sentence,
    member_names,
)
from samsyn_model.subscriptions.changes import FeatureChanges, OtherChange

type LayerNames = Mapping[uuid.UUID, tuple[str, str]]
"""The name and the source type of each layer that may be named."""

_ITEM = "org.ogc.api.collection.item"


@dataclass(slots=True)
class _Changed:
    time: datetime
    members: set[str] = field(default_factory=set)

    @property
    def data(self) -> dict[str, Any]:
        return {"changed": sorted(self.members)}


@dataclass(frozen=True, slots=True)
class Lines:
    """Makes lines, with the names that a follower may read."""

    links: Links
    names: Mapping[uuid.UUID, str]
    layers: LayerNames

    def of_features(self, changes: FeatureChanges) -> Line:
        """Return the line of the features that somebody has changed in a layer."""
        collection = self.links.collection(changes.layer_id)
        count = changes.inserted + changes.updated + changes.deleted
        operation = {changes.inserted: "create", changes.deleted: "delete"}.get(count, "update")
        counts = {name: getattr(changes, name) for name in ("inserted", "updated", "deleted")}
        return Line(
            self._author(changes.user_id),
            feature_deed(changes),
            Topic(f"{_ITEM}.{operation}", collection, f"{collection}/items"),
            changes.committed_at,
            data=self._layer(changes.layer_id) | counts,
        )

    def of_layers(self, changes: Iterable[OtherChange]) -> Iterator[tuple[uuid.UUID, Line]]:
        """Yield the lines of changed definitions of layers, each with its layer."""
        for (user_id, layer_id), changed in _updates(changes, "layer").items():
            if layer_id in self.layers:
                collection = self.links.collection(layer_id)
                line = Line(
                    self._author(user_id),
                    f"changed the layer ({member_names(changed.members)})",
                    Topic("org.ogc.api.collection.update", collection, collection),
                    changed.time,
                    data=self._layer(layer_id) | changed.data,
                )
                yield layer_id, line

    def of_map(
        self, map_id: uuid.UUID, changes: Sequence[OtherChange], *, is_member: bool
    ) -> Iterator[Line]:
        """Yield the lines of a map itself, of layers put on it, changed there and taken off.

        The order of its layers, some of which may be hidden, is for its members.
        """
        address = self.links.map_resource(map_id)
        for (user_id, _), changed in _updates(changes, "map").items():
            if not is_member:
                changed.members.discard("layer_order")
            if not changed.members:
                continue
            yield Line(
                self._author(user_id),
                f"changed the map ({member_names(changed.members)})",
                Topic("org.samsyn.map.update", address, address),
                changed.time,
                data=changed.data,
            )
        placements = _placements(changes)
        for layer_id, change in placements.items():
            if layer_id in self.layers:
                is_put, name = change.subject.action == "create", self._name(layer_id)
                yield Line(
                    self._author(change.user_id),
                    f"put the layer “{name}” on the map" if is_put else f"took off “{name}”",
                    _on_map(address, layer_id, change.subject.action),
                    change.committed_at,
                    data=self._layer(layer_id),
                )
        for (user_id, layer_id), changed in _updates(changes, "map_layer").items():
            if layer_id in self.layers and layer_id not in placements:
                members = member_names(changed.members)
                yield Line(
                    self._author(user_id),
                    f"changed how “{self._name(layer_id)}” is shown ({members})",
                    _on_map(address, layer_id, "update"),
                    changed.time,
                    data=self._layer(layer_id) | changed.data,
                )

    def of_comments(
        self, changes: Iterable[OtherChange], comments: Mapping[uuid.UUID, Any]
    ) -> Iterator[Line]:
        """Yield the lines of comments, in the order of what happened: those that may be read, and
        have not been deleted."""
        written = set[uuid.UUID]()
        told = dict[tuple[object, ...], Line]()
        for change in changes:
            subject = change.subject
            comment = comments.get(subject.id) if subject.kind == "comment" else None
            if comment is None or comment.content is None:
                continue
            if subject.action == "create":
                written.add(comment.id)
                told[comment.id, "create"] = self._comment(comment, change, comment_deed(comment))
            if "content" in subject.changed and comment.id not in written:
                line = self._comment(comment, change, "edited a comment")
                told[comment.id, "content", change.user_id] = line
            if "resolved_at" in subject.changed:
                deed = "reopened" if comment.resolved_at is None else "resolved"
                line = self._comment(comment, change, f"{deed} the thread")
                told[comment.id, "resolved_at"] = line
        yield from told.values()

    def _comment(self, comment: Any, change: OtherChange, deed: str) -> Line:
        where = f" on “{self._name(comment.layer_id)}”" if comment.layer_id in self.layers else ""
        if comment.map_id:
            source = self.links.map_resource(comment.map_id)
        else:
            source = self.links.layer_resource(comment.layer_id)
        event = f"org.samsyn.comment.{change.subject.action}"
        quote = first_sentence(comment.content)
        ids = ("id", "map_id", "layer_id", "parent_id")
        return Line(
            self._author(change.user_id),
            deed + where,
            Topic(event, source, self.links.comment(comment.id)),
            change.committed_at,
            quote,
            data={
                **{name: (key := getattr(comment, name)) and str(key) for name in ids},
                "feature_id": comment.feature_id,
                "is_resolved": comment.resolved_at is not None,
                "mentions_you": comment.mentions_reader,
                "quote": quote,
            },
        )

    def _author(self, user_id: uuid.UUID | None) -> Author:
        name = plain(self.names.get(user_id, "")) if user_id else ""
        return Author(user_id, name or SOMEBODY)

    def _name(self, layer_id: uuid.UUID) -> str:
        return plain(self.layers[layer_id][0])

    def _layer(self, layer_id: uuid.UUID) -> dict[str, Any]:
        return {"layer_id": str(layer_id), "layer_name": self._name(layer_id)}


def _on_map(address: str, layer_id: uuid.UUID, action: str) -> Topic:
    return Topic(f"org.samsyn.map.layer.{action}", address, f"{address}/layers/{layer_id}")


def _placements(changes: Iterable[OtherChange]) -> dict[uuid.UUID, OtherChange]:
    """Return, of each layer that was put on a map or taken off, the last time."""
    found = dict[uuid.UUID, OtherChange]()
    for change in changes:
        subject = change.subject
        if subject.kind == "map_layer" and subject.action != "update" and subject.layer_id:
            found[subject.layer_id] = change
    return found


def _updates(
    changes: Iterable[OtherChange], kind: str
) -> dict[tuple[uuid.UUID | None, uuid.UUID], _Changed]:
    """Return the members that were changed of things of a kind, by who has changed what: of a layer
    on a map, by the layer."""
    found = dict[tuple[uuid.UUID | None, uuid.UUID], _Changed]()
    for change in changes:
        subject = change.subject
        if subject.kind != kind or not subject.changed:
            continue
        key = subject.layer_id if kind == "map_layer" and subject.layer_id else subject.id
        changed = found.setdefault((change.user_id, key), _Changed(change.committed_at))
        changed.members |= subject.changed
        changed.time = change.committed_at
    return found
