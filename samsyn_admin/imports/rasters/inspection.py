"""What the rasters of an import hold: read once, without storing anything."""

from collections.abc import Callable, Sequence
from typing import Any

from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.report import described_crs
from samsyn_admin.imports.rasters.drawing import drawing
from samsyn_admin.imports.rasters.planning import found_rasters, series_name, series_of
from samsyn_admin.imports.rasters.reading.files import RasterFiles
from samsyn_admin.imports.rasters.reading.gdal import opened
from samsyn_admin.imports.rasters.reading.sources import RasterSource
from samsyn_admin.imports.rasters.reading.values import BandValues, read_values
from samsyn_admin.layers.rasters.times import shown_time
from samsyn_model.errors import SamsynError

_SHOWN_TIMES = 100
_NO_CRS = "The file names no CRS: choose the one of its coordinates, such as EPSG:3006."

type Report = Callable[[float, str], None]
"""Told the share that is done, and of what."""


def inspect_rasters(
    rasters: RasterFiles, choices: ImportChoices, max_values: int, report: Report
) -> dict[str, Any]:
    """Return what the rasters are when they are read as chosen, as the API shows it.

    Raises UnreadableFileError.
    """
    sources = found_rasters(rasters, max_values)
    layers = []
    for number, source in enumerate(sources):

        def tell(share: float, number: int = number, name: str = source.name) -> None:
            report((number + share) / len(sources), name)

        layers.append(_document(source, choices, tell))
    series = series_of([source for source in sources if not source.refusal])
    formats = list(dict.fromkeys(source.format for source in sources if source.format))
    return {
        "format": ", ".join(formats) or None,
        "layers": layers,
        "notes": list(rasters.notes),
        "series": series and {"name": series_name(series), "times": _times(series)},
    }


def statistics_of(values: Sequence[BandValues]) -> dict[str, Any]:
    """Return the statistics of bands as TiTiler names them: `b1`, `b2`, ..."""
    return {f"b{number}": band.statistics() for number, band in enumerate(values, 1)}


def _document(
    source: RasterSource, choices: ImportChoices, tell: Callable[[float], None]
) -> dict[str, Any]:
    refusal, notes, crs, extent = source.refusal, list(source.notes), None, None
    given = choices.crs_of(source.name)
    raster = None
    if not refusal:
        try:
            crs = source.chosen_crs(given)
            if crs is None:
                notes.append(_NO_CRS)
            else:
                notes += source.remarks(crs)
                extent = source.extent(crs)
            raster = _raster(source, choices, tell)
        except SamsynError as error:
            refusal = error.detail
    return {
        "name": source.name,
        "feature_count": 0,
        "has_geometry": True,
        "geometry_types": {},
        "crs": crs and described_crs(crs, source.crs_origin, is_given=given is not None),
        "encoding": None,
        "fields": [],
        "extent": extent and [*extent],
        "null_count": 0,
        "invalid_count": 0,
        "fault_count": 0,
        "faults": [],
        "columns": None,
        "notes": notes,
        "refusal": refusal,
        "raster": raster,
    }


def _raster(
    source: RasterSource, choices: ImportChoices, tell: Callable[[float], None]
) -> dict[str, Any]:
    values = [BandValues() for _ in source.bands]
    with opened(source.dataset, source.file.driver, source.file.name) as dataset:
        for share in read_values(dataset, source.bands, values, source.scaling, choices.nodata):
            tell(share)
    drawn = drawing(source, values)
    statistics = statistics_of(values)
    return {
        "width": source.width,
        "height": source.height,
        "dtype": source.dtype,
        "nodata": _number(source.nodata),
        "resolution": [*source.resolution],
        "unit": source.unit,
        "bands": [
            {"band": number, "description": description, **statistics[f"b{number}"]}
            for number, description in enumerate(source.descriptions, 1)
        ],
        "times": _times([source])[:_SHOWN_TIMES],
        "time_count": sum(step.time is not None for step in source.steps),
        "is_categorical": drawn.is_categorical,
        "processing": drawn.processing,
        "legend": drawn.legend,
    }


def _times(sources: Sequence[RasterSource]) -> list[str]:
    return [shown_time(s.time) for source in sources for s in source.steps if s.time is not None]


def _number(value: float | None) -> float | str | None:
    return value if value is None or abs(value) < float("inf") else "nan"
