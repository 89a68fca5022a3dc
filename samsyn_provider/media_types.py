"""Media types of the OGC side, and which of them a client wants."""

from flask import request

from samsyn_model.errors import InvalidParameterError, NotAcceptableError

JSON = "application/json"
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
HTML = "text/html"
MVT = "application/vnd.mapbox-vector-tile"
TILEJSON = "application/vnd.mapbox.tile+json"
MERGE_PATCH = "application/merge-patch+json"
FORM = "application/x-www-form-urlencoded"


def wanted(media_type: str) -> str:
    """Return the media type to answer with: that of the document's JSON form, JSON, or HTML.

    `f` (json, html) decides before the Accept header does. Raises InvalidParameterError for any
    other `f`, NotAcceptableError when the header admits none of the three.
    """
    chosen = request.args.get("f")
    if chosen is not None:
        if chosen not in {"json", "html"}:
            raise InvalidParameterError(f"f is either 'json' or 'html', not {chosen!r}.")
        return media_type if chosen == "json" else HTML
    if not request.accept_mimetypes:
        return media_type
    base = media_type.split(";", maxsplit=1)[0]
    offered = list(dict.fromkeys([media_type, base, JSON, HTML]))
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptableError(f"This can be had as {', '.join(offered)}.")
    return media_type if best == base else best
