"""Media types of the OGC side, and content negotiation."""

from collections.abc import Mapping

from flask import request

from samsyn_model.errors import InvalidParameterError, NotAcceptableError

JSON = "application/json"
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
HTML = "text/html"
MVT = "application/vnd.mapbox-vector-tile"
EVENTS = "text/event-stream"
TILEJSON = "application/vnd.mapbox.tile+json"
MAPLIBRE = "application/vnd.mapbox.style+json"
SLD = "application/vnd.ogc.sld+xml;version=1.0"
QML = "application/vnd.qgis.qml"
MERGE_PATCH = "application/merge-patch+json"
FORM = "application/x-www-form-urlencoded"
CSV = "text/csv"
FLATGEOBUF = "application/vnd.flatgeobuf"
GEOJSON_SEQUENCE = "application/geo+json-seq"
GEOPACKAGE = "application/geopackage+sqlite3"
JSON_FG = "application/vnd.ogc.fg+json"
KML = "application/vnd.google-earth.kml+xml"
PARQUET = "application/vnd.apache.parquet"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP = "application/zip"
LINK_FORMAT = "application/link-format"
NDJSON = "application/x-ndjson"

_NO_OTHERS: Mapping[str, str] = {}


def negotiate_media_type(media_type: str, others: Mapping[str, str] = _NO_OTHERS) -> str:
    """Return the media type of the response: `media_type` (the document as JSON), JSON, or HTML.

    `f` (json, html; geojson where that is the media type) has precedence over the Accept header;
    `others` are further media types by their value of `f`. Raises InvalidParameterError for any
    other `f`, NotAcceptableError when the header accepts none.
    """
    code = request.args.get("f")
    if code is not None:
        geojson = {"geojson": GEOJSON} if media_type == GEOJSON else {}
        media_types = {"json": media_type, **geojson, "html": HTML, **others}
        if code not in media_types:
            raise InvalidParameterError(f"f is one of {', '.join(media_types)}, not {code!r}.")
        return media_types[code]
    if not request.accept_mimetypes:
        return media_type
    base = media_type.split(";", maxsplit=1)[0]
    offered = list(dict.fromkeys([media_type, base, JSON, HTML, *others.values()]))
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptableError(f"This is available as {', '.join(offered)}.")
    return media_type if best == base else best


def negotiate_offered(media_types: Mapping[str, str]) -> str:
    """Return the media type of the response, of those offered by value of `f`; the first if open.

    Raises InvalidParameterError for any other `f`, NotAcceptableError when `Accept` allows none.
    """
    code = request.args.get("f")
    if code is not None:
        if code not in media_types:
            raise InvalidParameterError(f"f is {' or '.join(media_types)} here, not {code!r}.")
        return media_types[code]
    bases = {media_type.split(";")[0]: media_type for media_type in media_types.values()}
    offered = list(dict.fromkeys([*media_types.values(), *bases]))
    if not request.accept_mimetypes:
        return offered[0]
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptableError(f"This is available as {', '.join(media_types.values())}.")
    return bases.get(best, best)
