"""The functions that filters may call beside the operators of CQL2 (OGC 21-065r2, 7.14)."""

from dataclasses import dataclass

from samsyn_provider.cql2.expressions import Kind


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a function."""

    title: str
    description: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Function:
    """A function; its name may be written in any case."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    returns: Kind


_GEOMETRY = Argument("geometry", "A geometry, such as the property `geometry`.", Kind.GEOMETRY)
_OTHER_GEOMETRY = Argument("other geometry", "Another geometry.", Kind.GEOMETRY)
_DISTANCE = Argument("distance", "A distance in metres, not negative.", Kind.NUMBER)

_ALL = (
    Function(
        "S_DWITHIN",
        "Whether two geometries are within a distance of each other, on the WGS 84 ellipsoid.",
        (_GEOMETRY, _OTHER_GEOMETRY, _DISTANCE),
        Kind.BOOLEAN,
    ),
    Function(
        "DISTANCE",
        "The shortest distance between two geometries in metres, on the WGS 84 ellipsoid.",
        (_GEOMETRY, _OTHER_GEOMETRY),
        Kind.NUMBER,
    ),
    Function(
        "AREA",
        "The area of a geometry in square metres, on the WGS 84 ellipsoid; 0 for points and lines.",
        (_GEOMETRY,),
        Kind.NUMBER,
    ),
    Function(
        "LENGTH",
        "The length of the lines of a geometry in metres, on the WGS 84 ellipsoid; 0 for points"
        " and polygons.",
        (_GEOMETRY,),
        Kind.NUMBER,
    ),
)
FUNCTIONS = {function.name.lower(): function for function in _ALL}
"""The functions by their names in lower case."""
