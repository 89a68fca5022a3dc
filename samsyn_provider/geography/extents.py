"""Extents [west, south, east, north] in degrees; west of east, or across the antimeridian."""

from collections.abc import Sequence

type Extent = tuple[float, float, float, float]

_LEAST_GAIN = 0.9  # as the function layer_extent has it


def around_the_world(extent: Extent) -> Extent:
    """Return the extent for what cannot cross the antimeridian: all longitudes where this does."""
    west, south, east, north = extent
    return (-180.0, south, 180.0, north) if west > east else extent


def centre(extent: Extent) -> tuple[float, float]:
    """Return the longitude and the latitude of the middle."""
    west, south, east, north = extent
    longitude = (west + east + (360 if west > east else 0)) / 2
    return longitude - 360 if longitude > 180 else longitude, (south + north) / 2


def union(extents: Sequence[Extent]) -> Extent:
    """Return the smallest extent that holds all of these, of which there is at least one."""
    south, north = min(extent[1] for extent in extents), max(extent[3] for extent in extents)
    ranges: list[tuple[float, float]] = []
    for west, _, east, _ in extents:
        ranges += [(west, 180.0), (-180.0, east)] if west > east else [(west, east)]
    ranges.sort()
    west, reached = ranges[0]
    gap_start = gap_end = reached
    for start, end in ranges[1:]:
        if start - reached > gap_end - gap_start:
            gap_start, gap_end = reached, start
        reached = max(reached, end)
    if 360 - (gap_end - gap_start) < _LEAST_GAIN * (reached - west):
        return gap_end, south, gap_start, north
    return west, south, reached, north
