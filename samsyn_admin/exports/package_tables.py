"""The tables of a map in a GeoPackage, beside a table of features for each vector layer."""

import pyarrow as pa

VERSION = 1
"""Of these tables: a reader refuses those that it does not know."""
MAP_TABLE = "samsyn_map"
LAYERS_TABLE = "samsyn_map_layers"
COMMENTS_TABLE = "samsyn_comments"
RESERVED = (MAP_TABLE, LAYERS_TABLE, COMMENTS_TABLE, "layer_styles", "qgis_projects")
"""The names that no layer's table has."""

_MOMENT = pa.timestamp("ms", "UTC")

MAP_COLUMNS = pa.schema(
    [
        *(("version", pa.int64()), ("name", pa.string()), ("description", pa.string())),
        *((name, pa.float64()) for name in ("center_lat", "center_lng", "zoom")),
        ("map_metadata", pa.string()),  # JSON
        ("exported_at", _MOMENT),
    ]
)
"""The one row of MAP_TABLE."""

LAYERS_COLUMNS = pa.schema(
    [
        ("position", pa.int64()),  # 0 is drawn on top
        *((name, pa.string()) for name in ("name", "source_type", "table_name", "layer_id")),
        *(("visible", pa.bool_()), ("opacity", pa.int64())),  # percent
        # JSON: the style on this map, the layer as the API creates one, and what columns hold
        *((name, pa.string()) for name in ("style_override", "definition", "columns")),
    ]
)
"""The rows of LAYERS_TABLE: a layer on the map each, also those that are no features."""

COMMENTS_COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("comment_id", "parent_id", "layer_id")),
        *(("feature_id", pa.int64()), ("on_map", pa.bool_())),
        *((name, pa.string()) for name in ("author", "author_id", "content")),
        *((name, _MOMENT) for name in ("created_at", "edited_at", "deleted_at", "resolved_at")),
        ("geometry", pa.binary()),
    ]
)
"""The rows of COMMENTS_TABLE, older ones first; `feature_id` is the fid in its layer's table."""
