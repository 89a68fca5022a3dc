"""Files of JSON: which of the formats with features they have."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from samsyn_admin.imports.readers.geojson.encoding import JSONEncoding, json_encoding
from samsyn_admin.imports.readers.geojson.layer import GeoJSONLayer
from samsyn_admin.imports.readers.geojson.text import GeoJSONText
from samsyn_admin.imports.readers.json.esri import EsriJSONLayer, is_esri_json, refuse_error
from samsyn_admin.imports.readers.json.topojson import refuse_large_topology, topojson_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError


def json_layers(path: Path, options: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a file of GeoJSON, JSON-FG, TopoJSON or Esri JSON.

    Raises UnreadableFileError, InvalidParameterError for an unknown encoding.
    """
    encoding = json_encoding(path, options.encoding)
    refuse_large_topology(path, encoding)
    members, first = _beginning(path, encoding)
    if members.get("type") == "Topology":
        return topojson_layers(path, members, encoding)
    refuse_error(path, members)
    if is_esri_json(members, first):
        return [EsriJSONLayer(path, encoding)]
    return [GeoJSONLayer(path, encoding)]


def _beginning(path: Path, encoding: JSONEncoding) -> tuple[dict[str, Any], Any]:
    """Return the members of the first object before its features, and the first of these."""
    text = GeoJSONText(lambda: encoding.open(path), str(path))
    try:
        features = list(islice(text.features(), 1))
    except UnreadableFileError:  # by the reader of GeoJSON, which reads damaged sequences
        return {}, None
    return text.members, features[0] if text.has_features and features else None
