"""Remarks where data lie outside of the area of use of their CRS."""

import pytest
from pyproj import CRS

from samsyn_provider.geography.area_of_use import crs_remarks
from samsyn_provider.geography.extents import Extent

GOTHENBURG = (319_000.0, 6_396_000.0, 330_000.0, 6_405_000.0)


@pytest.mark.parametrize(
    ("extent", "crs"),
    [
        (GOTHENBURG, "EPSG:3006"),
        ((-75_000.0, 6_450_000.0, 1_100_000.0, 7_900_000.0), "EPSG:25833"),
        ((10.9, 55.0, 24.2, 69.0), "EPSG:4326"),
        ((10.9, 55.0, 24.2, 69.0), "EPSG:4258"),
        ((-180.0, -90.0, 180.0, 90.0), "OGC:CRS84"),
        ((1_200_000.0, 7_500_000.0, 1_400_000.0, 7_900_000.0), "EPSG:3857"),
        ((1e5, 1e5, 2e5, 2e5), "+proj=laea +lat_0=50 +lon_0=10 +x_0=0 +y_0=0 +units=m"),
        (None, "EPSG:3006"),
    ],
)
def test_data_where_they_belong(extent: Extent | None, crs: str) -> None:
    assert crs_remarks(extent, CRS(crs)) == []


@pytest.mark.parametrize(
    ("extent", "crs", "parts"),
    [
        ((11.5, 57.5, 12.0, 58.0), "EPSG:3006", ["look like degrees", "EPSG:4326"]),
        (GOTHENBURG, "EPSG:4326", ["are no degrees", "EPSG:3006"]),
        ((57.5, 11.5, 58.0, 12.0), "EPSG:4326", ["swapped", "57.5"]),
        ((57.5, 11.5, 58.0, 12.0), "OGC:CRS84", ["swapped", "57.5"]),
        ((57.5, 11.5, 58.0, 12.0), "EPSG:4258", ["ETRS89", "swapped"]),
        (
            (6_396_000.0, 319_000.0, 6_405_000.0, 330_000.0),
            *("EPSG:3006", ["SWEREF99 TM", "northings and eastings swapped"]),
        ),
        (
            (1_270_000.0, 6_400_000.0, 1_275_000.0, 6_405_000.0),
            *("EPSG:3006", ["outside", "EPSG:3021"]),
        ),
        ((1_300_000.0, 7_900_000.0, 1_310_000.0, 7_910_000.0), "EPSG:3006", ["EPSG:3857"]),
    ],
)
def test_data_elsewhere_and_what_they_may_be(extent: Extent, crs: str, parts: list[str]) -> None:
    [remark] = crs_remarks(extent, CRS(crs))
    for part in parts:
        assert part in remark


def test_how_to_mend_swapped_axes() -> None:
    swapped = (57.5, 11.5, 58.0, 12.0)
    [remark] = crs_remarks(swapped, CRS("EPSG:4326"), has_columns=True)
    assert remark.endswith(
        "If they belong to Europe, latitudes and longitudes are swapped: choose the columns of x"
        " and y the other way round."
    )
    [remark] = crs_remarks(swapped, CRS("EPSG:4326"))
    assert "columns" not in remark
    assert "QGIS" in remark
    [remark] = crs_remarks((5e7, 5e7, 6e7, 6e7), CRS("EPSG:3006"))
    assert remark.endswith("Choose the CRS that the data are in.")


def test_a_crs_without_a_code_is_known_by_its_parameters() -> None:
    esri = CRS(CRS.from_epsg(3006).to_wkt("WKT1_ESRI"))
    assert crs_remarks(GOTHENBURG, esri) == []
    [remark] = crs_remarks((6_396_000.0, 319_000.0, 6_405_000.0, 330_000.0), esri)
    assert "swapped" in remark
