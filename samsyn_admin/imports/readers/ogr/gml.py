"""GML and GPX: what is checked before GDAL reads them, and how.

GDAL writes a schema beside a file of GML, and reads one that is there: so it gets the file by
another name, in a folder of its own.
"""

from collections.abc import Sequence
from pathlib import Path

from samsyn_admin.imports.readers.ogr.layer import OgrLayer, ogr_layers
from samsyn_admin.imports.readers.ogr.xml_check import XmlContent, check_xml
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_admin.imports.sources.scratch import ScratchFolder
from samsyn_model.errors import UnreadableFileError

_BOUNDS = frozenset({"lowerCorner", "upperCorner"})  # of boundedBy, which GDAL takes for fields
_GPX_LINKS = ("link1_", "link2_")
_GPX_FIELDS = frozenset(
    {
        *("ele", "time", "magvar", "geoidheight", "name", "cmt", "desc", "src", "sym", "type"),
        *("fix", "sat", "hdop", "vdop", "pdop", "ageofdgpsdata", "dgpsid", "number"),
    }
)


def gml_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a GML file: one for each type of feature. Raises UnreadableFileError."""
    content = check_xml(path, _is_collection, "GML with features")
    folder = ScratchFolder("samsyn-gml-")
    link = folder.path / "features.gml"
    link.symlink_to(path.absolute())
    layers = ogr_layers(str(link), path, driver="GML", leaves_out=_BOUNDS.__contains__)
    if not layers:
        raise UnreadableFileError(f"{path} has no features.")
    for layer in layers:
        layer.keep(folder)
        _describe(layer, content, path)
    return layers


def _is_collection(name: str) -> bool:
    if name in {"ExceptionReport", "ServiceExceptionReport"}:
        raise UnreadableFileError(
            "The file is not GML with features, but the error message of a server: open it in an"
            " editor to read what it says, and request the features again."
        )
    return True


def _describe(layer: OgrLayer, content: XmlContent, path: Path) -> None:
    systems = content.systems.get(layer.name, set())
    if len(systems) > 1:
        layer.refusal = (
            f"The layer {layer.name!r} of {path} has geometries in several CRS"
            f" ({', '.join(sorted(systems))}): save it in one."
        )
    if content.impossible_dates:
        layer.note(
            f"{content.impossible_dates:,} dates of the file do not exist: they were left"
            " empty, or remain texts."
        )
    if content.references:
        layer.note(
            f"{content.references:,} references to other elements or files (xlink:href) were not"
            " followed."
        )
    layer.expected_geometries = content.geometries.get(layer.name)


def gpx_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a GPX file that have features: waypoints, routes, tracks, their points.

    They have the fields that the file has. Raises UnreadableFileError.
    """
    names = check_xml(path, lambda name: name == "gpx", "GPX").names

    def leaves_out(field: str) -> bool:
        if field.startswith(_GPX_LINKS):
            return "link" not in names
        return field in _GPX_FIELDS and field not in names

    layers = ogr_layers(str(path.absolute()), path, driver="GPX", leaves_out=leaves_out)
    layers = [layer for layer in layers if layer.feature_count]
    if not layers:
        raise UnreadableFileError(f"{path} has no waypoints, routes or tracks.")
    return layers
