"""Text is returned unchanged, and is inert in HTML."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

TEXTS = [
    "depth < 20 & > 5",
    "&lt;already escaped&gt; &amp;",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'single' \"double\" `back` \\ /",
    "🌊🐟 Läsö Ærø Ålesund",
    "שלום مرحبا \u202etxet\u202c",
    "a\\u0000b \\x00 %00 \\0",
    "line\nbreak\ttab\r\x01\x7f",
    "{{ 7 * 7 }} {% raw %} ${7*7} %(layer)s %s",
    "\u2028\u2029\ufeff\U0010ffff",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_in_properties_and_titles(
    client: FlaskClient, layer: Callable[..., str], text: str
) -> None:
    layer_id = layer(
        [("POINT(1 1)", {"text": text, text: "name"})],
        fields={"text": {"type": "string"}, text: {"type": "string", "x-ogc-propertySeq": 1}},
        name=text,
        description=text,
        category=text,
    )
    address = f"/ogc/collections/{layer_id}"
    page = client.get(f"{address}/items").json
    assert page is not None
    feature = page["features"][0]
    assert feature["properties"] == {"text": text, text: "name"}
    item = client.get(f"{address}/items/{feature['id']}").json
    assert item["properties"] == feature["properties"]  # type: ignore[index]
    collection = client.get(address).json
    assert (collection["title"], collection["description"]) == (text, text)  # type: ignore[index]
    assert text in client.get(f"{address}/schema").json["properties"]  # type: ignore[index]
    assert text in client.get(f"{address}/queryables").json["properties"]  # type: ignore[index]
    assert client.get("/ogc/collections").json["collections"][0]["title"] == text  # type: ignore[index]
    matches = client.get(f"{address}/items", query_string={"text": text}).json
    assert matches["numberMatched"] == 1  # type: ignore[index]

    for path in (
        "/ogc/collections",
        address,
        f"{address}/schema",
        f"{address}/queryables",
        f"{address}/items",
        f"{address}/items/{feature['id']}",
        f"{address}/items?colour={text}",
    ):
        response = client.get(path, headers={"Accept": "text/html"})
        assert response.mimetype == "text/html"
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        scripts = re.findall(r"<script\b[^>]*>", response.text)
        assert all("src=" in tag or "application/json" in tag for tag in scripts), scripts
        assert "<img src=x" not in response.text
        assert "alert(1)</script>" not in response.text
        assert ">49<" not in response.text


def test_parameter_text_in_errors_is_escaped(client: FlaskClient) -> None:
    response = client.get("/ogc/?<script>alert(1)</script>=1", headers={"Accept": "text/html"})
    assert response.status_code == 400
    assert "<script>alert" not in response.text
