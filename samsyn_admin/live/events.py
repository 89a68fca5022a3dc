"""Notices as server-sent events: CloudEvents, and the profile that Origo's viewer reads.

The types of events are those of OGC API - Publish-Subscribe Workflow (25-030, draft); those of
maps and comments, which it does not have, are `org.samsyn.…`.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from samsyn_model.live.features import Features
from samsyn_model.live.notices import Notice, SubjectChange
from samsyn_model.live.viewers import Presence
from samsyn_model.permissions.changes import PERMISSIONS

RESET = b'event: reset\ndata: {"reason":"too much has changed"}\n\n'
"""Tells a client to load anew what it shows."""
READY = b"event: ready\ndata: {}\n\n"
"""Tells a client from which change set on it follows: its id."""
HEARTBEAT = b": \n\n"

_ITEM = "org.ogc.api.collection.item"
_GEOJSON = "application/geo+json"

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and who may read it."""

    text: str
    """Without the line of its id, and the empty line after it."""
    layer: uuid.UUID | None = None
    """A layer that has to be readable, too."""
    is_departure: bool = False
    """Whether it is enough that the layer was readable before."""
    owner: uuid.UUID | None = None
    """The only user that it is for; where it `is_for_others`, the only one that it is not for."""
    is_for_others: bool = False

    def is_for(self, user: uuid.UUID | None) -> bool:
        """Return whether it is for a user, None: for somebody who is not signed in."""
        return self.owner is None or (user == self.owner) is not self.is_for_others


def id_line(change_set: int) -> bytes:
    """Return the line from which a stream is resumed: with the last event of a change set."""
    return b"id: %d\n" % change_set


def ready_event(change_set: int) -> bytes:
    """Return the first event of a stream, which follows what comes after this change set."""
    return id_line(change_set) + READY


def reset_event(change_set: int) -> bytes:
    """Return the event of a stream that goes on after this change set: some before are left out."""
    return id_line(change_set) + RESET


def presence_event(presence: Presence) -> bytes:
    """Return the event that says who has a map open."""
    document = {"count": presence.count, "names": presence.names}
    return f"event: presence\ndata: {_json(document)}\n\n".encode()


def cloud_events(notice: Notice, base: str, features: Features) -> Iterator[Event]:
    """Yield the events of a notice; `base` is the address that links begin with.

    The identifier is the number of the change set, with `-2` and so on for the second of a source.
    """
    for number, change in enumerate(_changes(notice, base, features), 1):
        kind, source, subject, data, access = change
        head = {
            "specversion": "1.0",
            "id": str(notice.change_set_id) + (f"-{number}" if number > 1 else ""),
            "type": kind,
            "source": source,
            "subject": subject,
            "time": notice.committed_at.isoformat().replace("+00:00", "Z"),
            "changeset": str(notice.change_set_id),
        }
        is_text = data.startswith('"')
        head["datacontenttype"] = "text/plain" if is_text else "application/json"
        yield Event(f'data: {_json(head)[:-1]},"data":{data}}}\n', *access)


def origo_events(notice: Notice, features: Features) -> Iterator[Event]:
    """Yield the events of a layer's features as Origo reads them: `update` with one feature,
    `delete` with its id; `reset` where there are too many changes."""
    if notice.features is None:
        if notice.feature_count:
            yield Event(RESET.decode()[:-1])
        return
    for operation, feature_id in notice.features:
        key = notice.subject_id, feature_id
        if operation == "delete":
            yield Event(f"event: delete\ndata: {feature_id}\n")
        elif (body := features.get(key)) is not None:
            yield Event(f"event: update\ndata: {body}\n")
        elif key in features:
            yield Event(RESET.decode()[:-1])


class _Access(NamedTuple):
    """What an Event has beside its text."""

    layer: uuid.UUID | None = None
    is_departure: bool = False
    owner: uuid.UUID | None = None
    is_for_others: bool = False


type _Change = tuple[str, str, str, str, _Access]
"""The type, the source, the subject, the data as JSON, and who may read it."""


def _changes(notice: Notice, base: str, features: Features) -> Iterator[_Change]:
    yield from _item_changes(notice, f"{base}/ogc/collections/{notice.subject_id}", features)
    for told in notice.subjects:
        yield from _subject_changes(told, base)


def _subject_changes(change: SubjectChange, base: str) -> Iterator[_Change]:
    """Yield the event of a change; of one of who may do what, that for the owner and that for all
    others, who are not told of these members."""
    event = _subject_change(change, base)
    hidden = change.changed.intersection(PERMISSIONS if change.kind in {"layer", "map"} else ())
    if event is None or not hidden:
        yield from () if event is None else (event,)
        return
    owner = change.owner_id
    if owner is not None:
        yield (*event[:4], event[4]._replace(owner=owner))
    others = replace(change, changed=change.changed - hidden)
    if others.changed and (event := _subject_change(others, base)):
        yield (*event[:4], event[4]._replace(owner=owner, is_for_others=True))


def _subject_change(change: SubjectChange, base: str) -> _Change | None:
    if change.kind == "layer":
        return _layer_change(change, f"{base}/ogc/collections/{change.id}")
    if change.kind == "comment":
        return _comment_change(change, base)
    if change.kind in {"map", "map_layer"}:
        return _map_change(change, f"{base}/api/v1/maps/{change.map_id}")
    return None


def _item_changes(notice: Notice, collection: str, features: Features) -> Iterator[_Change]:
    if notice.features is None:
        if notice.feature_count:
            yield _bulk_change(notice, collection)
        return
    for operation, feature_id in notice.features:
        subject = f"{collection}/items/{feature_id}"
        if operation == "delete":
            data = _json(str(feature_id))
        else:
            body = features.get((notice.subject_id, feature_id))
            link = {"rel": "item", "type": _GEOJSON, "href": subject}
            data = _json(link) if body is None else body
        yield f"{_ITEM}.{operation}", collection, subject, data, _Access(notice.subject_id)


def _bulk_change(notice: Notice, collection: str) -> _Change:
    """Return the one event of many changes: how many there are, and where to load them."""
    operation = "update"
    if notice.inserted == notice.feature_count:
        operation = "create"
    elif notice.deleted == notice.feature_count:
        operation = "delete"
    items = f"{collection}/items"
    data = {
        "rel": "items",
        "type": _GEOJSON,
        "href": items,
        "inserted": notice.inserted,
        "updated": notice.updated,
        "deleted": notice.deleted,
    }
    return f"{_ITEM}.{operation}", collection, items, _json(data), _Access(notice.subject_id)


def _layer_change(change: SubjectChange, collection: str) -> _Change:
    is_deleted = change.action == "delete"
    data: Any = str(change.id)
    if not is_deleted:
        data = {
            "rel": "collection",
            "type": "application/json",
            "href": collection,
            "changed": sorted(change.changed),
        }
    kind = f"org.ogc.api.collection.{change.action}"
    return kind, collection, collection, _json(data), _Access(change.id, is_deleted)


def _comment_change(change: SubjectChange, base: str) -> _Change:
    """Return the event of a comment, which is read with its id: its text is not sent along."""
    thing, key = ("maps", change.map_id) if change.map_id else ("layers", change.layer_id)
    comment = f"{base}/api/v1/comments/{change.id}"
    action = "delete" if "deleted_at" in change.changed else change.action
    data = {
        "id": str(change.id),
        "map_id": change.map_id and str(change.map_id),
        "layer_id": change.layer_id and str(change.layer_id),
        "href": comment,
    }
    source = f"{base}/api/v1/{thing}/{key}"
    return f"org.samsyn.comment.{action}", source, comment, _json(data), _Access(change.layer_id)


def _map_change(change: SubjectChange, address: str) -> _Change:
    is_layer = change.kind == "map_layer"
    subject = f"{address}/layers/{change.layer_id}" if is_layer else address
    data = {"href": subject, "changed": sorted(change.changed)}
    if is_layer:
        data["layer_id"] = str(change.layer_id)
    kind = "org.samsyn.map.layer" if is_layer else "org.samsyn.map"
    reads = change.layer_id if is_layer else None
    if "layer_order" in change.changed:  # of all layers: for whom the map's id stands among them
        reads = change.map_id
    access = _Access(reads, change.action == "delete")
    return f"{kind}.{change.action}", address, subject, _json(data), access
