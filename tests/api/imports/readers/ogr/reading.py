"""Files read without a database: what their layers hold, and what is told of them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import SourceLayer

type Rows = list[tuple[str | None, dict[str, Any]]]


def read(path: Path, source_layer: str | None = None) -> list[tuple[SourceLayer, Rows]]:
    """Return the layers, and the WKT and properties of the features of each."""
    result = []
    for layer in open_layers(path, source_layer):
        rows: Rows = []
        for batch in layer.batches():
            texts = [None if shape is None else shape.wkt for shape in batch.geometries]
            properties = [json.loads(str(text)) for text in batch.properties]
            rows += zip(texts, properties, strict=True)
            if batch.numbers is not None:
                assert len(batch.numbers) == len(texts)
        result.append((layer, rows))
    return result


def read_one(path: Path) -> tuple[SourceLayer, Rows]:
    [only] = read(path)
    return only


def faults(layer: SourceLayer) -> list[tuple[int, str | None, str]]:
    return [(fault.number, fault.field, fault.reason) for fault in layer.faults.faults]


def shared_file(name: str) -> Path:
    """Return one of the small files that people had trouble with; skips without them."""
    root = Path(__file__).resolve().parents[6] / "shared"
    path = Path(os.environ.get("SAMSYN_SHARED", root)) / "files" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return path
