"""Digests read from the database, as their followers may read them now."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from samsyn_admin.notifications.digest import Digest, Group, plain, shortened
from samsyn_admin.notifications.lines import Lines
from samsyn_admin.notifications.links import Links
from samsyn_admin.notifications.sentences import first_sentence
from samsyn_model.database.execution import run
from samsyn_model.live.rights import Follower, readable_subjects
from samsyn_model.subscriptions.changes import (
    MAX_CHANGES,
    MAX_FEATURE_CHANGES,
    FeatureChanges,
    OtherChange,
    Span,
    comments_of,
    feature_changes,
    layer_names,
    other_changes,
    thread_members,
    user_names,
)
from samsyn_model.subscriptions.deliveries import Delivery
from samsyn_model.tables.maps import Map

_ON_MAP = ("map", "map_layer", "layer", "comment")


def read_digest(connection: Connection, links: Links, delivery: Delivery) -> Digest | None:
    """Return what a follower is to be told; None where they may not read what they follow.

    It has no lines where nothing that they may read was done by others. All statements have to see
    the database at one moment.
    """
    if delivery.map_id is not None:
        return _digest_of_map(connection, links, delivery, delivery.map_id)
    return _digest_of_thread(connection, links, delivery)


def _digest_of_map(
    connection: Connection, links: Links, delivery: Delivery, map_id: uuid.UUID
) -> Digest | None:
    follower = Follower("map", map_id, delivery.user_id)
    readable = readable_subjects(connection, [follower]).get(follower)
    if readable is None:
        return None
    span = Span(delivery.position, delivery.until, delivery.user_id)
    features = feature_changes(connection, readable, span)
    others = other_changes(connection, [map_id, *readable], _ON_MAP, span)
    lines, comments = _made(connection, links, delivery, features, others)
    href = links.map(map_id)
    by_layer = dict[uuid.UUID, list[Any]]()
    for change in features[:MAX_FEATURE_CHANGES]:
        if change.layer_id in lines.layers:
            by_layer.setdefault(change.layer_id, []).append(lines.of_features(change))
    for layer_id, line in lines.of_layers(others):
        by_layer.setdefault(layer_id, []).append(line)
    groups = [
        Group("Comments", href, tuple(lines.of_comments(others, comments))),
        Group("The map", href, tuple(lines.of_map(map_id, others, is_member=map_id in readable))),
        *(
            Group(plain(name), links.layer(layer_id, source_type), tuple(of_layer))
            for layer_id, of_layer in by_layer.items()
            for name, source_type in [lines.layers[layer_id]]
        ),
    ]
    kept, is_whole = shortened(groups)
    is_whole &= len(features) <= MAX_FEATURE_CHANGES and len(others) <= MAX_CHANGES
    name = run(connection, select(Map.name).where(Map.id == map_id)).scalar_one()
    return Digest(f"Changes on the map “{plain(name)}”", href, kept, is_whole)


def _digest_of_thread(connection: Connection, links: Links, delivery: Delivery) -> Digest | None:
    assert delivery.comment_id is not None  # noqa: S101 - a subscription has one of the two
    found = comments_of(connection, delivery.user_id, [delivery.comment_id])
    if not found:
        return None
    root = found[0]
    span = Span(delivery.position, delivery.until, delivery.user_id)
    members = thread_members(connection, root.id)
    others = other_changes(connection, [delivery.subject_id], ("comment",), span, members)
    lines, comments = _made(connection, links, delivery, [], others)
    quote = first_sentence(root.content) if root.content else "a comment that was deleted"
    title = f"The thread “{plain(quote)}”"
    if root.map_id is not None:
        href = links.map(root.map_id)
    else:
        names = layer_names(connection, delivery.user_id, [root.layer_id])
        href = links.layer(root.layer_id, names[root.layer_id][1])
    group = Group("Comments", href, tuple(lines.of_comments(others, comments)))
    kept, is_whole = shortened([group])
    return Digest(title, href, kept, is_whole and len(others) <= MAX_CHANGES)


def _made(
    connection: Connection,
    links: Links,
    delivery: Delivery,
    features: Sequence[FeatureChanges],
    others: Sequence[OtherChange],
) -> tuple[Lines, dict[uuid.UUID, Any]]:
    """Return what makes lines of changes, and the comments among them that may be read."""
    written = {change.subject.id for change in others if change.subject.kind == "comment"}
    comments = comments_of(connection, delivery.user_id, written)
    layers = {change.layer_id for change in features}
    layers |= {change.subject.layer_id for change in others if change.subject.layer_id}
    users = {change.user_id for change in features if change.user_id}
    users |= {change.user_id for change in others if change.user_id}
    lines = Lines(
        links,
        user_names(connection, users),
        layer_names(connection, delivery.user_id, layers),
    )
    return lines, {comment.id: comment for comment in comments}
