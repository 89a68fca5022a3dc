"""Hemispheres of degrees: in headings, and in columns of their own."""

from pathlib import Path

import pytest

from samsyn_model.errors import UnreadableFileError
from tests.api.imports.readers.tables.reading import read_csv, read_layers
from tests.api.imports.readers.tables.test_spreadsheets import write_xlsx


@pytest.mark.parametrize(
    ("headings", "expected"),
    [
        *(("Lat (°N);Long (°W)", (-11.5, 57.5)), ("Lat (°S);Lon (°E)", (11.5, -57.5))),
        *(("Lat [S];Lon [W]", (-11.5, -57.5)), ("lat (degrees_south);lon (deg W)", (-11.5, -57.5))),
        *(("Lat N;Lon W", (-11.5, 57.5)), ("Lat_S;Lon_E", (11.5, -57.5))),
        *(("latS;lonW", (-11.5, -57.5)), ("South latitude;West longitude", (-11.5, -57.5))),
        *(("Breitengrad (Süd);Längengrad (West)", (-11.5, -57.5)),),
        *(("latitud (syd);longitud (väst)", (-11.5, -57.5)), ("Y (°S);X (°W)", (-11.5, -57.5))),
        *(("lat (degS);lon (degW)", (-11.5, -57.5)), ("Lat (ºS);Lon (ºW)", (-11.5, -57.5))),
        *(("Lat (N/S);Lon (E/W)", (11.5, 57.5)), ("Lat (+N/-S);Lon (+E/-W)", (11.5, 57.5))),
        *(("Lat (d m s);Lon (D M S)", (11.5, 57.5)), ("Lat (WGS84);Lon (dd.ddd)", (11.5, 57.5))),
        *(("Lat WGS84 (S);Lon WGS 84 (W)", (-11.5, -57.5)),),
        *(("latitude (°N);longitude (°E)", (11.5, 57.5)), ("lat (d m s S);lon", (11.5, -57.5))),
    ],
)
def test_of_headings(tmp_path: Path, headings: str, expected: tuple[float, float]) -> None:
    read = read_csv(tmp_path, f"namn;{headings}\nA;57,5;11,5\n")
    assert read.shapes == ["POINT ({:g} {:g})".format(*expected)]
    assert ("read as degrees west" in read.notes) == (expected[0] < 0)
    assert ("read as degrees south" in read.notes) == (expected[1] < 0)
    assert not read.faults
    assert read.layer.columns is not None
    assert read.layer.crs_is_implied


@pytest.mark.parametrize(
    ("headings", "reason"),
    [
        *(("lat,Lon (O)", "O may be east or west"), ("Lat (W),Lon (N)", r"choose the columns")),
        *(("lat,Lon (-W)", "which longitudes are negative"), ("Lat (neg. S),lon", "which lat")),
        *(("lat,Lon (+W/-E)", "which longitudes are negative"),),
        *(('lat,"lon (west positive, east negative)"', "which longitudes are negative"),),
        *(("Y (°E),X (°N)", "choose the columns"),),
    ],
)
def test_headings_that_leave_it_open_are_refused(
    tmp_path: Path, headings: str, reason: str
) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read_csv(tmp_path, f"namn,{headings}\nA,57.5,11.5\n")


@pytest.mark.parametrize(
    ("headings", "row", "expected"),
    [
        *(("lat,ns,lon,ew", "57.5,S,11.5,W", (-11.5, -57.5)),),
        *(("Latitude,N/S,Longitude,E/W", "57.5,N,11.5,W", (-11.5, 57.5)),),
        *(("lat,lat_dir,lon,lon_dir", "57.5,S,11.5,E", (11.5, -57.5)),),
        *(("lat,hemisphere,lon,hemisphere", "57.5,s,11.5,w", (-11.5, -57.5)),),
        *(("GPSLatitude,GPSLatitudeRef,GPSLongitude,GPSLongitudeRef", "57.5,South,11.5,West",
           (-11.5, -57.5)),),
        *(("ew,lon,ns,lat", "V,11.5,syd,57.5", (-11.5, -57.5)),),
        *(("lat,lon,h1,h2", "57.5,11.5,S,W", (-11.5, -57.5)),),
        *(("lat,lon,ns", "57.5,11.5,S", (11.5, -57.5)),),
        *(("lat,ns,lon", "57 30 0,S,11 30", (11.5, -57.5)),),
        *(("lat,lon,lat_n,lat_s", "57.5,11.5,58,57", (11.5, 57.5)),),
        *(("namn,lon,lat", "Ö,11.5,57.5", (11.5, 57.5)),),
        *(("x,ew,y,ns", "11.5,W,57.5,S", (-11.5, -57.5)),),
        *(("lat,ns,lon,ew", "-57.5,S,-11.5,W", (-11.5, -57.5)),),
        *(("lat,ns,lon,ew", "57.5S,S,11.5W,W", (-11.5, -57.5)),),
        *(("lat,ns,lon,ew", "-57.5,,-11.5,", (-11.5, -57.5)),),
        *(("lon,lat,zon,sida", "11.5,57.5,3,S", (11.5, 57.5)),),
        *(("lon,lat,ns,ew", "11.5,57.5,12.5,8", (11.5, 57.5)),),
    ],
)  # fmt: skip
def test_in_columns(tmp_path: Path, headings: str, row: str, expected: tuple[float, float]) -> None:
    read = read_csv(tmp_path, f"{headings}\n{row}\n")
    assert read.shapes == ["POINT ({:g} {:g})".format(*expected)]
    assert not read.faults


def test_letters_that_do_not_go_with_the_degrees_are_faults(tmp_path: Path) -> None:
    read = read_csv(
        tmp_path,
        "lat,ns,lon,ew\n57.5,S,11.5,W\n57.5,,11,E\n-57.5,N,11,E\n57.5,S,11,O\n57.5N,S,1,E\n",
    )
    assert read.shapes == ["POINT (-11.5 -57.5)"]
    assert [line for line, _, _ in read.faults] == [3, 4, 5, 6]
    assert read.faults[0][2] == "'lat' is '57.5', which does not go with 'ns': ''."
    read = read_csv(tmp_path, "lat,Lon (°W)\n57,11.5\n57,-11.5\n57,11.5E\n57,11.5W\n")
    assert read.shapes == ["POINT (-11.5 57)", "POINT (-11.5 57)"]
    assert read.faults[0] == (
        3, None, "'Lon (°W)' is '-11.5', which does not go with the heading."
    )  # fmt: skip
    read = read_csv(tmp_path, "lat (°N),lon (°E)\n-57,-11.5\n57,11.5\n")
    assert read.shapes == ["POINT (-11.5 -57)", "POINT (11.5 57)"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("lat,d,lon\n57.5,S,11.5\n", "'d' what may be its hemisphere.*--x"),
        ("lat,n/s,lon,e/w\n57.5,-1,11.5,1\n", "has hemispheres in 'n/s' as '-1'"),
        ("lat,ns,lat_hem,lon\n57.5,S,S,11.5\n", "what may be its hemisphere"),
    ],
)
def test_columns_that_leave_it_open_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read_csv(tmp_path, content)


def test_columns_that_were_chosen(tmp_path: Path) -> None:
    content = "lat1,a,Lon W,d\n57.5,S,11.5,W\n"
    read = read_csv(tmp_path, content.replace(",a,", ",ns,"), x="Lon W", y="lat1")
    assert read.shapes == ["POINT (-11.5 -57.5)"]
    read = read_csv(tmp_path, "lat,d,lon\n57.5,S,11.5\n", x="lon", y="lat")
    assert read.shapes == ["POINT (11.5 57.5)"]
    read = read_csv(tmp_path, "lat_s1,lon_v2\n57.5,11.5\n", x="lon_v2", y="lat_s1")
    assert read.shapes == ["POINT (11.5 57.5)"]
    utm = "E_UTM_33N,N_UTM_33N,zon,hemisphere\n319180,6399617,33,N\n"
    assert read_csv(tmp_path, utm, x="E_UTM_33N", y="N_UTM_33N").shapes == [
        "POINT (319180 6399617)"
    ]


def test_cells_of_a_spreadsheet(tmp_path: Path) -> None:
    rows = [["Lat", "N/S", "Lon (°W)"], [57.5, "S", 11.5], [33, "N", 70]]
    [read] = read_layers(write_xlsx(tmp_path / "a.xlsx", {"A": rows}))
    assert read.shapes == ["POINT (-11.5 -57.5)", "POINT (-70 33)"]
