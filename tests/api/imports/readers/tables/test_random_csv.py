"""Many small CSV files made at random: none ends in another error, no number is read wrongly."""

import json
import os
import re
from decimal import Decimal
from pathlib import Path
from random import Random

import shapely

from samsyn_admin.imports.readers.tables.csv import CSVLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import SamsynError
from samsyn_model.properties.schema import Kind
from tests.fuzz.odd_values import cut

FILES = int(os.environ.get("FUZZ_FILES", "1500"))
SEED = os.environ.get("FUZZ_SEED", "tables")
HEADINGS = [
    "lon",
    "lat",
    "x",
    "y",
    "N",
    "E",
    "wkt",
    "geom",
    "a",
    "b",
    "",
    "år",
    "lat (dd)",
    "Länge",
]
NUMBERS = [
    *("1", "-2.5", "3,5", "1 234,5", "1.234", "1,234", "1.234,5", "1,234.5", "1e3", "1e999", "1_1"),
    *("inf", "nan", "٣", "0x10", "007", "9007199254740993", "12,5", "57.25", "11,000", "+5", "5."),
    *(
        "6399617,34",
        "319180.07",
        "12\u00a0345",
        "1'234",
        "-0",
        ".5",
        ",5",
        "1e-999",
        "99999999999999.5",
    ),
]
TEXTS = [
    *("", " ", "x", "N57°41'23\"", "57 41 23 N", "11:58:00", "POINT(1 2)", "SRID=3006;POINT(1 2)"),
    *("0101000000000000000000F03F0000000000000040", '{"type":"Point","coordinates":[1,2]}'),
    *("CURVEPOLYGON(CIRCULARSTRING(0 0,1 1,2 0,1 -1,0 0))", "POINT(1", "2024-05-01", "2024-02-30"),
    *(
        "31.12.2024",
        "01.02.2024",
        "2024-05-01 10:00",
        "true",
        "Å",
        '"',
        "sep=;",
        "a\nb",
        "\ud83d\ude00",
    ),
]
_NUMBER = re.compile(
    r"[+-]?(?:\d+|\d{1,3}(?:[ '\u00a0\u202f]\d{3})+)(?:[.,]\d*)?(?:[eE][+-]?\d+)?"
    r"|[+-]?[.,]\d+(?:[eE][+-]?\d+)?",
    re.ASCII,
)


def content(random: Random) -> bytes:
    delimiter = random.choice(",;;\t|")
    width = random.randint(1, 6)
    cells = random.sample(HEADINGS, width)
    pools = [random.choice([NUMBERS, NUMBERS, TEXTS, NUMBERS[:3]]) for _ in range(width)]
    rows = [cells, *([random.choice(pool) for pool in pools] for _ in range(random.randint(0, 5)))]
    lines = []
    for row in rows:
        quoted = [
            '"' + cell.replace('"', '""') + '"'
            if delimiter in cell or '"' in cell or "\n" in cell or random.random() < 0.1
            else cell
            for cell in row[: random.choice([width] * 9 + [max(width - 1, 1)])]
        ]
        lines.append(delimiter.join(quoted))
    text = random.choice(["", "", "sep=" + delimiter + "\n"]) + "\n".join(lines) + "\n"
    encoding = random.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"])
    return text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")


def options(random: Random) -> ReadOptions:
    if random.random() < 0.7:
        return ReadOptions()
    return ReadOptions(
        encoding=random.choice([None, "cp1252", "utf-8", "nonsense"]),
        decimal=random.choice([None, ".", ","]),
        x=random.choice([None, "a", "lon"]),
        y=random.choice([None, "b", "lat"]),
        wkt=random.choice([None, "geom"]),
    )


def meanings(text: str) -> set[Decimal]:
    """Return what numbers a text may stand for, by itself."""
    plain = re.sub("[ '\u00a0\u202f]", "", text.strip())
    if "." in plain and "," in plain:
        group = min(",.", key=plain.index)
        return {Decimal(plain.replace(group, "").replace(",", "."))}
    if not _NUMBER.fullmatch(text.strip()):
        return set()
    return {Decimal(plain.replace(",", "."))}


def check(layer: CSVLayer) -> int:
    """Compare the numbers of a layer with the texts of its file."""
    rows = list(layer.rows())[1:]
    names = list(layer.properties.names)
    checked = 0
    for batch in layer.batches():
        for index, properties in enumerate(map(str, batch.properties)):
            cells = rows[batch.number(index) - 1].cells
            for name, value in json.loads(properties, parse_float=Decimal).items():
                if layer.kinds[name] in {Kind.INTEGER, Kind.NUMBER} and value is not None:
                    text = str(cells[names.index(name)])
                    [meant] = meanings(text)
                    assert abs(Decimal(value) - meant) <= abs(meant) * Decimal("1e-15"), text
                    checked += 1
        shapely.to_wkb(batch.geometries)
        assert len(batch.geometries) == len(batch.properties) == len(batch.lines or ())
    return checked


def test_random_files(tmp_path: Path) -> None:
    random = Random(SEED)
    read = checked = 0
    for number in range(FILES):
        data = content(random)
        for _ in range(random.choice((0, 0, 0, 1, 3))):
            data = cut(random, data)
        path = tmp_path / f"{number}.csv"
        path.write_bytes(data)
        try:
            layer = CSVLayer(path, options(random))
            checked += check(layer)
            read += 1
        except SamsynError:
            pass
        except Exception as error:
            error.add_note(f"seed {SEED!r}, file {number}: {data!r}")
            raise
        path.unlink()
    assert read > FILES / 20
    assert checked > FILES / 10
