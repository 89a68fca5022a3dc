"""Tables read for the tests, without a database."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions


@dataclass
class Read:
    """What a layer holds: WKT and properties by the number of a feature."""

    layer: SourceLayer
    features: dict[int, tuple[str | None, dict[str, Any]]]

    @property
    def shapes(self) -> list[str | None]:
        return [wkt for wkt, _ in self.features.values()]

    @property
    def properties(self) -> list[dict[str, Any]]:
        return [row for _, row in self.features.values()]

    @property
    def kinds(self) -> dict[str, str | None]:
        return {name: kind.value if kind else None for name, kind in self.layer.kinds.items()}

    @property
    def faults(self) -> list[tuple[int | None, str | None, str]]:
        """The line, the field and the reason of each fault."""
        return [(fault.line, fault.field, fault.reason) for fault in self.layer.faults.faults]

    @property
    def notes(self) -> str:
        return " ".join(self.layer.all_notes())


def read_layers(path: Path, **options: Any) -> list[Read]:
    """Read the layers of a file with geometries; raises as `open_layers` does."""
    return [_read(layer) for layer in open_layers(path, options=ReadOptions(**options))]


def _read(layer: SourceLayer) -> Read:
    features = {}
    for batch in layer.batches():
        for index, text in enumerate(batch.properties):
            shape = batch.geometries[index]
            wkt = None if shape is None else shape.wkt
            features[batch.number(index)] = (wkt, json.loads(str(text)))
    return Read(layer, features)


def read_csv(folder: Path, content: str | bytes, suffix: str = "csv", **options: Any) -> Read:
    """Write a CSV file, and read it."""
    path = folder / f"table.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    [read] = read_layers(path, **options)
    return read


def write_ods(path: Path, sheets: dict[str, str], before: str = "") -> Path:
    """Write an ODS file whose sheets have these rows in XML."""
    names = ["office", "table", "text"]
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names
    )
    tables = "".join(
        f"<table:table table:name={quoteattr(name)}>{rows}</table:table>"
        for name, rows in sheets.items()
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0"?>{before}<office:document-content {spaces}><office:body>'
            f"<office:spreadsheet>{tables}</office:spreadsheet></office:body>"
            "</office:document-content>",
        )
    return path


def ods_row(*values: Any, repeated: int = 1) -> str:
    """Return the XML of a row; None is an empty cell, a tuple a type and its value."""
    cells = []
    for value in values:
        if value is None:
            cells.append("<table:table-cell/>")
        elif isinstance(value, str):
            cells.append(
                f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p>'
                "</table:table-cell>"
            )
        elif isinstance(value, tuple):
            kind, text = value
            cells.append(
                f'<table:table-cell office:value-type="{kind}" office:{kind}-value="{text}"/>'
            )
        else:
            cells.append(
                f'<table:table-cell office:value-type="float" office:value="{value}">'
                f"<text:p>shown otherwise</text:p></table:table-cell>"
            )
    times = f' table:number-rows-repeated="{repeated}"' if repeated > 1 else ""
    return f"<table:table-row{times}>{''.join(cells)}</table:table-row>"
