"""What digests say that somebody has done."""

import re
from collections.abc import Collection
from typing import Any

from samsyn_admin.notifications.digest import plain
from samsyn_model.subscriptions.changes import FeatureChanges

MAX_QUOTE = 200
"""Characters of a comment that are quoted."""

_MEMBERS = {
    "created_by": "its owner",
    "view_permission": "who may see it",
    "edit_permission": "who may change it",
    "center_lat": "its view",
    "center_lng": "its view",
    "zoom": "its view",
    "map_metadata": "metadata",
    "layer_order": "the order of its layers",
    "visibility": "who may see it",
    "editable": "who may edit it",
    "is_global": "whether it is global",
    "source_config": "its source",
    "style_config": "style",
    "style_override": "style",
    "legend_config": "legend",
    "layer_metadata": "metadata",
    "property_schema": "properties",
    "additional_crs": "reference systems",
    "indexed_properties": "indexes",
    "visible": "whether it is shown",
}
_SENTENCE = re.compile(r"(.+?[.!?…])(?=\s)", re.DOTALL)


def feature_deed(changes: FeatureChanges) -> str:
    """Return what somebody has done to features: `added 12 features, changed 3`."""
    counts = (("added", changes.inserted), ("changed", changes.updated))
    parts = [(verb, n) for verb, n in (*counts, ("deleted", changes.deleted)) if n]
    verb, number = parts[0]
    noun = "feature" if number == 1 else "features"
    return ", ".join([f"{verb} {number:,} {noun}", *(f"{verb} {n:,}" for verb, n in parts[1:])])


def member_names(changed: Collection[str]) -> str:
    """Return the names of members that were changed, for people; each once."""
    names = (_MEMBERS.get(name, name.replace("_", " ")) for name in sorted(changed))
    return ", ".join(dict.fromkeys(names))


def first_sentence(content: str) -> str:
    """Return the first sentence of a comment, in one line."""
    lines = content.strip().splitlines() or [""]
    found = _SENTENCE.match(lines[0])
    sentence = found[1] if found else lines[0]
    return plain(sentence, MAX_QUOTE)


def comment_deed(comment: Any) -> str:
    """Return what somebody has done who has written a comment."""
    if comment.mentions_reader:
        return "mentioned you"
    return "commented" if comment.parent_id is None else "replied"
