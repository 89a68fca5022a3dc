"""Damaged shapefiles and archives, read: `python -m ….damaged_files FOLDER COUNT SEED`.

A process of its own, since libraries in C read them. It prints how many were read and how many
refused, in JSON.
"""

import gzip
import json
import struct
import sys
from collections import Counter
from pathlib import Path
from random import Random

from samsyn_model.errors import SamsynError
from tests.api.imports.readers.shapefile.shapefiles import (
    LINE,
    MULTIPOINT,
    PATCH,
    POINT,
    POLYGON,
    POLYGON_Z,
    contents,
    dbf,
    field,
    pack,
    parts,
    point,
    read_layers,
    write,
)

OUTER = [(0.0, 0.0, 1.0), (0.0, 9.0, 1.0), (9.0, 9.0, 1.0), (9.0, 0.0, 1.0), (0.0, 0.0, 1.0)]
INNER = [(1.0, 1.0, 1.0), (4.0, 1.0, 1.0), (4.0, 4.0, 1.0), (1.0, 1.0, 1.0)]
FIELDS = [field("C", 12, name="text"), field("N", 9, name="n"), field("F", 12, 3, name="f")]
FIELDS += [field("D", 8, name="day"), field("L", 1, name="flag"), field("N", 20, name="wide")]
ROW = ["Hanö".encode(), b"12", b"1.5", b"20240501", b"T", b"99999999999999999999"]


def samples() -> list[dict[str, bytes]]:
    """Return the parts of small shapefiles of every kind."""
    patch = parts(PATCH, OUTER, INNER)
    patch = patch[:52] + struct.pack("<2i", 2, 3) + patch[52:]
    multipoint = struct.pack("<i4di4d", MULTIPOINT, 0, 0, 0, 0, 2, 1, 2, 3, 4)
    records = {
        POINT: point(),
        LINE: parts(LINE, OUTER, INNER),
        POLYGON: parts(POLYGON, OUTER, INNER),
        POLYGON_Z: parts(POLYGON_Z, OUTER, INNER),
        MULTIPOINT: multipoint,
        PATCH: patch,
    }
    table = dbf(FIELDS, [ROW] * 3)
    return [contents(kind, [record] * 3, table, "UTF-8") for kind, record in records.items()]


def damaged(random: Random, content: bytes) -> bytes:
    """Return a content with some bytes changed, removed or repeated."""
    result = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(max(len(result), 1))
        match random.randrange(6):
            case 0:
                del result[at:]
            case 1:
                del result[at : at + random.randrange(1, 40)]
            case 2:
                result[at:at] = result[at : at + random.randrange(1, 40)]
            case 3:
                result[at : at + 4] = random.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case 4:
                result[at : at + 8] = struct.pack("<d", random.choice((1e308, -1e-300, 4e9)))
            case _:
                result[at : at + 1] = bytes([random.randrange(256)])
    return bytes(result)


def main(folder: Path, count: int, seed: str) -> None:
    random, outcomes = Random(seed), Counter[str]()
    shapefiles = samples()
    for number in range(count):
        files = dict(random.choice(shapefiles))
        whole = random.randrange(3)
        if whole:
            suffix = random.choice(list(files))
            files[suffix] = damaged(random, files[suffix])
        if random.random() < 0.2:
            del files[random.choice(list(files))]
        path = folder / f"a{number}.zip"
        if whole == 2 and ".shp" in files:
            path = write(folder, files, f"a{number}")
        else:
            pack(path, {f"zones{suffix}": content for suffix, content in files.items()})
            if not whole:
                path.write_bytes(damaged(random, path.read_bytes()))
                if random.random() < 0.2:
                    path.write_bytes(damaged(random, gzip.compress(path.read_bytes())))
        try:
            layers = read_layers(path)
        except SamsynError:
            outcomes["refused"] += 1
        except Exception:
            sys.stderr.write(f"seed {seed}, number {number}: {path}\n")
            raise
        else:
            outcomes["read"] += 1
            outcomes["faults"] += sum(len(layer.faults) for layer in layers)
        for file in folder.glob(f"a{number}.*"):
            file.unlink()
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
