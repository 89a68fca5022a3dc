"""DXF: what is checked before GDAL reads a drawing, which may insert its blocks in one another."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from samsyn_admin.imports.readers.ogr.layer import ogr_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError

MAX_ELEMENTS = 2_000_000
"""So many elements a drawing may have once its blocks are inserted."""
_MAX_DEPTH = 50  # of blocks in blocks
_MAX_LINE = 65_536  # bytes
_INSERTING = frozenset({"INSERT", "DIMENSION"})
_DRAWING = ""  # in place of a block's name


@dataclass(slots=True)
class _Block:
    elements: int = 0
    inserted: Counter[str] = field(default_factory=Counter)
    """How often it inserts each block."""


def dxf_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layer of a drawing, without a CRS. Raises UnreadableFileError."""
    _check_inserts(path)
    layers = ogr_layers(str(path.absolute()), path, driver="DXF")
    for layer in layers:
        layer.name = path.stem
    return layers


def _check_inserts(path: Path) -> None:
    blocks = _blocks(path)
    sizes: dict[str, int] = {}

    def size(name: str, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise UnreadableFileError(f"{path} has blocks nested too deeply, or in themselves.")
        if name not in sizes:
            block = blocks.get(name, _Block())
            inserted = (times * size(other, depth + 1) for other, times in block.inserted.items())
            sizes[name] = block.elements + sum(inserted)
        return sizes[name]

    count = size(_DRAWING, 0)
    if count > MAX_ELEMENTS:
        raise UnreadableFileError(
            f"{path} inserts its blocks so often that it has {count:,} elements: at most"
            f" {MAX_ELEMENTS:,} are read."
        )


def _blocks(path: Path) -> dict[str, _Block]:
    """Return the blocks of a drawing by name, and the drawing itself."""
    blocks: dict[str, _Block] = {}
    for element in _elements(path):
        kind = element[0][1]
        values = dict(reversed(element))  # the first of each code
        if kind == "BLOCK":
            block = blocks.setdefault(values.get(2, _DRAWING), _Block())
        elif kind in {"ENDBLK", "SECTION"} or not blocks:
            block = blocks.setdefault(_DRAWING, _Block())
        block.elements += 1
        if kind in _INSERTING:
            times = max(_integer(values.get(70)), 1) * max(_integer(values.get(71)), 1)
            block.inserted[values.get(2, _DRAWING)] += times if kind == "INSERT" else 1
    return blocks


def _elements(path: Path) -> Iterator[list[tuple[int, str]]]:
    """Yield the group codes and values of each element."""
    element: list[tuple[int, str]] = []
    for code, value in chain(_pairs(path), [(0, "EOF")]):
        if code == 0 and element:
            yield element
            element = []
        if (element or code == 0) and code in {0, 2, 70, 71}:
            element.append((code, value))


def _pairs(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            value = file.readline(_MAX_LINE)
            yield _integer(line.decode("latin-1"), -1), value.decode("latin-1").strip()


def _integer(text: str | None, otherwise: int = 0) -> int:
    try:
        return int((text or "")[:20])
    except ValueError:
        return otherwise
