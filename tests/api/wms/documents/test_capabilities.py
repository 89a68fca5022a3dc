"""What is read of capabilities: inheritance, bounds, dimensions, scales, encodings, DOCTYPEs."""

import json
from typing import Any

import pytest

from samsyn_admin.wms.documents.capabilities import parse_capabilities
from samsyn_admin.wms.documents.xml import UnreadableXMLError, parse
from tests.api.wms.answers import capabilities

DTD = "http://schemas.opengis.net/wms/1.1.1/WMS_MS_Capabilities.dtd"


def layers(*elements: str, version: str = "1.3.0") -> dict[str, Any]:
    document = capabilities("".join(elements))
    if version == "1.1.1":
        document = (
            document.replace(b' xmlns="http://www.opengis.net/wms"', b"")
            .replace(b"WMS_Capabilities", b"WMT_MS_Capabilities")
            .replace(b'version="1.3.0"', b'version="1.1.1"')
        )
    found = json.loads(parse_capabilities(document).document)
    assert found["version"] == version
    return {layer["name"]: layer for layer in found["layers"]}


def test_what_is_inherited_is_added_to_or_replaced() -> None:
    found = layers(
        '<Layer queryable="1"><Name>a</Name><CRS>EPSG:4326</CRS>'
        '<Dimension name="time" units="ISO8601">2020</Dimension>'
        '<Dimension name="elevation" units="m" default="0">0,10,20</Dimension>'
        "<Style><Name>s</Name><Title>of a</Title></Style><Style><Name>t</Name></Style>"
        "<MinScaleDenominator>10</MinScaleDenominator>"
        '<Layer queryable="0"><Name>b</Name><CRS>EPSG:3857</CRS>'
        '<Dimension name="time" units="ISO8601">2021</Dimension>'
        "<Style><Name>u</Name></Style><Style><Name>s</Name><Title>of b</Title></Style>"
        "<Layer><Name>c</Name><MaxScaleDenominator>99</MaxScaleDenominator></Layer></Layer>"
        "<Layer><Title>without a name</Title><Layer><Name>d</Name></Layer></Layer></Layer>"
    )
    assert list(found) == ["a", "b", "c", "d"]
    assert [layer["queryable"] for layer in found.values()] == [True, False, False, True]
    assert found["a"]["crs"] == ["EPSG:4326"]
    assert found["c"]["crs"] == ["EPSG:3857", "EPSG:4326"]
    times = {name: layer["dimensions"][0]["extent"] for name, layer in found.items()}
    assert times == {"a": "2020", "b": "2021", "c": "2021", "d": "2020"}
    styles = {style["name"]: style["title"] for style in found["b"]["styles"]}
    assert list(styles.items()) == [("u", "u"), ("s", "of b"), ("t", "t")]
    assert {style["title"] for style in found["c"]["styles"]} == {"u", "of b", "t"}
    assert (found["c"]["min_scale"], found["c"]["max_scale"]) == (10, 99)
    assert found["d"]["path"] == ["a", "without a name"]
    assert found["d"]["title"] == "d"
    assert found["d"]["dimensions"][1]["values"] == ["0", "10", "20"]
    assert all(isinstance(found["d"][name], list) for name in ("crs", "styles", "keywords"))


@pytest.mark.parametrize(
    ("box", "version", "bounds"),
    [
        ('<BoundingBox CRS="EPSG:4326" minx="54" miny="10" maxx="58" maxy="14"/>', "1.3.0", True),
        ('<BoundingBox CRS="CRS:84" minx="10" miny="54" maxx="14" maxy="58"/>', "1.3.0", True),
        ('<BoundingBox SRS="EPSG:4326" minx="10" miny="54" maxx="14" maxy="58"/>', "1.1.1", True),
        ('<LatLonBoundingBox minx="10" miny="54" maxx="14" maxy="58"/>', "1.1.1", True),
        ('<BoundingBox CRS="EPSG:3857" minx="1" miny="2" maxx="3" maxy="4"/>', "1.3.0", False),
        ('<BoundingBox CRS="CRS:84" minx="nan" miny="54" maxx="14" maxy="58"/>', "1.3.0", False),
        ('<BoundingBox CRS="CRS:84" minx="10" miny="58" maxx="14" maxy="54"/>', "1.3.0", False),
        ('<BoundingBox CRS="CRS:84" miny="54" maxx="14" maxy="58"/>', "1.3.0", False),
    ],
    ids=range(8),
)
def test_bounds(box: str, version: str, bounds: bool) -> None:
    found = layers(f"<Layer><Name>a</Name>{box}</Layer>", version=version)
    assert found["a"]["bounds"] == ([10, 54, 14, 58] if bounds else None)


def test_geographic_bounds_go_before_others() -> None:
    geographic = (
        "<EX_GeographicBoundingBox><westBoundLongitude>-180.0001</westBoundLongitude>"
        "<eastBoundLongitude>14</eastBoundLongitude><southBoundLatitude>54</southBoundLatitude>"
        "<northBoundLatitude>90.5</northBoundLatitude></EX_GeographicBoundingBox>"
    )
    other = '<BoundingBox CRS="CRS:84" minx="0" miny="0" maxx="1" maxy="1"/>'
    for boxes in (geographic + other, other + geographic):
        found = layers(f"<Layer><Name>a</Name>{boxes}</Layer>")
        assert found["a"]["bounds"] == [-180, 54, 14, 90]


def test_dimensions_of_version_1_1_1() -> None:
    found = layers(
        '<Layer><Name>a</Name><Dimension name="time" units="ISO8601"/>'
        '<Dimension name="depth" units="m"/><Extent name="time" default="2020">2019/2021/P1Y'
        '</Extent><Layer><Name>b</Name><Extent name="TIME">2022,2020,2021</Extent></Layer></Layer>',
        version="1.1.1",
    )
    (of_a,) = found["a"]["dimensions"]  # the other one has no extent
    assert (of_a["extent"], of_a["default"], of_a["values"]) == ("2019/2021/P1Y", "2020", [])
    (of_b,) = found["b"]["dimensions"]
    assert (of_b["name"], of_b["units"]) == ("time", "ISO8601")
    assert (of_b["extent"], of_b["values"]) == ("2020/2022", ["2022", "2020", "2021"])


def test_a_list_of_intervals() -> None:
    extent = "2001-01-01/2002-01-01/P1M, 2005-01-01 ,2007-01-01/2009-01-01/P1D"
    found = layers(f'<Layer><Name>a</Name><Dimension name="time">{extent}</Dimension></Layer>')
    assert found["a"]["dimensions"][0]["extent"] == "2001-01-01/2009-01-01"


def test_a_scale_hint() -> None:
    found = layers(
        "<Layer><Name>a</Name><SRS>EPSG:4326 EPSG:3857</SRS>"
        '<ScaleHint min="0" max="39.6"/></Layer>',
        version="1.1.1",
    )
    assert found["a"]["min_scale"] is None
    assert found["a"]["max_scale"] == pytest.approx(100_000, rel=0.001)
    assert found["a"]["crs"] == ["EPSG:3857", "EPSG:4326"]


def test_legends_are_addresses_on_the_web() -> None:
    xlink = 'xmlns:x="http://www.w3.org/1999/xlink"'
    styles = "".join(
        f"<Style><Name>{n}</Name><LegendURL><OnlineResource {xlink} x:href='{address}'/>"
        "</LegendURL></Style>"
        for n, address in enumerate(("https://a.example/l?a=1&amp;b=2", "javascript:alert(1)"))
    )
    found = layers(f"<Layer><Name>a</Name>{styles}</Layer>")
    legends = [style["legendUrl"] for style in found["a"]["styles"]]
    assert legends == ["https://a.example/l?a=1&b=2", None]


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE WMT_MS_Capabilities SYSTEM "{DTD}">',
        f"<!DOCTYPE WMT_MS_Capabilities PUBLIC '-//OGC//DTD' '{DTD}' >",
        f'<!DOCTYPE a SYSTEM "{DTD}"\n [\n <!ELEMENT VendorSpecific EMPTY>\n ]>  <!-- -->',
        "<!DOCTYPE a [<!-- c --><!ATTLIST a b CDATA #IMPLIED>]>",
    ],
)
def test_a_doctype_that_is_skipped(doctype: str) -> None:
    document = capabilities("<Layer><Name>a</Name></Layer>", doctype=doctype)
    assert len(parse_capabilities(document).layers) == 1


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]>',
        '<!DOCTYPE a [<!ELEMENT b EMPTY><!ENTITY % b SYSTEM "file:///etc/passwd">%b;]>',
        "<!DOCTYPE a [%b;]>",
        '<!DOCTYPE a><!DOCTYPE a [<!ENTITY b "c">]>',
        "<!DOCTYPE a" + " " * 70_000 + '[<!ENTITY b "c">]>',
        " " * 70_000 + '<!DOCTYPE a [<!ENTITY b "c">]>',
        f'<!--{" " * 70_000}--><!DOCTYPE a [<!ENTITY b "c">]>',
        "<!DOCTYPE a [" + "<!-- -->" * 9_000,
    ],
    ids=range(8),
)
def test_a_doctype_that_is_refused(doctype: str) -> None:
    with pytest.raises(UnreadableXMLError):
        parse(f"{doctype}<a>&b;</a>".encode())
    with pytest.raises(UnreadableXMLError):
        parse(f"{doctype}<a>&b;</a>".encode("utf-16"))


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("utf-8", None),
        ("utf-16", None),
        ("iso-8859-1", None),
        ("", "iso-8859-1"),
        ("utf-8", "latin1"),
    ],
)
def test_encodings(encoding: str, charset: str | None) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding else ""
    content = "<a>Åland</a>".encode(encoding or charset or "utf-8")
    if encoding == "utf-16":
        content = f"{declaration}<a>Åland</a>".encode(encoding)
    else:
        content = declaration.encode() + content
    assert parse(content, charset).text == "Åland"
