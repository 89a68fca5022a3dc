"""SQLite databases: what GDAL does not check before it reads them, and SpatiaLite.

GDAL runs the views of a database, and one may never end: only tables are read.
"""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic

from samsyn_model.errors import UnreadableFileError
from samsyn_model.scratch import ScratchFolder

_GENERATED = {2, 3}  # `hidden` of a generated column
_SECONDS = 5  # for reading the names
_INSTRUCTIONS = 1_000  # of SQLite, until it looks at the time again
_REMOVED = "type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL TABLE%'"
_SYSTEM_VIEWS = (
    *("geom_cols_ref_sys", "spatial_ref_sys_all", "vector_", "raster_", "topologies", "networks"),
    *("se_", "iso_metadata", "map_configurations", "rl2map", "wms_", "idx_", "data_licenses"),
    *("knn", "spatialindex", "elementarygeometries", "sqlite_", "stored_"),
)


class SQLiteDatabase:
    """The tables of a database, by the names that GDAL gives its layers."""

    def __init__(self, path: Path) -> None:
        """Read the names; raises UnreadableFileError."""
        self._path = path
        self.layers: dict[str, bool] = {}
        """The names of the layers, and whether they have geometries."""
        self._geometry_columns: dict[str, str] = {}
        with self.opened() as database:
            deadline = monotonic() + _SECONDS
            database.set_progress_handler(lambda: monotonic() > deadline, _INSTRUCTIONS)
            self._rows: list[tuple[str, str]] = [
                (str(name), str(kind))
                for name, kind in database.execute(
                    "SELECT name, type FROM pragma_table_list WHERE schema = 'main'"
                )
            ]
            self._types = {name.lower(): kind for name, kind in self._rows}
            self._find_layers(database)

    def _find_layers(self, database: sqlite3.Connection) -> None:
        """Set `layers` and the columns of geometries."""

    @property
    def tables(self) -> dict[str, str]:
        """The tables and views by their names in lower case, with `table`, `view` or `virtual`."""
        return self._types

    def refusal(self, table: str) -> str | None:
        """Return why a layer is not read, None for a table whose values are all stored."""
        kind = self._types.get(table.lower())
        if kind != "table":
            return "is a view" if kind == "view" else "is no table"
        with self.opened() as database:
            columns = database.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
        if any(column[6] in _GENERATED for column in columns):
            return "has generated columns"
        return None

    def geometry_column(self, table: str) -> str | None:
        """Return the name of a table's column of geometries, where a value has to be a geometry."""
        return self._geometry_columns.get(table.lower())

    def count(self, table: str) -> int:
        """Return the number of rows; the count stored in a GeoPackage can be out of date."""
        with self.opened() as database:
            rows = database.execute(f"SELECT count(*) FROM {quoted(table)}")
            return int(rows.fetchone()[0])

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Open the database to read; raises UnreadableFileError for every error within."""
        try:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True)) as database:
                yield database
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                raise UnreadableFileError(
                    f"{self._path} has too many tables: their names are not read in"
                    f" {_SECONDS} seconds."
                ) from error
            raise UnreadableFileError(f"{self._path} is damaged: {error}") from error
        except UnicodeDecodeError as error:
            raise UnreadableFileError(f"{self._path} has names that are not UTF-8.") from error


class SpatiaLite(SQLiteDatabase):
    """A database of SQLite, with or without geometries, that is no GeoPackage."""

    def own_tables(self) -> list[str]:
        """Return the names of the tables that are not SpatiaLite's or GDAL's own."""
        return [name for name, kind in self._rows if kind == "table" and not is_system_table(name)]

    def only_tables(self) -> tuple[Path, ScratchFolder | None, list[str]]:
        """Return a database without views, triggers and virtual tables, which GDAL would run.

        It is the file itself, or a copy in a folder that is returned with it; last come the names
        of what was left out. Raises UnreadableFileError.
        """
        with self.opened() as database:
            removed = [
                str(name)
                for (name,) in database.execute(f"SELECT name FROM sqlite_master WHERE {_REMOVED}")
            ]
        if not removed:
            return self._path, None, []
        folder = ScratchFolder("samsyn-sqlite-")
        copy = folder.path / "copy.sqlite"
        try:
            shutil.copyfile(self._path, copy)
            with closing(sqlite3.connect(copy)) as database:
                database.execute("PRAGMA writable_schema = on")
                database.execute(f"DELETE FROM sqlite_master WHERE {_REMOVED}")
                database.commit()
        except (OSError, sqlite3.Error) as error:
            raise UnreadableFileError(
                f"{self._path} cannot be read: it is damaged, or there is no space for a copy."
            ) from error
        own = [name for name in removed if self._types.get(name.lower()) in {"view", "virtual"}]
        return copy, folder, [name for name in own if not name.lower().startswith(_SYSTEM_VIEWS)]


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def is_system_table(name: str) -> bool:
    """Whether a table is one of SpatiaLite's or GDAL's own."""
    return name.lower().startswith((*_SYSTEM_VIEWS, *_SYSTEM_TABLES))


_SYSTEM_TABLES: Sequence[str] = (
    *("spatial_ref_sys", "geometry_columns", "views_geometry", "virts_geometry", "spatialite_"),
    *("sql_statements_log", "sqlitemanager", "layer_", "ogr_"),
)
