"""GeoPackages: the tables that are layers."""

import sqlite3

from samsyn_admin.imports.readers.ogr.sqlite import SQLiteDatabase
from samsyn_model.errors import UnreadableFileError

_SYSTEM_TABLES = ("gpkg", "rtree_", "sqlite_")

# as GDAL lists them, which runs the views for it
_LAYERS = """
SELECT table_name, data_type, table_name IN (SELECT table_name FROM gpkg_geometry_columns)
FROM gpkg_contents
WHERE data_type IN ('features', 'attributes', 'aspatial')
ORDER BY data_type <> 'features', rowid"""
_GEOMETRY_COLUMNS = "SELECT table_name, column_name FROM gpkg_geometry_columns"


class GeoPackage(SQLiteDatabase):
    """The tables of a GeoPackage."""

    def _find_layers(self, database: sqlite3.Connection) -> None:
        for name, kind in self._types.items():
            if kind == "view" and name.startswith(_SYSTEM_TABLES):
                raise UnreadableFileError(f"{self._path} is no valid GeoPackage: {name} is a view.")
        listed = database.execute(_LAYERS).fetchall()
        self._geometry_columns = {
            str(table).lower(): str(column)
            for table, column in database.execute(_GEOMETRY_COLUMNS).fetchall()
        }
        self.layers = {str(name): bool(spatial) for name, _, spatial in listed}
        if all(kind == "features" for _, kind, _ in listed):
            known = {name.lower() for name in self.layers}
            self.layers |= {
                name: False
                for name, kind in self._rows
                if kind in {"table", "view"}
                and not name.lower().startswith(_SYSTEM_TABLES)
                and name.lower() not in known
            }
