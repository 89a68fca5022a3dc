"""Rings as polygons: which are holes, and of which ring."""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from samsyn_admin.imports.sources.layer import object_array

WRONG_DIRECTION = (
    "Some rings run in the wrong direction: a ring within another was taken for a hole."
)


def polygons_of_rings(
    rings: NDArray[Any],
    owners: NDArray[np.int64],
    positions: NDArray[np.float64],
    extents: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[NDArray[Any], bool]:
    """Return the polygon or multipolygon of each owner's rings, and whether the direction of some
    contradicts it: shells run clockwise in a shapefile, holes counter-clockwise.

    The owners are 0, 1, 2, …, each with at least one ring; `extents` are the start and the number
    of each ring's positions.
    """
    numbers = np.bincount(owners)
    result = object_array([None] * len(numbers))
    single = (numbers == 1)[owners]
    result[numbers == 1] = shapely.polygons(rings[single])
    if single.all():
        return result, False
    several = np.flatnonzero(~single)
    starts, sizes = extents
    areas = _signed_areas(positions, starts[several], sizes[several])
    of, owner = np.unique(owners[several], return_inverse=True)
    result[of], is_wrong = _nested(rings[several], owner, areas)
    return result, is_wrong


def _signed_areas(
    positions: NDArray[np.float64], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return twice the area of each ring, negative for one that runs clockwise."""
    before = np.cumsum(sizes) - sizes
    rows = np.arange(sizes.sum()) + np.repeat(starts - before, sizes)
    local = positions[rows] - np.repeat(positions[starts], sizes, axis=0)
    following = np.roll(local, -1, axis=0)
    following[before + sizes - 1] = 0
    cross = local[:, 0] * following[:, 1] - following[:, 0] * local[:, 1]
    areas: NDArray[np.float64] = np.add.reduceat(cross, before)
    return areas


def _nested(
    rings: NDArray[Any], owner: NDArray[np.int64], areas: NDArray[np.float64]
) -> tuple[NDArray[Any], bool]:
    """Return the polygons of owners that have several rings each."""
    sizes = np.abs(areas)
    polygons: Any = shapely.polygons(rings)
    with np.errstate(all="ignore"):  # of positions that differ by next to nothing
        points: Any = shapely.point_on_surface(polygons)
    numbers = np.bincount(owner)
    order = np.lexsort((-sizes, owner))
    largest = order[np.cumsum(numbers) - numbers]
    shell = largest[owner]
    others = np.flatnonzero(shell != np.arange(len(rings)))
    shapely.prepare(polygons[largest])
    inside = shapely.intersects(polygons[shell[others]], points[others]) & (areas[others] > 0)
    is_plain = areas[largest] < 0
    is_plain[owner[others[~inside]]] = False
    parents = np.where(shell == np.arange(len(rings)), -1, shell)
    for number in np.flatnonzero(~is_plain):
        members = np.flatnonzero(owner == number)
        found = _parents(polygons[members], points[members], sizes[members])
        parents[members] = np.where(found < 0, -1, members[found])
    shells = np.where(parents < 0, np.arange(len(rings)), parents)
    order = np.lexsort((parents >= 0, shells, owner))
    _, first, indices = np.unique(shells[order], return_index=True, return_inverse=True)
    made: Any = shapely.polygons(rings[order], indices=_consecutive(indices))
    made_owner = owner[order][np.sort(first)]
    is_wrong = bool(((parents < 0) != (areas < 0)).any())
    return joined(made, made_owner, shapely.multipolygons), is_wrong


def _consecutive(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of runs of equal values: 0, 0, 1, …"""
    changes: NDArray[np.int64] = np.cumsum(np.append(False, indices[1:] != indices[:-1]))
    return changes


def _parents(
    polygons: NDArray[Any], points: NDArray[Any], sizes: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return for each ring the ring that it is a hole of, or -1.

    A ring in an odd number of larger ones is a hole, of the smallest of them.
    """
    inner, outer = shapely.STRtree(polygons).query(points, predicate="within")
    larger = (sizes[outer] > sizes[inner]) | ((sizes[outer] == sizes[inner]) & (outer < inner))
    inner, outer = inner[larger], outer[larger]
    depths = np.bincount(inner, minlength=len(polygons))
    parents = np.full(len(polygons), -1)
    order = np.lexsort((-sizes[outer], inner))
    parents[inner[order]] = outer[order]  # the last, which is the smallest, stays
    parents[depths % 2 == 0] = -1
    parents[(parents >= 0) & (depths[parents] % 2 == 1)] = -1
    return parents


def joined(
    parts: NDArray[Any], owners: NDArray[np.int64], join: Callable[..., Any]
) -> NDArray[Any]:
    """Return the parts of each owner as one geometry, of which there are 0, 1, 2, …: a single part
    as it is, several joined by a function such as `shapely.multipolygons`."""
    numbers = np.bincount(owners)
    result = object_array([None] * len(numbers))
    single = numbers == 1
    result[single] = parts[single[owners]]
    if not single.all():
        several = ~single[owners]
        _, indices = np.unique(owners[several], return_inverse=True)
        result[~single] = join(parts[several], indices=indices)
    return result
