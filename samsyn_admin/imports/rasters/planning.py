"""Which layers are made of the rasters of an import."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyproj import CRS

from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.rasters.layers import ConvertedFile
from samsyn_admin.imports.rasters.reading.files import RasterFiles
from samsyn_admin.imports.rasters.reading.formats import raster_sources
from samsyn_admin.imports.rasters.reading.sources import RasterSource, Step
from samsyn_admin.imports.rasters.reading.times import are_distinct, name_without_time
from samsyn_admin.imports.rasters.reading.values import BandValues
from samsyn_model.errors import InvalidParameterError, UnreadableFileError

MAX_TIMES = 400
"""Of a layer: for each there is a file."""
MAX_RASTERS = MAX_TIMES
"""Of an import."""
_MAX_NAME = 255


@dataclass(slots=True)
class PlannedLayer:
    """A layer to be made, and what is found out of the rasters that it is drawn from."""

    name: str
    sources: list[RasterSource]
    crs: CRS
    is_crs_given: bool
    values: list[BandValues] = field(default_factory=list)
    files: list[ConvertedFile] = field(default_factory=list)
    extents: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def steps(self) -> list[tuple[RasterSource, Step]]:
        """The parts by time, each with the raster that has it."""
        return [(source, step) for source in self.sources for step in source.steps]


def found_rasters(rasters: RasterFiles, max_values: int) -> list[RasterSource]:
    """Return the rasters of all files of an import, each with a name of its own.

    One of more values than the limit has a refusal. Raises UnreadableFileError where no file can
    be read, and for too many.
    """
    sources: list[RasterSource] = []
    for file in rasters.files:
        try:
            sources += raster_sources(file)
        except UnreadableFileError as error:
            if len(rasters.files) == 1:
                raise
            sources.append(RasterSource(file.stem, file, "", "", [], refusal=error.detail))
    if len(sources) > MAX_RASTERS:
        raise UnreadableFileError(
            f"There are {len(sources):,} rasters: an import has at most {MAX_RASTERS}."
        )
    names: set[str] = set()
    for source in sources:
        if source.name in names:
            source.name = f"{source.name} ({source.file.name})"
        names.add(source.name)
        if not source.refusal:
            source.refusal = _excess(source, max_values)
    return sources


def planned_layers(
    rasters: RasterFiles, choices: ImportChoices, max_values: int
) -> list[PlannedLayer]:
    """Return the layers to be made of what is chosen.

    Raises InvalidParameterError, UnreadableFileError where what is chosen cannot be imported.
    """
    sources = {source.name: source for source in found_rasters(rasters, max_values)}
    chosen = [source for source in sources.values() if not source.refusal]
    names: dict[str, str] = {}
    if choices.layers is not None:
        chosen = []
        for layer in choices.layers:
            if layer.source not in sources:
                listed = ", ".join(map(repr, sources))
                raise InvalidParameterError(f"There is no raster {layer.source!r}: {listed}.")
            chosen.append(sources[layer.source])
            if layer.name and layer.name != layer.source:  # as a page sends it that shows both
                names[layer.source] = layer.name
    for source in chosen or sources.values():
        if source.refusal:
            raise UnreadableFileError(f"{source.name}: {source.refusal}")
    series = series_of(chosen) if choices.series else None
    groups = [series] if series else [[source] for source in chosen]
    if choices.mode == "replace" and len(groups) > 1:
        raise InvalidParameterError("Choose one raster, or the times of one, to replace another.")
    planned = []
    for group in groups:
        name = series_name(group) if series else group[0].name
        if choices.name:
            name = choices.name if len(groups) == 1 else f"{choices.name}: {name}"
        planned.append(_layer(group, names.get(group[0].name, name), choices))
    return planned


def _layer(sources: list[RasterSource], name: str, choices: ImportChoices) -> PlannedLayer:
    given = choices.crs_of(sources[0].name)
    crs = sources[0].chosen_crs(given)
    if crs is None:
        raise UnreadableFileError(
            f"{sources[0].file.name} names no CRS: choose the one of its coordinates, such as"
            " EPSG:3006."
        )
    layer = PlannedLayer(name[:_MAX_NAME], sources, crs, given is not None)
    layer.extents = [source.extent(crs) for source in sources]
    return layer


def series_of(sources: Sequence[RasterSource]) -> list[RasterSource] | None:
    """Return the rasters by time where they can be the times of one layer, else None."""
    if len(sources) < 2 or any(len(source.steps) != 1 for source in sources):
        return None
    kinds = {(s.dtype, len(s.bands), s.crs, s.unit, s.colours is None) for s in sources}
    if len(kinds) > 1 or not are_distinct([source.steps[0].time for source in sources]):
        return None
    if len({name_without_time(source.file.stem).casefold() for source in sources}) > 1:
        return None
    return sorted(sources, key=lambda source: source.steps[0].time or 0)


def series_name(sources: Sequence[RasterSource]) -> str:
    """Return what rasters of several times are called together."""
    return name_without_time(sources[0].file.stem)


def _excess(source: RasterSource, max_values: int) -> str | None:
    if len(source.steps) > MAX_TIMES:
        return f"It has {len(source.steps):,} times: a layer has at most {MAX_TIMES}."
    if source.value_count > max_values:
        return (
            f"It has {source.value_count:,} values (pixels of all bands and times): at most"
            f" {max_values:,} are imported (MAX_RASTER_VALUES)."
        )
    return None
