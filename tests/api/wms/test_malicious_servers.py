"""Servers that mean harm, or are broken: what they send is refused, bounded, never passed on."""

import gzip
import json
import socket
import time
from typing import Any

import pytest

from tests.api.outgoing.remote_server import Answer, remote_server, respond
from tests.api.wms.answers import WMS, XML, capabilities
from tests.api.wms.conftest import Ask

PLACE = {"bbox": "10,54,12,56", "width": 100, "height": 100, "x": 50, "y": 50}
LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)
)  # a billion of them
HTML = "Content-Type: text/html"
PLAIN = "Content-Type: text/plain"
JSON = "Content-Type: application/json"
GML = "Content-Type: application/vnd.ogc.gml"


def dripping(client: socket.socket, _: str) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(200):
        client.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (capabilities(doctype=f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>'), "document type"),
        (
            capabilities(doctype='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
            "document",
        ),
        (capabilities(doctype='<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/">%x;]>'), "doc"),
        (capabilities("<Layer><Name>&x;</Name></Layer>"), "well-formed"),
        (capabilities().replace(b"UTF-8", b"UTF-16"), "well-formed"),
        (capabilities().replace(b"UTF-8", b"utf-7"), "encoding"),
        (capabilities().replace(b"Sea", b"S\xe9a"), "well-formed"),
        (capabilities()[:-20], "well-formed"),
        (capabilities("<Layer>" * 300), "well-formed"),
        (capabilities("<a/>" * 450_000), "elements"),
        (capabilities().replace(b"1.3.0", b"1.0.0"), "version"),
        (b"", "well-formed"),
        (b"<html><script>alert(1)</script></html>", "capabilities"),
        (b"{}", "well-formed"),
        (
            b"<ServiceExceptionReport><ServiceException code='OperationNotSupported'>secret"
            b"</ServiceException></ServiceExceptionReport>",
            "reports an error",
        ),
    ],
    ids=range(15),
)
def test_what_is_no_capabilities(ask: Ask, remote: WMS, document: bytes, reason: str) -> None:
    remote.document = respond(document, XML)
    response = ask("capabilities", url=remote.url)
    assert response.status_code == 502, response.text
    detail = response.json["detail"]  # type: ignore[index]
    assert remote.remote.server in detail
    assert reason in detail
    assert "secret" not in response.text
    assert [request["VERSION"] for request in remote.asked] == ["1.3.0", "1.1.1"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (respond(b"<secret>", XML, status="500 Internal Server Error"), "status 500"),
        (respond(b"secret", status="404 Not Found"), "status 404"),
        (respond(b" " * 17_000_000, XML), "larger than 16,777,216 bytes"),
        (respond(gzip.compress(capabilities()), XML, "Content-Encoding: gzip"), "compressed"),
        (respond(gzip.compress(capabilities()), XML), "well-formed"),
        (lambda client, _: client.sendall(b"secret\r\n\r\n"), "not valid HTTP"),
        (lambda *_: None, ""),
        (respond(b"", "Location: http://169.254.169.254/", status="302 Found"), "redirects"),
    ],
    ids=range(8),
)
def test_what_is_no_response(ask: Ask, remote: WMS, answer: Answer, reason: str) -> None:
    remote.document = answer
    response = ask("capabilities", url=remote.url)
    assert response.status_code == 502, response.text
    assert reason in response.json["detail"]  # type: ignore[index]
    assert "secret" not in response.text


def test_a_dripping_server(ask: Ask, remote: WMS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samsyn_admin.wms.capabilities.SECONDS", 1.0)
    remote.document = dripping
    began = time.monotonic()
    response = ask("capabilities", url=remote.url)
    assert response.status_code == 504
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("path", ["capabilities", "feature-info", "discover-properties"])
def test_no_server_of_this_machine_is_asked(ask: Ask, remote: WMS, path: str) -> None:
    with remote_server(respond(b"")) as inner:
        remote.document = respond(b"", f"Location: {inner.url}/", status="302 Found")
        remote.info = remote.document
        values = {"layers": "a", **PLACE} if path == "feature-info" else {"layer": "a"}
        values = {} if path == "capabilities" else values
        for url in (inner.url, f"http://localhost:{inner.port}", f"http://[::1]:{inner.port}/"):
            assert ask(path, url=url, **values).status_code == 400
        response = ask(path, url=remote.url, **values)
        assert response.status_code == (200 if path == "discover-properties" else 502)
        assert inner.connections == 0


def test_six_thousand_layers(ask: Ask, remote: WMS) -> None:
    layers = "".join(f"<Layer><Name>l{n}</Name></Layer>" for n in range(6_000))
    remote.document = respond(capabilities(f"<Layer><Title>All</Title>{layers}</Layer>"), XML)
    found: Any = ask("capabilities", url=remote.url).json
    assert [layer["name"] for layer in found["layers"]] == [f"l{n}" for n in range(5_000)]
    assert found["layers_left_out"] == 1_000


def test_much_that_is_inherited(ask: Ask, remote: WMS) -> None:
    """What one layer has a thousand times, and five thousand inherit, is bounded."""
    styles = "".join(f"<Style><Name>s{n}</Name></Style>" for n in range(1_000))
    systems = "".join(f"<CRS>EPSG:{n}</CRS>" for n in range(2_000, 8_000))
    times = f'<Dimension name="time">{",".join(["2020-01-01"] * 20_000)}</Dimension>'
    layers = "".join(f"<Layer><Name>l{n}</Name></Layer>" for n in range(5_000))
    remote.document = respond(
        capabilities(f"<Layer><Title>All</Title>{systems}{times}{styles}{layers}</Layer>"), XML
    )
    response = ask("capabilities", url=remote.url)
    assert response.status_code == 200
    assert len(response.data) < 20_000_000
    found: Any = response.json
    layer = found["layers"][0]
    assert layer["crs"][:2] == ["EPSG:3857", "EPSG:4326"]
    assert (len(layer["crs"]), len(layer["styles"])) == (100, 50)
    assert len(layer["dimensions"][0]["values"]) == 1_000
    assert found["layers_left_out"] == 5_000 - len(found["layers"]) > 0


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (
            respond(b"<p onclick='a()'>Sea <script>x()</script><b>b</b></p>", HTML),
            "<p>Sea <b>b</b>",
        ),
        (respond(b"<img src=x onerror=alert(1)>text", HTML), "text"),
        (respond(b"<a href='javascript:x'>link</a>", HTML), "link"),
        (respond(b"a <script>x</script>", PLAIN), "a &lt;script&gt;x&lt;/script&gt;"),
        (respond(b"a <i onload=x>", JSON), "a &lt;i onload=x&gt;"),
        (respond(b"<svg onload=alert(1)><x/></svg>", PLAIN), "&lt;svg onload=alert(1)&gt;"),
        (respond(b"<svg onload='alert(1)'>Sea</svg>", GML), "Sea"),
        (respond("djup: 5 µ".encode("latin-1"), "Content-Type: text/plain; charset=utf-8"), "5 µ"),
        (respond(b"deep", "Content-Type: text/plain; charset=rot13"), "deep"),
    ],
    ids=range(9),
)
def test_a_text_may_stand_in_a_page(ask: Ask, remote: WMS, answer: Answer, content: str) -> None:
    remote.info = answer
    response = ask("feature-info", url=remote.url, layers="depth", **PLACE)
    assert response.status_code == 200, response.text
    found: Any = response.json
    assert found["type"] == "text"
    assert content in found["content"]
    assert "<script" not in found["content"]
    assert "<svg" not in found["content"]


BAD = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("answer", "properties"),
    [
        (
            respond(json.dumps({"features": [{"properties": {BAD: BAD}}]}).encode(), JSON),
            {"&lt;img src=x onerror=alert(1)&gt;": "&lt;img src=x onerror=alert(1)&gt;"},
        ),
        (
            respond(
                b'{"features": [{"properties": {"a": 1e999, "b": [{"c": "<b>"}], "d": true,'
                b' "e": null, "f": NaN, "g": 2.5}}]}',
                JSON,
            ),
            {"a": None, "b": "c: &lt;b&gt;", "d": True, "e": None, "f": None, "g": 2.5},
        ),
        (
            respond(b'{"results": [{"layerName": "x", "attributes": {"depth": "5"}}]}', JSON),
            {"depth": "5"},
        ),
        (respond(b'{"value": "7", "name": "depth"}', HTML), {"value": "7", "name": "depth"}),
        (
            respond(
                b"<wfs:FeatureCollection xmlns:wfs='http://www.opengis.net/wfs'"
                b" xmlns:gml='http://www.opengis.net/gml'><gml:featureMember><sea:wreck"
                b" xmlns:sea='urn:sea'><gml:name>g</gml:name><sea:geom><gml:Point/></sea:geom>"
                b"<sea:name>&lt;b&gt;</sea:name><sea:of><sea:a>1</sea:a></sea:of></sea:wreck>"
                b"</gml:featureMember></wfs:FeatureCollection>",
                GML,
            ),
            {"name": "&lt;b&gt;", "of.a": "1"},
        ),
        (
            respond(
                b"<FeatureInfoResponse xmlns='http://www.esri.com/wms'><FIELDS Depth='5'/>"
                b"</FeatureInfoResponse>",
                XML,
            ),
            {"Depth": "5"},
        ),
        (
            respond(
                b"<GetFeatureInfoResponse><Layer name='a'><Feature id='1'><Attribute name='d'"
                b" value='5'/></Feature></Layer></GetFeatureInfoResponse>",
                XML,
            ),
            {"d": "5"},
        ),
        (
            respond(
                b"<html><head><title>x</title></head><body><table><caption>depth</caption><tr>"
                b"<th>fid</th><th>m</th></tr><tr><td>1</td><td>&lt;i&gt; 5</td></tr></table>",
                HTML,
            ),
            {"fid": "1", "m": "&lt;i&gt; 5"},
        ),
        (
            respond(b"<table><tr><th>m<td>5<tr><td>n<td><script>x</script>6</table>", HTML),
            {"m": "5", "n": "6"},
        ),
    ],
    ids=range(9),
)
def test_values_may_stand_in_a_page(
    ask: Ask, remote: WMS, answer: Answer, properties: dict[str, Any]
) -> None:
    remote.info = answer
    response = ask("feature-info", url=remote.url, layers="depth", **PLACE)
    assert response.json == {"features": [{"type": "Feature", "properties": properties}]}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("9" * 400, None),
        ("1e400", None),
        ("NaN", None),
        (r'"\ud800x"', "?x"),
        ("[" * 950 + "]" * 950, "…"),
        ('{"b": ' * 950 + "1" + "}" * 950, "b: " * 20 + "…"),
    ],
    ids=range(6),
)
def test_values_that_json_has_and_others_have_not(
    ask: Ask, remote: WMS, value: str, shown: Any
) -> None:
    remote.info = respond(
        rf'{{"features": [{{"properties": {{"\udfffa": {value}}}}}]}}'.encode(), JSON
    )
    response = ask("feature-info", url=remote.url, layers="depth", **PLACE)
    assert response.status_code == 200, response.text
    (feature,) = response.json["features"]  # type: ignore[index]
    assert feature["properties"] == {"?a": shown}
    response = ask("discover-properties", url=remote.url, layer="depth")
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b'{"features": [' + b"1" * 100_000 + b"]}",
        b"<a>" * 100_000,
        b"<table>" * 100_000,
        b"<!--" * 200_000,
        bytes(range(256)) * 100,
        b"\xff\xfe<\x00a\x00",
    ],
    ids=range(8),
)
@pytest.mark.parametrize("header", [JSON, HTML, GML])
def test_odd_bytes_are_no_fault_of_the_server(
    ask: Ask, remote: WMS, body: bytes, header: str
) -> None:
    remote.info = respond(body, header)
    response = ask("feature-info", url=remote.url, layers="depth", **PLACE)
    assert response.status_code in {200, 502}
    assert len(response.data) < 1_000_000
    assert ask("discover-properties", url=remote.url, layer="depth").status_code == 200


def test_many_large_features(ask: Ask, remote: WMS) -> None:
    properties = {f"p{n}": "x" * 100 for n in range(1_000)}
    features = [{"properties": properties}] * 8
    remote.info = respond(json.dumps({"features": features}).encode(), JSON)
    found: Any = ask("feature-info", url=remote.url, layers="depth", **PLACE).json
    assert [len(feature["properties"]) for feature in found["features"]] == [200] * 8
    remote.info = respond(json.dumps({"features": [{"a": 1}] * 900}).encode(), JSON)
    found = ask("feature-info", url=remote.url, layers="other", **PLACE).json
    assert len(found["features"]) == 50


def test_an_answer_that_is_too_large(ask: Ask, remote: WMS) -> None:
    remote.info = respond(b'"' + b"x" * 1_100_000 + b'"', JSON)
    response = ask("feature-info", url=remote.url, layers="depth", **PLACE)
    assert response.status_code == 502
    assert "larger than 1,048,576 bytes" in response.json["detail"]  # type: ignore[index]
