"""Shapefiles byte by byte: what libraries would not write."""

import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.features.faults import FeatureFault

PRJ = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)
POINT, LINE, POLYGON, MULTIPOINT, POINT_Z, POLYGON_Z, PATCH = 1, 3, 5, 8, 11, 15, 31


@dataclass(frozen=True)
class ReadLayer:
    """What was read of a layer."""

    name: str
    wkt: list[str | None]
    properties: list[dict[str, Any]]
    kinds: dict[str, str]
    notes: list[str]
    faults: list[FeatureFault]
    encoding: str | None
    encoding_origin: str

    def values(self, field: str) -> list[Any]:
        return [properties[field] for properties in self.properties]


def read_layers(path: Path, **options: Any) -> list[ReadLayer]:
    """Read every layer of a file."""
    result = []
    for layer in open_layers(path, options=ReadOptions(**options)):
        batches = list(layer.batches())
        geometries = [shape for batch in batches for shape in batch.geometries]
        texts = [str(text) for batch in batches for text in batch.properties]
        result.append(
            ReadLayer(
                layer.name,
                [None if shape is None else shape.wkt for shape in geometries],
                [json.loads(text) for text in texts],
                {name: kind.value for name, kind in layer.kinds.items() if kind},
                layer.all_notes(),
                layer.faults.faults,
                layer.encoding,
                layer.encoding_origin,
            )
        )
    return result


def read(path: Path, **options: Any) -> ReadLayer:
    """Read the only layer of a file."""
    [layer] = read_layers(path, **options)
    return layer


def field(
    kind: str, width: int, decimals: int = 0, name: bytes | str = "a"
) -> tuple[bytes, str, int, int]:
    return (name.encode() if isinstance(name, str) else name, kind, width, decimals)


def dbf(
    fields: Sequence[tuple[bytes, str, int, int]],
    rows: Sequence[Sequence[bytes]],
    language_id: int = 0,
) -> bytes:
    """Return a table; values are padded with spaces on the right."""
    size = 1 + sum(width for _, _, width, _ in fields)
    start = 33 + 32 * len(fields)
    head = bytes([3, 126, 1, 1]) + struct.pack("<IHH", len(rows), start, size)
    head += bytes(17) + bytes([language_id]) + bytes(2)
    for name, kind, width, decimals in fields:
        head += name.ljust(11, b"\0") + kind.encode() + bytes(4)
        head += bytes([width, decimals]) + bytes(14)
    body = b"".join(
        b" " + b"".join(value.ljust(f[2]) for value, f in zip(row, fields, strict=True))
        for row in rows
    )
    return head + b"\r" + body + b"\x1a"


def point(x: float = 11, y: float = 57) -> bytes:
    return struct.pack("<i2d", POINT, x, y)


def parts(kind: int, *rings: Sequence[tuple[float, ...]]) -> bytes:
    """Return a line or polygon; positions of three numbers have heights."""
    positions = [position for ring in rings for position in ring]
    starts, at = [], 0
    for ring in rings:
        starts.append(at)
        at += len(ring)
    content = struct.pack("<i4d2i", kind, 0, 0, 0, 0, len(rings), len(positions))
    content += struct.pack(f"<{len(starts)}i", *starts)
    content += b"".join(struct.pack("<2d", *position[:2]) for position in positions)
    if kind > 10:
        content += struct.pack("<2d", 0, 0)
        content += b"".join(struct.pack("<d", position[2]) for position in positions)
    return content


def shp(kind: int, records: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return a `.shp` and its `.shx`."""
    body, index = b"", b""
    for number, record in enumerate(records, 1):
        index += struct.pack(">2i", (100 + len(body)) // 2, len(record) // 2)
        body += struct.pack(">2i", number, len(record) // 2) + record

    def head(size: int) -> bytes:
        return struct.pack(">7i", 9994, 0, 0, 0, 0, 0, (100 + size) // 2) + struct.pack(
            "<2i8d", 1000, kind, 0, 0, 0, 0, 0, 0, 0, 0
        )

    return head(len(body)) + body, head(len(index)) + index


def contents(
    kind: int = POINT,
    records: Sequence[bytes] = (point(),),
    table: bytes | None = None,
    cpg: str | None = None,
    prj: str | None = PRJ,
) -> dict[str, bytes]:
    """Return the parts of a shapefile by their suffixes."""
    shapes, index = shp(kind, records)
    if table is None:
        table = dbf([field("N", 4)], [[str(number).encode()] for number in range(len(records))])
    result = {".shp": shapes, ".shx": index, ".dbf": table}
    if cpg is not None:
        result[".cpg"] = cpg.encode()
    if prj is not None:
        result[".prj"] = prj.encode()
    return result


def write(folder: Path, files: Mapping[str, bytes], name: str = "zones") -> Path:
    """Write the parts into a folder; return the path of the `.shp`."""
    for suffix, content in files.items():
        (folder / f"{name}{suffix}").write_bytes(content)
    return folder / f"{name}.shp"


def write_values(
    folder: Path, kind: tuple[bytes, str, int, int], values: Sequence[bytes], **options: Any
) -> Path:
    """Write a shapefile of points with one field."""
    table = dbf([kind], [[value] for value in values], options.pop("language_id", 0))
    return write(folder, contents(records=[point()] * len(values), table=table, **options))


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
