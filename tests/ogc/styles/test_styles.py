"""The style of a collection: derived from its layer, in each encoding, to those who may read it."""

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import Engine, text

from samsyn_provider.http.formats import STYLE_ENCODINGS
from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]

SLD = "{http://www.opengis.net/sld}"
STYLES_REL = "http://www.opengis.net/def/rel/ogc/1.0/styles"
MEDIA_TYPES = {
    "mbgl": "application/vnd.mapbox.style+json",
    "sld": "application/vnd.ogc.sld+xml;version=1.0",
    "qml": "application/vnd.qgis.qml",
}
AREA = "POLYGON((10 55, 12 55, 12 57, 10 55))"
SHAPES = {
    "Polygon": AREA,
    "LineString": "LINESTRING(10 55, 11 56)",
    "Point": "POINT(10 55)",
}


def styled(layer: Layer, style: Any, geometry_type: str | None = "Polygon", **columns: Any) -> str:
    """Make a layer with a style; return the address of its styles."""
    config = json.dumps(style)
    layer_id = layer(style_config=config, geometry_type=geometry_type, **columns)
    return f"/ogc/collections/{layer_id}/styles"


def maplibre(client: FlaskClient, address: str) -> dict[str, Any]:
    response = client.get(f"{address}/default?f=mbgl")
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def sld_parameters(client: FlaskClient, address: str) -> dict[str, str | None]:
    root = ET.fromstring(client.get(f"{address}/default?f=sld").data)
    return {element.attrib["name"]: element.text for element in root.iter(f"{SLD}CssParameter")}


def qml_options(client: FlaskClient, address: str) -> dict[str, str]:
    """Return the options of the first symbol."""
    root = ET.fromstring(client.get(f"{address}/default?f=qml").data)
    options = root.find("renderer-v2/symbols/symbol/layer/Option")
    assert options is not None
    return {option.attrib["name"]: option.attrib["value"] for option in options}


def test_the_list(client: FlaskClient, layer: Layer) -> None:
    address = styled(layer, {"color": "#c2410c"}, name="Öar")
    document = client.get(address).json
    assert document is not None
    assert document["default"] == "default"
    (entry,) = document["styles"]
    assert (entry["id"], entry["title"]) == ("default", "Öar")
    relations = [(link["rel"], link["type"]) for link in entry["links"]]
    assert relations == [
        *(("stylesheet", media_type) for media_type in MEDIA_TYPES.values()),
        ("describedby", "application/json"),
    ]
    for link in [*entry["links"], *document["links"]]:
        response = client.get(link["href"])
        assert response.status_code == 200
        assert response.content_type.split(";")[0] == link["type"].split(";")[0]


def test_the_collection_links_to_its_styles(client: FlaskClient, layer: Layer) -> None:
    address = styled(layer, {}).removesuffix("/styles")
    document = client.get(address).json
    assert document is not None
    links = [link for link in document["links"] if link["rel"] in {STYLES_REL, "stylesheet"}]
    types = ["application/json", "text/html", *MEDIA_TYPES.values()]
    assert sorted(link["type"] for link in links) == sorted(types)
    for link in links:
        assert client.get(link["href"]).content_type.split(";")[0] == link["type"].split(";")[0]
    listed = client.get("/ogc/collections").json
    assert listed is not None
    relations = {link["rel"] for link in listed["collections"][0]["links"]}
    assert STYLES_REL in relations


def test_the_metadata_of_a_style_lists_its_encodings(client: FlaskClient, layer: Layer) -> None:
    address = styled(layer, {"color": "#c2410c"}, name="Öar")
    response = client.get(f"{address}/default/metadata")
    assert (response.status_code, response.content_type) == (200, "application/json")
    document = response.json
    assert document is not None
    assert (document["id"], document["title"], document["scope"]) == ("default", "Öar", "style")
    listed = client.get(address).json
    assert listed is not None
    links = [link for link in listed["styles"][0]["links"] if link["rel"] == "stylesheet"]
    assert [stylesheet["link"] for stylesheet in document["stylesheets"]] == links
    for link in document["links"]:
        assert client.get(link["href"]).status_code == 200


def test_an_sld_styles_data_of_any_name(client: FlaskClient, layer: Layer) -> None:
    """GeoServer draws nothing where a FeatureTypeName is not that of the data."""
    root = ET.fromstring(client.get(f"{styled(layer, {})}/default?f=sld").data)
    assert root.find(f".//{SLD}FeatureTypeName") is None


@pytest.mark.parametrize("code", MEDIA_TYPES)
def test_media_types(client: FlaskClient, layer: Layer, code: str) -> None:
    address = f"{styled(layer, {})}/default"
    media_type = MEDIA_TYPES[code]
    assert STYLE_ENCODINGS[code].media_type == media_type
    for accept in (media_type, media_type.split(";")[0], f"image/png, {media_type};q=0.5"):
        response = client.get(address, headers={"Accept": accept})
        assert (response.status_code, response.content_type) == (200, media_type)
    response = client.get(f"{address}?f={code}", headers={"Accept": "text/html"})
    assert (response.status_code, response.content_type) == (200, media_type)


def test_a_style_without_a_preference_is_a_maplibre_style(
    client: FlaskClient, layer: Layer
) -> None:
    address = f"{styled(layer, {})}/default"
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "text/html, */*;q=0.8"}):
        assert client.get(address, headers=headers).content_type == MEDIA_TYPES["mbgl"]


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("?f=xml", None, 400),
        ("?limit=1", None, 400),
        ("/default?f=json", None, 400),
        ("/default?f=sld&f=qml", None, 400),
        ("/default?colour=red", None, 400),
        ("/default", "text/html", 406),
        ("/default", "application/vnd.ogc.sld+xml;version=1.1", 406),
        ("/other", None, 404),
        ("/Default", None, 404),
        ("/default/metadata?f=html", None, 400),
        ("/default/metadata?limit=1", None, 400),
        ("/default/metadata", "text/html", 406),
        ("/other/metadata", None, 404),
        ("/%00", None, 404),
    ],
)
def test_bad_requests(
    client: FlaskClient, layer: Layer, path: str, accept: str | None, status: int
) -> None:
    headers = {"Accept": accept} if accept else {}
    assert client.get(styled(layer, {}) + path, headers=headers).status_code == status


@pytest.mark.parametrize(
    "path", ["", "/default", "/default/metadata", "/other", "/default?f=nonsense"]
)
def test_a_private_layer_has_no_styles_for_others(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person], path: str
) -> None:
    address = styled(layer, {"color": "#c2410c"}, visibility="private") + path
    missing = address.replace(address.split("/")[3], "00000000-0000-0000-0000-000000000000")
    for headers in ({}, person("other").headers):
        assert client.get(address, headers=headers).status_code == 404
        expected = client.get(missing, headers=headers).data
        assert client.get(address, headers=headers).data == expected
    allowed = client.get(address, headers=person("owner").headers).status_code
    assert allowed == {"/other": 404, "/default?f=nonsense": 400}.get(path, 200)


def test_a_maplibre_style_draws_the_tiles_of_the_collection(
    client: FlaskClient, layer: Layer
) -> None:
    address = styled(layer, {"color": "#C2410C", "lineWidth": 3}, name="Öar")
    layer_id = address.split("/")[3]
    document = maplibre(client, address)
    assert (document["version"], document["name"]) == (8, "Öar")
    source = document["sources"][layer_id]
    assert source["type"] == "vector"
    tilejson = client.get(source["url"]).json
    assert tilejson is not None
    assert source["url"].startswith("http://localhost/ogc/")
    assert [entry["id"] for entry in tilejson["vector_layers"]] == [layer_id]
    fill, outline = document["layers"]
    assert {entry["source-layer"] for entry in (fill, outline)} == {layer_id}
    assert (fill["type"], fill["paint"]["fill-color"]) == ("fill", "#c2410c")
    assert (outline["type"], outline["paint"]["line-width"]) == ("line", 3)
    assert fill["paint"]["fill-opacity"] == outline["paint"]["line-opacity"] == 0.7


KINDS = {"Polygon": ["fill", "line"], "LineString": ["line"], "Point": ["circle"]}


@pytest.mark.parametrize("multi", ["", "Multi"])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_has_its_symbol(
    client: FlaskClient, layer: Layer, shape: str, multi: str
) -> None:
    address = styled(layer, {"color": "#c2410c", "lineWidth": 4}, f"{multi}{shape}")
    layers = maplibre(client, address)["layers"]
    assert [entry["type"] for entry in layers] == KINDS[shape]
    assert all(shape in entry["filter"][2][1] for entry in layers)
    options = qml_options(client, address)
    parameters = sld_parameters(client, address)
    colour = {"Polygon": "color", "LineString": "line_color", "Point": "color"}[shape]
    assert options[colour] == "194,65,12,178"
    assert set(parameters.values()) >= {"#c2410c", "0.7"}
    if shape == "Point":
        assert options["size"] == "12"
        assert layers[0]["paint"]["circle-radius"] == 8
    else:
        width = {"Polygon": "outline_width", "LineString": "line_width"}[shape]
        assert (options[width], options[f"{width}_unit"]) == ("3", "Point")
        assert parameters["stroke-width"] == "4"


@pytest.mark.parametrize("declared", [None, "GeometryCollection"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], ["Polygon", "LineString", "Point"]),
        ([None], ["Polygon", "LineString", "Point"]),
        ([AREA, None], ["Polygon"]),
        (["MULTIPOINT(1 1, 2 2)", "POINT Z (1 1 1)"], ["Point"]),
        ([SHAPES["Point"], AREA], ["Polygon", "Point"]),
        ([f"GEOMETRYCOLLECTION({AREA})"], ["Polygon", "LineString", "Point"]),
    ],
)
def test_the_shapes_of_a_layer_without_a_type_are_those_of_its_features(
    client: FlaskClient,
    layer: Layer,
    declared: str | None,
    content: list[str | None],
    expected: list[str],
) -> None:
    layer_id = layer([(wkt, {}) for wkt in content], geometry_type=declared)
    address = f"/ogc/collections/{layer_id}/styles"
    if declared:
        expected = ["Polygon", "LineString", "Point"]
    drawn = dict.fromkeys(e["filter"][2][1][0] for e in maplibre(client, address)["layers"])
    assert list(drawn) == expected
    root = ET.fromstring(client.get(f"{address}/default?f=qml").data)
    symbols = [symbol.attrib["type"] for symbol in root.iter("symbol")]
    names = {"Polygon": "fill", "LineString": "line", "Point": "marker"}
    assert symbols == [names[shape] for shape in expected]
    is_open = len(expected) > 1
    assert (root.find("layerGeometryType") is None) == is_open
    assert len(list(root.iter("rule"))) == (len(expected) if is_open else 0)


def test_a_style_takes_two_statements_at_most(client: FlaskClient, layer: Layer) -> None:
    for geometry_type, count in (("Polygon", 1), (None, 2)):
        address = styled(layer, {}, geometry_type)
        with statements() as seen:
            client.get(f"{address}/default")
        assert len(seen) == count
        with statements() as seen:
            client.get(address)
        assert len(seen) == 1


DEFAULTS = {"color": "#3388ff", "opacity": 0.7, "width": 2, "is_filled": True}


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ({}, {}),
        ({"color": "#C2410C"}, {"color": "#c2410c"}),
        ({"color": "teal"}, {"color": "#008080"}),
        ({"color": "#c2410c80"}, {"color": "#c2410c", "opacity": 0.351}),
        ({"color": "#c2410cff", "fillColor": "red"}, {"color": "#c2410c"}),
        ({"color": "nonsense", "fillColor": "red"}, {"color": "#ff0000"}),
        ({"lineWidth": 0}, {"width": 0}),
        ({"lineWidth": 0.5}, {"width": 0.5}),
        ({"lineWidth": 100}, {"width": 100}),
        ({"fillPolygons": False}, {"is_filled": False}),
    ],
)
def test_what_a_layer_says_of_its_style(
    client: FlaskClient, layer: Layer, style: Any, expected: dict[str, Any]
) -> None:
    _assert_drawn(client, styled(layer, style), {**DEFAULTS, **expected})


@pytest.mark.parametrize("unusable", [None, "x", [], {}, [[1]], {"a": {"b": 1}}, -1, 1e300, ""])
def test_unusable_members_have_defaults(client: FlaskClient, layer: Layer, unusable: Any) -> None:
    names = ("color", "fillColor", "lineWidth", "fillPolygons", "markerIcon", "opacity", "other")
    _assert_drawn(client, styled(layer, dict.fromkeys(names, unusable)), DEFAULTS)


@pytest.mark.parametrize("member", ["color", "lineWidth"])
@pytest.mark.parametrize("unusable", [True, 101, 10**400, "2", "#c2410c'/>", "\ud7ff", "a" * 9999])
def test_a_member_of_another_kind_has_its_default(
    client: FlaskClient, layer: Layer, member: str, unusable: Any
) -> None:
    _assert_drawn(client, styled(layer, {member: unusable}), DEFAULTS)


def _assert_drawn(client: FlaskClient, address: str, expected: dict[str, Any]) -> None:
    """All encodings, and the page, draw a layer of polygons as expected."""
    opacity, width = expected["opacity"], expected["width"]
    layers = {entry["type"]: entry["paint"] for entry in maplibre(client, address)["layers"]}
    assert ("fill" in layers) == expected["is_filled"]
    colour = layers["line"]["line-color"]
    assert (colour if isinstance(colour, str) else colour[-1]) == expected["color"]
    assert (layers["line"]["line-opacity"], layers["line"]["line-width"]) == (opacity, width)
    parameters = sld_parameters(client, address)
    assert parameters.get("fill") == (expected["color"] if expected["is_filled"] else None)
    assert parameters["stroke"] == expected["color"]
    assert parameters["stroke-width"] == f"{width:g}"
    assert parameters["stroke-opacity"] == (f"{opacity:g}" if width else "0")
    options = qml_options(client, address)
    rgb = ",".join(str(part) for part in bytes.fromhex(expected["color"][1:]))
    assert options["color"] == options["outline_color"] == f"{rgb},{round(255 * opacity)}"
    assert options["style"] == ("solid" if expected["is_filled"] else "no")
    assert options["outline_style"] == ("solid" if width else "no")
    page = client.get(f"{address}?f=html")
    assert page.status_code == 200
    assert expected["color"] in page.text


def test_features_have_their_own_colours_where_the_layer_has_none(
    client: FlaskClient, layer: Layer
) -> None:
    own = ["to-color", ["get", "color"], ["get", "fill"], ["get", "stroke"],
           ["get", "marker-color"], "#3388ff"]  # fmt: skip
    plain, coloured = styled(layer, {}), styled(layer, {"color": "#c2410c"})
    assert maplibre(client, plain)["layers"][0]["paint"]["fill-color"] == own
    assert maplibre(client, coloured)["layers"][0]["paint"]["fill-color"] == "#c2410c"
    expression = "attribute('marker-color')"
    assert expression in client.get(f"{plain}/default?f=qml").text
    assert expression not in client.get(f"{coloured}/default?f=qml").text


HOSTILE = [
    "</Title><Title>x",
    '"><script>alert(1)</script>',
    "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>&x;",
    "a\x01b\x0b\x1f￾￿",
    "\U0001f30a & <ö> ' \"",
    "{{ 7 * 7 }} ${7*7}",
]


@pytest.mark.parametrize("title", HOSTILE)
def test_texts_are_no_markup(client: FlaskClient, layer: Layer, title: str) -> None:
    colour = f"#c2410c{title}"
    address = styled(layer, {"color": colour, "markerIcon": title, title: title}, name=title)
    expected = "".join(c if c >= " " and c not in "￾￿" else "\ufffd" for c in title)
    root = ET.fromstring(client.get(f"{address}/default?f=sld").data)
    assert [element.text for element in root.iter(f"{SLD}Title")] == [expected]
    assert ET.fromstring(client.get(f"{address}/default?f=qml").data).tag == "qgis"
    assert title not in client.get(f"{address}/default?f=qml").text
    assert maplibre(client, address)["name"] == title
    page = client.get(f"{address}?f=html").text
    assert "<script>alert" not in page
    assert f"<bdi>{escape(title)}</bdi>" in page


def test_an_unchanged_style_is_304(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    address = styled(layer, {"color": "#c2410c"})
    layer_id = address.split("/")[3]
    tags = {}
    for path in ("", "/default/metadata", *(f"/default?f={code}" for code in MEDIA_TYPES)):
        first = client.get(address + path)
        tags[path] = first.headers["ETag"]
        assert tags[path].startswith("W/")
        assert "Accept" in first.headers["Vary"]
        again = client.get(address + path, headers={"If-None-Match": tags[path]})
        assert (again.status_code, again.data) == (304, b"")
    assert len(set(tags.values())) == len(tags)
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE layers SET style_config = :style, name = 'Other' WHERE id = :layer"),
            {"style": '{"color": "#008080"}', "layer": layer_id},
        )
    for path, tag in tags.items():
        again = client.get(address + path, headers={"If-None-Match": tag})
        assert again.status_code == 200, path
        assert again.headers["ETag"] != tag


def test_the_default_of_a_list_is_among_its_styles_in_the_definition(client: FlaskClient) -> None:
    definition = client.get("/ogc/openapi").json
    assert definition is not None
    (parameter,) = (
        value for value in definition["components"]["parameters"].values()
        if value["name"] == "styleId"
    )  # fmt: skip
    assert parameter["schema"]["enum"] == ["default"]
    conformance = client.get("/ogc/conformance").json
    assert conformance is not None
    declared = [uri for uri in conformance["conformsTo"] if "/ogcapi-styles-1/" in uri]
    assert [uri.rsplit("/", 1)[1] for uri in declared] == ["core"]
