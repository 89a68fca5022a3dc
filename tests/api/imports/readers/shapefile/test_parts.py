"""A shapefile's parts: named in any case, missing, or not belonging together."""

from pathlib import Path

import pytest

from samsyn_admin.imports.readers.files import open_layers
from samsyn_model.errors import UnreadableFileError
from tests.api.imports.readers.shapefile.shapefiles import (
    PRJ,
    contents,
    dbf,
    field,
    pack,
    point,
    read,
    write,
    write_values,
)

SWEREF99_TM = (
    'PROJCS["SWEREF99_TM",GEOGCS["GCS_SWEREF99",DATUM["D_SWEREF99",SPHEROID["GRS_1980",6378137.0,'
    '298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION['
    '"Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",15.0],PARAMETER["Scale_Factor",0.9996],PARAMETER['
    '"Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)
RH2000 = (
    ',VERTCS["RH2000",VDATUM["Rikets_hojdsystem_2000"],PARAMETER["Vertical_Shift",0.0],'
    'PARAMETER["Direction",1.0],UNIT["Meter",1.0]]'
)


def values(path: Path) -> list[object]:
    return read(path).values("a")


@pytest.mark.parametrize("is_packed", [False, True])
def test_names_differ_in_case(tmp_path: Path, is_packed: bool) -> None:
    files = contents(cpg="UTF-8")
    names = {"Zones.SHP": ".shp", "zones.shx": ".shx", "ZONES.Dbf": ".dbf", "zones.PRJ": ".prj"}
    named = {name: files[suffix] for name, suffix in names.items()}
    if is_packed:
        path = pack(tmp_path / "a.zip", named)
    else:
        for name, content in named.items():
            (tmp_path / name).write_bytes(content)
        path = tmp_path / "Zones.SHP"
    [layer] = open_layers(path)
    assert (layer.name, layer.crs and layer.crs.to_epsg()) == ("Zones", 4326)
    assert values(path) == [0]


def test_parts_of_another_shapefile_are_not_taken(tmp_path: Path) -> None:
    files = contents()
    path = write(tmp_path, files, "Zones")
    write(tmp_path, {".dbf": dbf([field("C", 3)], [[b"no"]])}, "zones")
    assert values(path) == [0]
    (tmp_path / "Zones.dbf").rename(tmp_path / "zONES.dbf")
    with pytest.raises(UnreadableFileError, match="several parts of a kind: zONES"):
        open_layers(path)


def test_without_an_index_the_shapes_are_found(tmp_path: Path) -> None:
    files = contents(records=[point(1, 2), point(3, 4)])
    del files[".shx"]
    layer = read(write(tmp_path, files))
    assert (layer.wkt, layer.values("a")) == (["POINT (1 2)", "POINT (3 4)"], [0, 1])
    assert any("no zones.shx" in note for note in layer.notes)
    assert {file.suffix for file in tmp_path.iterdir()} == {".shp", ".dbf", ".prj"}


def test_without_a_table_there_are_no_attributes(tmp_path: Path) -> None:
    files = contents(records=[point(1, 2)])
    del files[".dbf"]
    layer = read(write(tmp_path, files))
    assert (layer.wkt, layer.properties, layer.kinds) == (["POINT (1 2)"], [{}], {})
    assert any("no zones.dbf" in note for note in layer.notes)


@pytest.mark.parametrize(
    ("prj", "code", "note"),
    [
        (PRJ, 4326, ""),
        (f"\ufeff{PRJ}\r\n\0", 4326, ""),
        (SWEREF99_TM, 3006, ""),
        (SWEREF99_TM + RH2000, 3006, ""),
        (None, None, ""),
        ("", None, "no known CRS"),
        ("https://example.org/crs", None, "no known CRS"),
        ("PROJCS[", None, "no known CRS"),
        ('LOCAL_CS["here",UNIT["Meter",1.0]]', None, "no known CRS"),
    ],
)
def test_the_crs(tmp_path: Path, prj: str | None, code: int | None, note: str) -> None:
    [layer] = open_layers(write(tmp_path, contents(prj=prj)))
    assert (layer.crs and layer.crs.to_epsg()) == code
    assert any(note in text for text in layer.notes) == bool(note)
    assert layer.crs_origin == ("" if prj is None else "the .prj file")


def test_rows_and_shapes_that_differ_in_number(tmp_path: Path) -> None:
    table = dbf([field("C", 3)], [[b"a"], [b"b"]])
    with pytest.raises(UnreadableFileError, match=r"1 shapes, but zones\.dbf has 2 rows"):
        open_layers(write(tmp_path, contents(table=table)))


@pytest.mark.parametrize("suffix", [".shp", ".shx", ".dbf"])
@pytest.mark.parametrize("size", [0, 20, 60, 99, -1, -30])
def test_a_part_that_ends_early(tmp_path: Path, suffix: str, size: int) -> None:
    files = contents(records=[point()] * 9, table=dbf([field("N", 90)], [[b"1"]] * 9))
    files[suffix] = files[suffix][:size]
    if suffix == ".dbf" and size == -1:
        assert len(read(write(tmp_path, files)).wkt) == 9  # it lacks but the mark of its end
        return
    with pytest.raises(UnreadableFileError, match=r"truncated|damaged|empty"):
        open_layers(write(tmp_path, files))


def test_an_index_that_leads_astray(tmp_path: Path) -> None:
    files = contents(records=[point()] * 3)
    index = files[".shx"]
    for content in (
        index[:100] + b"\x7f\xff\xff\xff" + index[104:],
        index[:104] + b"\x7f\xff\xff\xff" + index[108:],
        index[:104] + b"\xff\xff\xff\xff" + index[108:],
        index[:100] + bytes(4) + index[104:],
    ):
        with pytest.raises(UnreadableFileError, match="outside of zones"):
            open_layers(write(tmp_path, {**files, ".shx": content}))


def test_records_that_do_not_follow_each_other(tmp_path: Path) -> None:
    """As after edits: the index has the order, and there is more between the records."""
    files = contents(records=[point(1, 1), point(2, 2)] + [point(9, 9)] * 9_000 + [point(3, 3)])
    index = files[".shx"]
    entries = [index[100 + 8 * n : 108 + 8 * n] for n in (9_002, 0, 1)]
    size = ((100 + 24) // 2).to_bytes(4, "big")
    files[".shx"] = index[:24] + size + index[28:100] + b"".join(entries)
    files[".dbf"] = dbf([field("N", 4)], [[b"1"]] * 3)
    assert read(write(tmp_path, files)).wkt == ["POINT (3 3)", "POINT (1 1)", "POINT (2 2)"]


@pytest.mark.parametrize("suffix", [".shx", ".dbf", ".prj", ".cpg"])
def test_a_part_alone_is_refused_with_what_to_import(tmp_path: Path, suffix: str) -> None:
    write(tmp_path, contents(cpg="UTF-8"))
    with pytest.raises(UnreadableFileError, match=r"import zones\.shp"):
        open_layers(tmp_path / f"zones{suffix}")


def test_fields_that_do_not_fit_the_rows(tmp_path: Path) -> None:
    table = bytearray(dbf([field("N", 4)], [[b"1"]]))
    table[32 + 16] = 200
    with pytest.raises(UnreadableFileError, match="damaged: its fields have 201 bytes"):
        open_layers(write(tmp_path, contents(table=bytes(table))))


def test_long_texts_of_other_programs(tmp_path: Path) -> None:
    """Their width is in two bytes, of which the second has the decimals of numbers."""
    path = write_values(tmp_path, field("C", 44, 1), [b"x" * 44])
    table = bytearray((tmp_path / "zones.dbf").read_bytes())
    table[10:12] = (301).to_bytes(2, "little")
    (tmp_path / "zones.dbf").write_bytes(bytes(table[:65]) + b" " + b"x" * 300)
    assert values(path) == ["x" * 300]


def test_a_shapefile_without_features(tmp_path: Path) -> None:
    layer = read(write(tmp_path, contents(records=[], table=dbf([field("N", 4)], []))))
    assert (layer.wkt, layer.kinds) == ([], {"a": "integer"})
    assert read(write(tmp_path, contents(table=dbf([], [[]])))).properties == [{}]
