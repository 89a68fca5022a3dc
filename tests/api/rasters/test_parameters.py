"""How a raster is drawn: a closed vocabulary."""

from typing import Any

import pytest
from rio_tiler.colormap import cmap
from werkzeug.datastructures import MultiDict

from samsyn_admin.rasters.parameters import (
    DRAWING_PARAMETERS,
    colormap_names,
    parse_drawing,
    single_values_but,
)
from samsyn_model.errors import InvalidParameterError
from tests.api.layer_requests import Caller
from tests.api.rasters.conftest import TILES

NAMED = (
    *("viridis", "plasma", "inferno", "magma", "terrain", "blues", "reds", "greens", "greys"),
    *("rdylgn", "spectral", "coolwarm", "bwr"),
)


def parsed(*pairs: tuple[str, str]) -> str:
    values = single_values_but(MultiDict(pairs), DRAWING_PARAMETERS, ("rescale", "bidx"))
    return parse_drawing(values).query


def test_the_colormaps_are_those_of_rio_tiler() -> None:
    assert set(NAMED) <= colormap_names()
    assert colormap_names() == set(cmap.list())


@pytest.mark.parametrize(
    ("pairs", "query"),
    [
        ([], ""),
        ([("colormap", "viridis")], "bidx=1&colormap_name=viridis"),
        ([("colormap", "viridis"), ("bidx", "3")], "bidx=3&colormap_name=viridis"),
        ([("bidx", "1,2,3")], "bidx=1&bidx=2&bidx=3"),
        ([("bidx", "1"), ("bidx", "2")], "bidx=1&bidx=2"),
        ([("rescale", "0,30")], "rescale=0.0%2C30.0"),
        ([("rescale", "0,1,2,3")], "rescale=0.0%2C1.0&rescale=2.0%2C3.0"),
        ([("rescale", "0,1"), ("rescale", "2,3")], "rescale=0.0%2C1.0&rescale=2.0%2C3.0"),
        ([("rescale", "-1e3,.5")], "rescale=-1000.0%2C0.5"),
        ([("nodata", "-9999")], "nodata=-9999.0"),
        ([("nodata", "NaN")], "nodata=nan"),
        ([("nodata", ""), ("rescale", ""), ("colormap", "")], ""),
        ([("colormap", " ")], ""),
    ],
)
def test_equal_drawings_have_one_query(pairs: Any, query: str) -> None:
    assert parsed(*pairs) == query


@pytest.mark.parametrize(
    "pair",
    [
        ("colormap", "Viridis"),
        ("colormap", "../secrets"),
        ("colormap", '{"0": "red"}'),
        ("rescale", "1"),
        ("rescale", "1,2,3"),
        ("rescale", "2,1"),
        ("rescale", "1,1"),
        ("rescale", "a,b"),
        ("rescale", "nan,1"),
        ("rescale", "0,inf"),
        ("rescale", "0,1e999"),
        ("rescale", ",".join(["0,1"] * 5)),
        ("bidx", "0"),
        ("bidx", "-1"),
        ("bidx", "b1"),
        ("bidx", "1,2,3,4,5"),
        ("bidx", "1,"),
        ("bidx", "99999"),
        ("bidx", "²"),
        ("nodata", "none"),
        ("nodata", "inf"),
        ("expression", "b1/b2"),
        ("algorithm", "hillshade"),
        ("colormap_name", "viridis"),
    ],
)
def test_what_is_not_of_the_vocabulary(pair: tuple[str, str]) -> None:
    with pytest.raises(InvalidParameterError):
        parsed(pair)


def test_a_colormap_is_for_one_band() -> None:
    with pytest.raises(InvalidParameterError, match="one band"):
        parsed(("colormap", "viridis"), ("bidx", "1,2"))


@pytest.mark.parametrize(
    "path",
    [
        "tiles/1/0/0",
        "tiles/1/0/0?url=",
        "tiles/1/0/0?url=https://example.org/a.tif&expression=b1",
        "tiles/1/0/0?url=https://example.org/a.tif&url=https://example.org/b.tif",
        "tiles/1/0/0?url=https://example.org/a.tif&tilesize=9999",
        "tiles/1/0/0?url=%00",
        "preview?url=https://example.org/a.tif&width=0",
        "preview?url=https://example.org/a.tif&width=1025",
        "preview?url=https://example.org/a.tif&height=1e3",
        "info",
        "info?url=https://example.org/a.tif&bidx=1",
        "statistics?url=https://example.org/a.tif&bidx=x",
        "point?url=https://example.org/a.tif",
        "point?url=https://example.org/a.tif&lon=181&lat=0",
        "point?url=https://example.org/a.tif&lon=1&lat=nan",
        f"info?url=https://example.org/{'a' * 8000}",
    ],
)
def test_requests_that_cannot_be_read(owner: Caller, path: str) -> None:
    response = owner.client.get(f"{TILES.removesuffix('/tiles')}/{path}", headers=owner.headers)
    assert response.status_code == 400, response.data
    assert response.json["detail"]


@pytest.mark.parametrize("typed", ["rescale=50,4", "rescale=-,4", "bidx=1,", "colormap=viri"])
def test_a_preview_is_empty_while_something_is_typed(owner: Caller, typed: str) -> None:
    url = f"{TILES.removesuffix('/tiles')}/preview?url=https://example.org/a.tif&{typed}"
    response = owner.client.get(url, headers=owner.headers)
    assert (response.status_code, response.content_type) == (200, "image/png")
    assert response.headers["Cache-Control"] == "no-store"
