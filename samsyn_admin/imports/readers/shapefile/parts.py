"""The files that a shapefile consists of."""

import re
from contextlib import suppress
from pathlib import Path

from pyproj import CRS

from samsyn_admin.imports.sources.layer import file_crs
from samsyn_model.errors import InvalidParameterError, UnreadableFileError

SIDE_FILES = frozenset(
    {
        *(".shx", ".dbf", ".prj", ".cpg", ".cst", ".qpj", ".qmd", ".qix", ".sbn", ".sbx"),
        *(".fbn", ".fbx", ".ain", ".aih", ".atx", ".ixs", ".mxs", ".idm", ".ind"),
        *(".shp.xml", ".shp.iso.xml", ".qml", ".sld", ".lyr", ".lyrx"),
    }
)
"""How the names of files end that belong to a `.shp` of the same name; four of them are read."""
_HEIGHTS = re.compile(r"(?<=\])\s*,\s*VERTCS\[")
"""Between the CRS of positions and that of heights, as Esri's programs write them."""
_MOST_TEXT = 65_536
_SURE = 70
"""Percent: the definitions are equivalent, though their names may differ."""


class ShapefileParts:
    """The parts of a shapefile that are there, whatever the case of their names."""

    def __init__(self, path: Path) -> None:
        """Look for the parts beside a `.shp` file; raises UnreadableFileError."""
        self.shp = path
        self._names: dict[str, list[str]] = {}
        stem = path.stem.lower()
        try:
            for file in path.parent.iterdir():
                if file.stem.lower() == stem and file.suffix.lower() in SIDE_FILES:
                    self._names.setdefault(file.suffix.lower(), []).append(file.name)
        except OSError as error:
            raise UnreadableFileError(f"{path} cannot be read: {error.strerror}.") from error

    def part(self, suffix: str) -> Path | None:
        """Return the part with a suffix such as `.dbf`, or None.

        Raises UnreadableFileError where several differ in the case of their names alone.
        """
        names = self._names.get(suffix, [])
        same = [name for name in names if Path(name).stem == self.shp.stem]
        candidates = same if len(same) == 1 else names
        if len(candidates) > 1:
            found = ", ".join(sorted(candidates))
            raise UnreadableFileError(f"{self.shp} has several parts of a kind: {found}.")
        return self.shp.with_name(candidates[0]) if candidates else None

    def text(self, suffix: str) -> str | None:
        """Return the text of a part, or None."""
        part = self.part(suffix)
        if part is None:
            return None
        with part.open("rb") as file:
            content = file.read(_MOST_TEXT)
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16", "replace")
        return content.decode("utf-8-sig", "replace").strip("\0 \t\r\n")


def crs_of_prj(definition: str) -> CRS | None:
    """Return the CRS of a `.prj` file, None where it defines none.

    A definition that is equivalent to one of EPSG is that one. Raises InvalidParameterError for one
    that would read other files.
    """
    horizontal = _HEIGHTS.split(definition)[0]  # heights are stored as they are
    if "[" not in horizontal:
        return None
    if "PARAMETERFILE" not in horizontal:
        with suppress(InvalidParameterError):
            return _known(file_crs(horizontal))
        return None
    return _known(file_crs(horizontal))


def _known(crs: CRS) -> CRS | None:
    if "undefined" in crs.name.lower() or crs.is_engineering:
        return None
    code = crs.to_epsg(min_confidence=_SURE)
    return crs if code is None else CRS.from_epsg(code)
