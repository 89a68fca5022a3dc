"""A document or folder of KML as a layer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from samsyn_admin.imports.readers.geojson.features import FeaturesLayer, ReadFeature
from samsyn_admin.imports.readers.kml.document import Element, KMLDocument
from samsyn_admin.imports.readers.kml.fields import (
    CONVERSIONS,
    FieldKinds,
    declared_kinds,
    values_of,
)
from samsyn_admin.imports.readers.kml.geometry import has_element, placemark_geometry
from samsyn_admin.imports.readers.kml.styles import StyleOfPlacemark, Styles, style_of
from samsyn_admin.imports.sources.counts import counted
from samsyn_admin.imports.sources.layer import CRS84
from samsyn_admin.imports.sources.limits import check_count
from samsyn_model.errors import UnreadableFileError
from samsyn_model.properties.schema import Kind, unique_names

_EXPECTED = {Kind.INTEGER: "a whole number", Kind.NUMBER: "a number", Kind.BOOLEAN: "true or false"}
_LEFT_OUT = {
    "NetworkLink": (
        "{count} {link to another file, which is not followed, was"
        "|links to other files, which are not followed, were} left out."
    ),
    "GroundOverlay": "{count} {picture on the ground was|pictures on the ground were} left out.",
    "ScreenOverlay": "{count} {picture on the screen was|pictures on the screen were} left out.",
    "PhotoOverlay": "{count} {photo was|photos were} left out.",
    "Tour": "{count} {tour was|tours were} left out.",
}
_TRACKS = ("Track", "MultiTrack")


class KMLLayer(FeaturesLayer):
    """The placemarks that a container holds itself; those of folders in it are others' layers."""

    format = "KML"
    crs = CRS84
    crs_is_implied = True
    crs_origin = "KML is in longitude and latitude"

    def __init__(self, document: KMLDocument, index: int) -> None:
        super().__init__()
        self.feature_count = 0
        self.encoding, self.encoding_origin = document.encoding
        self._document = document
        self._index = index
        self._fields = FieldKinds()
        self._styles: Counter[StyleOfPlacemark] = Counter()
        self._columns = self._fields.columns()

    def observe(self, placemark: Element) -> None:
        """Observe the fields and the style of a placemark of the layer."""
        self.feature_count = (self.feature_count or 0) + 1
        self._fields.observe(values_of(placemark))
        self._styles[style_of(placemark, placemark_geometry(placemark))] += 1
        if has_element(placemark, "Model"):
            self.note("Models have a place only, which was left out: they have no geometry.")
        if any(has_element(placemark, name) for name in _TRACKS):
            self.note("Tracks were read as lines, without the times of their positions.")

    def complete(self, name: str, kinds: dict[str, Kind], styles: Styles) -> None:
        """Take what is known once all of the file is observed."""
        self.name = name
        self._fields.declare(kinds)
        self._columns = self._fields.columns()
        self.style, notes = styles.config(self._styles)
        for note in notes:
            self.note(note)

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The fields that placemarks have, as declared or as their values are."""
        observed = self._observed.kinds
        return {
            name: observed.get(name) if kind in {None, Kind.STRING} else kind
            for name, kind in self._columns.values()
        }

    def _features(self) -> Iterator[ReadFeature]:
        read = 0
        for index, element in self._document.trees():
            if index == self._index and element.name == "Placemark":
                read += 1
                yield self._feature(element)
                if read == self.feature_count:
                    return

    def _feature(self, placemark: Element) -> ReadFeature:
        properties: dict[str, Any] = {name: None for name, _ in self._columns.values()}
        faults = {}
        for field, text in values_of(placemark):
            name, kind = self._columns[field]
            convert = CONVERSIONS.get(kind)
            try:
                properties[name] = convert(text) if convert else text
            except (ValueError, KeyError, TypeError):
                expected = _EXPECTED[kind] if kind else ""
                faults[name] = f"{str(text)[:50]!r} is not {expected}"
        feature = {
            **{"type": "Feature", "id": placemark.attributes.get("id")},
            **{"geometry": placemark_geometry(placemark), "properties": properties},
        }
        return ReadFeature(feature, value_faults=faults)


def layers_of(open_file: Callable[[], IO[bytes]], path: Path, stem: str) -> Sequence[KMLLayer]:
    """Return a layer of each document and folder with placemarks of a KML file.

    `path` names the file in errors, `stem` the containers without a name. Raises
    UnreadableFileError.
    """
    document = KMLDocument(open_file, path)
    layers: dict[int, KMLLayer] = {}
    kinds: dict[str, Kind] = {}
    styles = Styles()
    for index, element in document.trees():
        if element.name == "Placemark":
            if index not in layers:
                check_count(path, len(layers) + 1)
                layers[index] = KMLLayer(document, index)
            layers[index].observe(element)
        elif element.name == "Schema":
            kinds.update(declared_kinds(element))
        else:
            styles.share(element)
    if not layers:
        raise UnreadableFileError(_nothing(path, document))
    ordered = sorted(layers)
    names = unique_names([document.containers[index].name.strip() or stem for index in ordered])
    for index, name in zip(ordered, names, strict=True):
        layers[index].complete(name, kinds, styles)
    first = layers[ordered[0]]
    for element_name, text in _LEFT_OUT.items():
        if count := document.counts[element_name]:
            first.note(counted(text, count))
    return [layers[index] for index in ordered]


def _nothing(path: object, document: KMLDocument) -> str:
    if document.counts["NetworkLink"]:
        return f"{path} has links to other files only, which are not followed."
    if document.counts["GroundOverlay"]:
        return f"{path} has pictures on the ground only (GroundOverlay), which are not imported."
    return f"{path} has no placemarks."
