"""Media types of the OGC side, and which of them a client wants."""

from collections.abc import Mapping

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
CSV = "text/csv"
FLATGEOBUF = "application/vnd.flatgeobuf"
GEOJSON_SEQUENCE = "application/geo+json-seq"
GEOPACKAGE = "application/geopackage+sqlite3"
JSON_FG = "application/vnd.ogc.fg+json"
KML = "application/vnd.google-earth.kml+xml"
PARQUET = "application/vnd.apache.parquet"

_NO_OTHERS: Mapping[str, str] = {}


def negotiate_media_type(media_type: str, others: Mapping[str, str] = _NO_OTHERS) -> str:
    """Return the media type to answer with: that of the document's JSON form, JSON, or HTML.

    `f` (json, html) decides before the Accept header does; `others` are further media types by the
    `f` that asks for them. Raises InvalidParameterError for any other `f`, NotAcceptableError when
    the header admits none.
    """
    chosen = request.args.get("f")
    if chosen is not None:
        forms = {"json": media_type, "html": HTML, **others}
        if chosen not in forms:
            raise InvalidParameterError(f"f is one of {', '.join(forms)}, not {chosen!r}.")
        return forms[chosen]
    if not request.accept_mimetypes:
        return media_type
    base = media_type.split(";", maxsplit=1)[0]
    offered = list(dict.fromkeys([media_type, base, JSON, HTML, *others.values()]))
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptableError(f"This can be had as {', '.join(offered)}.")
    return media_type if best == base else best
