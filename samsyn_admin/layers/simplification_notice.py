"""The sentence that says of a layer in a response that its features are simplified.

The web app shows one text of `layer_metadata`, the author, in a layer's information: the sentence
is there, and is never stored.
"""

from collections.abc import Mapping
from typing import Any

NOTICE = "Simplified here because the layer is large: open it in QGIS to see and edit every detail."
_SEPARATOR = " · "


def with_notice(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return `layer_metadata` with the sentence after the author, if that is a text or absent."""
    author = metadata.get("author")
    if author is not None and not isinstance(author, str):
        return dict(metadata)
    return {**metadata, "author": f"{author}{_SEPARATOR}{NOTICE}" if author else NOTICE}


def without_notice(
    body: Any, stored: Mapping[str, Any] | None = None, *, merge: bool = False
) -> Any:
    """Return the body of a layer without the sentence, which its client has from a response.

    `stored` is the `layer_metadata` that the layer has; with `merge` the body is a merge patch. A
    body without the sentence is returned as it is.
    """
    if not isinstance(body, dict):
        return body
    names = [name for name in ("layer_metadata", "metadata") if _has_notice(body.get(name))]
    return {**body, **{name: _without(body[name], stored or {}, merge=merge) for name in names}}


def _has_notice(metadata: Any) -> bool:
    author = metadata.get("author") if isinstance(metadata, dict) else None
    return isinstance(author, str) and NOTICE in author


def _without(metadata: dict[str, Any], stored: Mapping[str, Any], *, merge: bool) -> dict[str, Any]:
    author = metadata["author"].removesuffix(_SEPARATOR + NOTICE)
    if NOTICE in author:  # its client has changed the text
        author = author.replace(NOTICE, "").strip(_SEPARATOR)
    if author:
        return {**metadata, "author": author}
    others = {name: value for name, value in metadata.items() if name != "author"}
    was_empty = not stored.get("author")
    if merge:
        return others if was_empty else {**others, "author": None}
    return {**others, "author": stored["author"]} if was_empty and "author" in stored else others
