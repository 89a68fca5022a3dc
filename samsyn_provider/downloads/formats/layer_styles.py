"""The table `layer_styles` of a GeoPackage, from which QGIS takes the style of a layer.

It is no part of GeoPackage: its columns are those that QGIS writes. Other readers see a table
without geometries (of attributes).
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from samsyn_provider.geography import gdal
from samsyn_provider.styles.qml import qml_document
from samsyn_provider.styles.shapes import drawn_shapes
from samsyn_provider.styles.sld import sld_document
from samsyn_provider.styles.symbols import LayerStyle

_NAME = "default"
_HAS_STYLES = "SELECT 1 FROM sqlite_master WHERE name = 'layer_styles'"
_COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("f_table_catalog", "f_table_schema", "f_table_name")),
        ("f_geometry_column", pa.string()),
        *((name, pa.string()) for name in ("styleName", "styleQML", "styleSLD")),
        ("useAsDefault", pa.bool_()),
        *((name, pa.string()) for name in ("description", "owner", "ui")),
        ("update_time", pa.timestamp("ms", "UTC")),
    ]
)


def add_layer_style(
    path: Path,
    table: str,
    geometry_column: str,
    style: LayerStyle,
    geometry_type: str,
) -> None:
    """Add a style to a GeoPackage as the default of one of its tables."""
    shapes = drawn_shapes([geometry_type])
    row = {
        "f_table_catalog": "",
        "f_table_schema": "",
        "f_table_name": table,
        "f_geometry_column": geometry_column,
        "styleName": _NAME,
        "styleQML": qml_document(style, shapes),
        "styleSLD": sld_document(style, shapes, layer=table, style_id=_NAME, title=table),
        "useAsDefault": True,
        "description": "",
        "owner": "",
        "ui": None,
        "update_time": datetime.now(UTC),
    }
    with closing(sqlite3.connect(path)) as package:
        has_styles = package.execute(_HAS_STYLES).fetchone() is not None
    gdal.write_arrow(
        pa.Table.from_pylist([row], _COLUMNS),
        path,
        driver="GPKG",
        layer="layer_styles",
        geometry_name=None,
        geometry_type=None,
        append=has_styles,
        FID="id",
    )
