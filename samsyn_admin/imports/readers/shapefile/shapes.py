"""Shapes as geometries."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from samsyn_admin.imports.readers.shapefile.multipatch import multipolygon
from samsyn_admin.imports.readers.shapefile.polygons import (
    WRONG_DIRECTION,
    joined,
    polygons_of_rings,
)
from samsyn_admin.imports.readers.shapefile.records import (
    LINE,
    MULTIPATCH,
    MULTIPOINT,
    NULL,
    POINT,
    WRONG_PARTS,
    DamagedShapeError,
    Shape,
)
from samsyn_admin.imports.sources.layer import object_array

_MEASURES = "M values (measures) were left out."
_PATCHES = "Multipatches (surfaces of triangles and rings) were turned into multipolygons."
_NO_HEIGHTS = (
    "{count} {geometry has|geometries have} heights that are not numbers: they were left out."
)
_CLOSED = "{count} {ring|rings} did not end where {it begins|they begin}, and {was|were} closed."
_LINE_POSITIONS = 2
_RING_POSITIONS = 4
_NOT_NUMBERS = "The shape has coordinates that are not numbers, or of no place on Earth."
_FAR = 1e18  # in whatever unit; products of larger ones may be infinite


@dataclass(frozen=True, slots=True)
class _Group:
    """Shapes of one kind, all with heights or all without, and their places among all shapes."""

    kind: int
    has_heights: bool
    places: NDArray[np.int64]
    shapes: list[Shape]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many positions each has."""
        return np.array([len(shape.positions) for shape in self.shapes])

    def owners(self, wrong: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return which of the shapes have positions that are marked."""
        return np.unique(np.repeat(np.arange(len(self.shapes)), self.counts)[wrong])

    def only(self, chosen: NDArray[np.int64]) -> "_Group":
        """Return the group of some of the shapes."""
        shapes = [self.shapes[index] for index in chosen]
        return _Group(self.kind, self.has_heights, self.places[chosen], shapes)

    def without(self, left_out: NDArray[np.int64]) -> "_Group":
        """Return the group of the other shapes."""
        return self.only(np.setdiff1d(np.arange(len(self.shapes)), left_out))

    def flat(self) -> "_Group":
        """Return the group without heights."""
        shapes = [shape._replace(heights=None) for shape in self.shapes]
        return _Group(self.kind, False, self.places, shapes)


class Geometries:
    """The geometries of some shapes: `reasons` is why some have none, by their places.

    `notes` and `tallies` are what the user should know, as those of a SourceLayer.
    """

    def __init__(self, shapes: Sequence[Shape | str]) -> None:
        self.array: NDArray[Any] = object_array([None] * len(shapes))
        self.reasons: dict[int, str] = {}
        self.notes: dict[str, None] = {}
        self.tallies: Counter[str] = Counter()
        groups: dict[tuple[int, bool], list[int]] = {}
        for place, shape in enumerate(shapes):
            if isinstance(shape, str):
                self.reasons[place] = f"The shape is damaged: {shape}."
            elif shape.kind != NULL:
                key = (shape.kind, shape.heights is not None)
                groups.setdefault(key, []).append(place)
                if shape.has_measures:
                    self.notes[_MEASURES] = None
        for (kind, has_heights), places in groups.items():
            members = [shape for place in places if not isinstance(shape := shapes[place], str)]
            self._build(_Group(kind, has_heights, np.array(places), members))

    def _build(self, group: _Group) -> None:
        if not group.shapes:
            return
        positions = np.concatenate([shape.positions for shape in group.shapes])
        wild = ~(np.abs(positions) < _FAR).all(axis=1)
        if wild.any():
            wrong = group.owners(wild)
            self.reasons |= dict.fromkeys(group.places[wrong].tolist(), _NOT_NUMBERS)
            self._build(group.without(wrong))
            return
        if group.has_heights:
            arrays = [shape.heights for shape in group.shapes if shape.heights is not None]
            heights = np.concatenate(arrays)
            missing = ~(np.abs(heights) < _FAR)
            if missing.any():
                flat = group.owners(missing)
                self.tallies[_NO_HEIGHTS] += len(flat)
                self._build(group.only(flat).flat())
                self._build(group.without(flat))
                return
            positions = np.column_stack((positions, heights))
        self._build_sound(group, positions)

    def _build_sound(self, group: _Group, positions: NDArray[np.float64]) -> None:
        """Build geometries of positions that are numbers, in two or three columns."""
        if group.kind == POINT:
            self.array[group.places] = shapely.points(positions)
        elif group.kind == MULTIPOINT:
            owners = np.repeat(np.arange(len(group.shapes)), group.counts)
            points: Any = shapely.points(positions)
            self.array[group.places] = shapely.multipoints(points, indices=owners)
        elif group.kind == MULTIPATCH:
            self.notes[_PATCHES] = None
            for place, shape in zip(group.places.tolist(), group.shapes, strict=True):
                try:
                    self.array[place] = multipolygon(shape)
                except DamagedShapeError as error:
                    self.reasons[place] = f"The shape is damaged: {error}."
        else:
            self._build_parts(group, positions)

    def _build_parts(self, group: _Group, positions: NDArray[np.float64]) -> None:
        """Build lines or polygons of parts."""
        counts = group.counts
        numbers = np.array([len(shape.parts) for shape in group.shapes])
        owners = np.repeat(np.arange(len(counts)), numbers)
        before = np.cumsum(counts) - counts
        starts = np.concatenate([shape.parts for shape in group.shapes]) + before[owners]
        sizes = np.diff(np.append(starts, len(positions)))
        if group.kind == LINE:
            short = sizes < _LINE_POSITIONS
        else:
            last = len(positions) - 1  # what follows is of no use where parts do not ascend
            firsts, ends = np.clip(starts, 0, last), np.clip(starts + sizes - 1, 0, last)
            is_open = (positions[firsts, :2] != positions[ends, :2]).any(axis=1)
            short = sizes + is_open < _RING_POSITIONS
        if short.any():
            wrong, first = np.unique(owners[short], return_index=True)
            for owner, size in zip(wrong, sizes[short][first], strict=True):
                self.reasons[int(group.places[owner])] = _short(group.kind, int(size))
            self._build(group.without(wrong))
            return
        indices = np.repeat(np.arange(len(starts)), sizes)
        if group.kind == LINE:
            lines: Any = shapely.linestrings(positions, indices=indices)
            self.array[group.places] = joined(lines, owners, shapely.multilinestrings)
            return
        self.tallies[_CLOSED] += int(is_open.sum())
        rings: Any = shapely.linearrings(positions, indices=indices)
        polygons, is_wrong = polygons_of_rings(rings, owners, positions[:, :2], (starts, sizes))
        self.array[group.places] = polygons
        if is_wrong:
            self.notes[WRONG_DIRECTION] = None


def _short(kind: int, size: int) -> str:
    if size < 1:
        return f"The shape is damaged: {WRONG_PARTS}."
    noun = "position" if size == 1 else "positions"
    if kind == LINE:
        return f"The shape has a line of {size} {noun}: a line needs at least two."
    return (
        f"The shape has a ring of {size} {noun}: a ring needs at least four, of which the last is"
        " the first."
    )
