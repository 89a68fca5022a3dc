"""What may be asked of Global Fishing Watch."""

from typing import Any

import pytest

from samsyn_admin.gfw.heatmap import check_tile, parse_heatmap
from samsyn_model.errors import InvalidParameterError, NotFoundError

EFFORT = {
    "format": "MVT",
    "interval": "MONTH",
    "datasets[0]": "public-global-fishing-effort:latest",
    "date-range": "2024-01-01,2024-12-31",
}


def test_equal_requests_have_one_address() -> None:
    one = parse_heatmap(EFFORT | {"filters[0]": "flag in ('SWE','DNK')"})
    other = parse_heatmap(EFFORT | {"filters[0]": ' FLAG  IN ( "DNK" , "SWE" ) '})
    assert one.address(3, 4, 2) == other.address(3, 4, 2)
    assert one.address(3, 4, 2) == (
        "/v3/4wings/tile/heatmap/3/4/2?format=MVT&interval=MONTH"
        "&datasets%5B0%5D=public-global-fishing-effort%3Alatest"
        "&date-range=2024-01-01%2C2024-12-31&filters%5B0%5D=flag+in+%28%27DNK%27%2C%27SWE%27%29"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "PNG"),
        ("interval", "HOUR"),
        ("interval", ""),
        ("datasets[0]", "private-something:latest"),
        ("datasets[0]", "public-global-fishing-effort:latest&x=1"),
        ("date-range", ""),
        ("date-range", "2024-01-01"),
        ("date-range", "2024-12-31,2024-01-01"),
        ("date-range", "2024-02-30,2024-03-01"),
        ("date-range", "2011-01-01,2012-03-01"),
        ("date-range", "20240101,20240301"),
        ("date-range", "2012-01-01,2024-12-31"),
        ("date-range", "2024-01-01,2024-12-31,2025-01-01"),
        ("filters[0]", ""),
        ("filters[0]", "flag in ()"),
        ("filters[0]", "flag in ('SWE'"),
        ("filters[0]", "flag in ('SWEDEN')"),
        ("filters[0]", "geartype in ('rods')"),
        ("filters[0]", "vessel_id in ('abc')"),
        ("filters[0]", "flag in ('SWE') or flag in ('DNK')"),
        ("filters[0]", "flag in ('SWE') and flag in ('DNK')"),
        ("filters[0]", "flag in ('SWE'); drop"),
    ],
)
def test_what_is_not_of_the_vocabulary(name: str, value: str) -> None:
    with pytest.raises(InvalidParameterError, match=name.partition("[")[0]):
        parse_heatmap(EFFORT | {name: value})


@pytest.mark.parametrize("tile", [(13, 0, 0), (0, 1, 0), (2, 0, 4)])
def test_tiles_that_there_are_not(tile: Any) -> None:
    with pytest.raises(NotFoundError):
        check_tile(*tile)


def test_a_month_that_is_over_stays_as_it_is() -> None:
    assert parse_heatmap(EFFORT).lifetime.days == 30
    until_later = EFFORT | {"interval": "YEAR", "date-range": "2024-01-01,2060-01-01"}
    assert parse_heatmap(until_later).lifetime.days == 1
