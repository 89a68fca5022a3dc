"""GeoPackages as SQLite databases: what GDAL does not check before it reads them.

GDAL runs the views of a GeoPackage, and one may never end: only tables are read.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic

from samsyn_model.errors import UnreadableFileError, UnstorableFeatureError

_SYSTEM_TABLES = ("gpkg", "rtree_", "sqlite_")
_GENERATED = {2, 3}  # `hidden` of a generated column
_SECONDS = 5  # for reading the names
_INSTRUCTIONS = 1_000  # of SQLite, until it looks at the time again

# as GDAL lists them, which runs the views for it
_LAYERS = """
SELECT table_name, data_type, table_name IN (SELECT table_name FROM gpkg_geometry_columns)
FROM gpkg_contents
WHERE data_type IN ('features', 'attributes', 'aspatial')
ORDER BY data_type <> 'features', rowid"""


class GeoPackage:
    """The tables of a GeoPackage, by the names that GDAL gives its layers."""

    def __init__(self, path: Path) -> None:
        """Read the names; raises UnreadableFileError."""
        self._path = path
        with self._opened() as database:
            deadline = monotonic() + _SECONDS
            database.set_progress_handler(lambda: monotonic() > deadline, _INSTRUCTIONS)
            rows = database.execute(
                "SELECT name, type FROM pragma_table_list WHERE schema = 'main'"
            ).fetchall()
            self._types = {str(name).lower(): str(kind) for name, kind in rows}
            for name, kind in self._types.items():
                if kind == "view" and name.startswith(_SYSTEM_TABLES):
                    raise UnreadableFileError(f"{path} is no valid GeoPackage: {name} is a view.")
            listed = database.execute(_LAYERS).fetchall()
        self.layers: dict[str, bool] = {str(name): bool(spatial) for name, _, spatial in listed}
        """The names of the layers, and whether they have geometries."""
        if all(kind == "features" for _, kind, _ in listed):
            known = {name.lower() for name in self.layers}
            self.layers |= {
                str(name): False
                for name, kind in rows
                if kind in {"table", "view"}
                and not str(name).lower().startswith(_SYSTEM_TABLES)
                and str(name).lower() not in known
            }

    def refusal(self, table: str) -> str | None:
        """Return why a layer is not read, None for a table whose values are all stored."""
        kind = self._types.get(table.lower())
        if kind != "table":
            return "is a view" if kind == "view" else "is no table"
        with self._opened() as database:
            columns = database.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
        if any(column[6] in _GENERATED for column in columns):
            return "has generated columns"
        return None

    def refuse_nul(self, table: str, fid_column: str) -> None:
        """Raise UnstorableFeatureError for a NUL in a text, where GDAL would truncate it."""
        with self._opened() as database:
            texts = [
                f"instr({quoted(column[1])}, char(0))"
                for column in database.execute(f"PRAGMA table_info({quoted(table)})")
                if column[2].upper().startswith(("TEXT", "VARCHAR"))
            ]
            condition = " OR ".join(texts) or "0"
            row = database.execute(
                f"SELECT {quoted(fid_column)} FROM {quoted(table)} WHERE {condition} LIMIT 1"
            ).fetchone()
        if row:
            raise UnstorableFeatureError(
                f"The feature with fid {row[0]} of {table!r} cannot be stored:"
                " it has a NUL character in a text."
            )

    def count(self, table: str) -> int:
        """Return the number of rows; the count stored in a GeoPackage can be out of date."""
        with self._opened() as database:
            rows = database.execute(f"SELECT count(*) FROM {quoted(table)}")
            return int(rows.fetchone()[0])

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
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


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'
