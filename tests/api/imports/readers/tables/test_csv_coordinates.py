"""Columns of coordinates: which they are, and how their texts are read."""

from pathlib import Path

import pytest
import shapely

from samsyn_admin.imports.sources.layer import source_crs
from samsyn_model.errors import InvalidParameterError, UnreadableFileError
from tests.api.imports.readers.tables.reading import Read, read_csv


def code_of(read: Read) -> int | None:
    return read.layer.crs.to_epsg() if read.layer.crs else None


@pytest.mark.parametrize(
    "headings",
    [
        *("lat;lon", "LAT;LONG", "Latitude;Longitude", "latitud;longitud", "lat_dd;lon_dd"),
        *("breddgrad;längdgrad", "Breddegrad;Lengdegrad", "breddegrad;længdegrad"),
        *("bredde;lengde", "bredde;længde", "Breite;Länge", "Breitengrad;Laengengrad"),
        *("geogr. Breite;geogr. Länge", "leveysaste;pituusaste", "laiuskraad;pikkuskraad"),
        *("breedtegraad;lengtegraad", "latitudine;longitudine", "decimalLatitude;decimalLongitude"),
        *("szerokość geograficzna;długość geograficzna", "zeměpisná šířka;zeměpisná délka"),
        *("Platums;Garums", "platuma;ilguma", "широта;долгота", "Lat (WGS84);Lon [°]"),
        *("gps_lat;gps_lon", "wgs84_lat;wgs84_long", "Y;X", "POINT_Y;POINT_X", "y_koord;x_koord"),
        *("YCOORD;XCOORD", "Y-koordinat;X-koordinat", "coord. y;coord. x", "lat-dd;lon-dd"),
    ],
)
def test_headings_of_degrees(tmp_path: Path, headings: str) -> None:
    read = read_csv(tmp_path, f"namn;{headings}\nÖ;57,5;11,5\n")
    assert read.shapes == ["POINT (11.5 57.5)"]
    assert read.layer.crs is not None
    assert read.layer.crs_is_implied
    north, east = headings.split(";")
    assert read.layer.columns == {"x": east, "y": north, "wkt": None, "decimal": ","}


@pytest.mark.parametrize(
    ("headings", "code"),
    [
        *(("N;E", None), ("Northing;Easting", None), ("nord;øst", None), ("Nord;Öst", None)),
        *(("Hochwert;Rechtswert", None), ("Pohjoiskoordinaatti;Itäkoordinaatti", None)),
        *(("north_coord;east_coord", None), ("UTM_N;UTM_E", None), ("SWEREF99_N;SWEREF99_E", None)),
        *(("N_sweref99tm;E_sweref99tm", 3006), ("Y_SWEREF99TM;X_SWEREF99TM", 3006)),
        *(("N ETRS-TM35FIN;E ETRS-TM35FIN", 3067), ("Y_ETRS89_UTM33;X_ETRS89_UTM33", 25833)),
    ],
)
def test_headings_of_projected_coordinates(tmp_path: Path, headings: str, code: int | None) -> None:
    read = read_csv(tmp_path, f"namn;{headings}\nÖ;6399617,34;319180,07\n")
    assert read.shapes == ["POINT (319180.07 6399617.34)"]
    assert code_of(read) == code
    if code is None:
        with pytest.raises(UnreadableFileError, match=r"projected coordinates.*--crs"):
            source_crs(read.layer, tmp_path, None)
        assert source_crs(read.layer, tmp_path, "EPSG:3006").to_epsg() == 3006
    else:
        assert read.layer.crs_origin == "the headings of its columns"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("lat,lon\n6399617,319180\n", "319180 and 6399617, are not longitudes and latitudes"),
        ("y,x\n6399617,319180\n", "319180 and 6399617, are not longitudes and latitudes"),
        ("wkt\nPOINT (319180 6399617)\n", "are not longitudes and latitudes"),
        ("lat,lon\n111.5,57.5\n", "x and y may be interchanged"),
    ],
)
def test_values_that_are_no_degrees_need_a_crs(tmp_path: Path, content: str, reason: str) -> None:
    read = read_csv(tmp_path, content)
    with pytest.raises(UnreadableFileError, match=rf"{reason}.*--crs"):
        source_crs(read.layer, tmp_path, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("lat,lon,latitude,longitude\n1,2,3,4\n", "several pairs .*'lon', 'lat'; .*--x"),
        ("x,y,N,E\n1,2,3,4\n", "several pairs .*'E', 'N'; 'x', 'y'.*--x"),
        ("wkt,geom\nPOINT (1 2),POINT (3 4)\n", "several columns of geometries.*--wkt"),
        ("längd,latitud\n1,2\n", "no columns of coordinates.*'längd', 'latitud'"),
        ("lat_deg,lat_min,lon_deg,lon_min\n57,30,11,30\n", "minutes in other columns"),
        ("start_lat,start_lon,end_lat,end_lon\n1,2,3,4\n", "no columns of coordinates"),
    ],
)
def test_what_is_open_is_asked(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read_csv(tmp_path, content)


def test_columns_are_chosen(tmp_path: Path) -> None:
    content = "start_lat,start_lon,lat,lon,omr\n1,2,3,4,POINT (5 6)\n"
    assert read_csv(tmp_path, content).shapes == ["POINT (4 3)"]
    assert read_csv(tmp_path, content, x="start_lon", y="START_LAT").shapes == ["POINT (2 1)"]
    assert read_csv(tmp_path, content, wkt="omr").shapes == ["POINT (5 6)"]
    with pytest.raises(UnreadableFileError, match="no column 'längd'"):
        read_csv(tmp_path, content, x="längd", y="lat")
    with pytest.raises(InvalidParameterError, match="both"):
        read_csv(tmp_path, content, x="lon")


def test_degrees_and_another_pair(tmp_path: Path) -> None:
    """Degrees need no CRS; decimal ones are those of minutes and seconds beside them."""
    read = read_csv(tmp_path, "x,y,lat,lon\n319180,6399617,57.5,11.5\n")
    assert read.shapes == ["POINT (11.5 57.5)"]
    content = "lat_dms,lon_dms,lat_dd,lon_dd\n57 30 0,11 30 0,57.5,11.5\n"
    assert read_csv(tmp_path, content).shapes == ["POINT (11.5 57.5)"]


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        *(("57°41'24\"N", "11°58'12\"E"), ("57 41 24 N", "11 58 12 E"), ("57:41:24", "11:58:12")),
        *(("N57.69", "E11.97"), ("57.69N", "11.97 E"), ("57°41,4'N", "11°58,2'Ö")),
        *(("57º41’24”N", "11º58’12”E"), ("57° 41′ 24″ N", "11° 58′ 12″ Ø"), ("57.69°", "11.97°")),
        *(("57 41.4", "11 58.2"), ("N 57° 41.4'", "E 11° 58.2'"), ("57,69", "11,97")),
        *(("57°41'24''N", "11°58'12''E"), ("57d41'24\"N", "11d58'12\"E"), ("+57.69", "+11.97")),
    ],
)
def test_degrees_minutes_and_seconds(tmp_path: Path, latitude: str, longitude: str) -> None:
    north, east = (text.replace('"', '""') for text in (latitude, longitude))
    read = read_csv(tmp_path, f'a|lat|lon\nx|"{north}"|"{east}"\n')
    [shape] = read.shapes
    assert shapely.get_coordinates(shapely.from_wkt(shape)).tolist() == [
        pytest.approx([11.97, 57.69])
    ]


def test_the_southern_and_western_hemispheres(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "lat;lon\nS33°30';70°30'W\n-33 30 0;-70 30 0\n33.5S;V70.5\n")
    assert read.shapes == ["POINT (-70.5 -33.5)"] * 3


@pytest.mark.parametrize(
    "text",
    [
        *("okänd", "1_1", "inf", "nan", "57°61'N", "57°41'61\"N", "57N", "O11.5", "N57.5S"),
        *("574123N", "5 7.5.1", "0x10", "1e999", "٣", "57.5.1", "57,412,345", "-11.5W", "57.5'30"),
        *("1 234.5", "--5", "5-", "²", "12.000,5"),
    ],
)
def test_what_is_no_coordinate_is_a_fault_of_its_row(tmp_path: Path, text: str) -> None:
    read = read_csv(tmp_path, f"namn|lon|lat\nA|11.5|57.5\nB|{text}|57\nC|11|57\n")
    assert read.shapes == ["POINT (11.5 57.5)", "POINT (11 57)"]
    assert list(read.features) == [1, 3]
    [(line, field, reason)] = read.faults
    assert (line, field) == (3, None)
    assert "lon" in reason
    assert text in reason
    assert "longitude" in reason
    assert read.kinds["lon"] == "number"


@pytest.mark.parametrize("text", ["1_1", "inf", "nan", "57 12 N", "6399617,3,4", "6.399,617.3"])
def test_what_is_no_number_is_a_fault_of_its_row(tmp_path: Path, text: str) -> None:
    read = read_csv(tmp_path, f"namn|N|E\nA|6399617.5|319180.5\nB|6399617|{text}\n")
    assert list(read.features) == [1]
    [(line, _, reason)] = read.faults
    assert line == 3
    assert text in reason


def test_half_a_position_is_a_fault_and_none_is_no_geometry(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "namn,lon,lat\nA,11.5,57.5\nB,11,\nC,,57\nD, ,\n")
    assert read.features[4] == (None, {"namn": "D", "lon": None, "lat": None})
    assert read.faults == [
        (3, None, "'lat' is empty, but 'lon' is not."),
        (4, None, "'lon' is empty, but 'lat' is not."),
    ]


@pytest.mark.parametrize(
    ("north", "east", "options"),
    [
        *(("6 399 617,25", "319 180,5", {}), ("6\u00a0399\u00a0617,25", "319\u202f180,5", {})),
        *(("6.399.617,25", "319.180,5", {}), ("6,399,617.25", "319,180.5", {})),
        *(("6399617,250", "319180,500", {}), ("6'399'617.25", "319'180.5", {})),
        *(("6399617,25", "319180,5", {"decimal": ","}), ("6399617.25", "319180.5", {})),
    ],
)
def test_thousands(tmp_path: Path, north: str, east: str, options: dict[str, str]) -> None:
    read = read_csv(tmp_path, f"a|N|E\nx|{north}|{east}\n", **options)
    assert read.shapes == ["POINT (319180.5 6399617.25)"]


def test_a_comma_that_may_separate_thousands_is_asked(tmp_path: Path) -> None:
    content = "a|N|E\nx|699,617|319,180\n"
    read = read_csv(tmp_path, content)
    [(_, _, reason)] = read.faults
    assert "--decimal" in reason
    assert read_csv(tmp_path, content, decimal=",").shapes == ["POINT (319.18 699.617)"]
    assert read_csv(tmp_path, content, decimal=".").faults
    semicolons = read_csv(tmp_path, content.replace("|", ";"))
    assert semicolons.shapes == ["POINT (319.18 699.617)"]
    assert "decimal comma" in semicolons.notes
    degrees = read_csv(tmp_path, "a|lat|lon\nx|57,125|11,125\n")
    assert degrees.shapes == ["POINT (11.125 57.125)"]


def test_the_chosen_decimal_sign_is_the_only_one(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "a;lat;lon\nx;57.5;11.5\ny;57,5;11,5\n", decimal=",")
    assert read.shapes == ["POINT (11.5 57.5)"]
    assert list(read.features) == [2]
    assert read.faults[0][0] == 2


def test_north_and_east_in_degrees(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "N;E\n57°30';11°30'\nN57,5;E11,5\n")
    assert read.shapes == ["POINT (11.5 57.5)"] * 2
    assert source_crs(read.layer, tmp_path, None).is_geographic


def test_words_for_length_and_width_are_told(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "skepp;längd;bredd\nA;11,5;57,5\n")
    assert "'längd' was read as longitude, 'bredd' as latitude" in read.notes
    read = read_csv(tmp_path, "skepp;längd;bredd;lat;lon\nA;80;12;57,5;11,5\n")
    assert read.shapes == ["POINT (11.5 57.5)"]
