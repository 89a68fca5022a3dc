"""Files read by their reader alone, without a database."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import DEFAULTS, ReadOptions
from samsyn_model.properties.schema import NotDateTimesError


@dataclass
class Read:
    """What was read of a layer: WKT and properties of its features, and what is told."""

    layer: SourceLayer
    features: list[tuple[str | None, dict[str, Any]]]
    numbers: list[int]

    @property
    def kinds(self) -> dict[str, str | None]:
        return {name: kind and kind.value for name, kind in self.layer.kinds.items()}

    @property
    def notes(self) -> str:
        return " ".join(self.layer.all_notes())

    @property
    def faults(self) -> list[tuple[int, str]]:
        return [(fault.number, fault.reason) for fault in self.layer.faults.faults]


def read_layer(layer: SourceLayer) -> Read:
    while True:
        layer.restart()
        features: list[tuple[str | None, dict[str, Any]]] = []
        numbers = []
        try:
            for batch in layer.batches():
                texts = map(str, batch.properties)
                for index, text in enumerate(texts):
                    geometry = batch.geometries[index]
                    wkt = None if geometry is None else shapely.to_wkt(geometry, trim=True)
                    features.append((wkt, json.loads(text)))
                    numbers.append(batch.number(index))
            return Read(layer, features, numbers)
        except NotDateTimesError as error:
            layer.free_texts.add(error.name)


def read_all(path: Path, options: ReadOptions = DEFAULTS) -> list[Read]:
    return [read_layer(layer) for layer in open_layers(path, None, options)]


def read(path: Path, options: ReadOptions = DEFAULTS) -> Read:
    [layer] = read_all(path, options)
    return layer
