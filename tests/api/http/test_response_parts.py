"""Responses serialized by PostgreSQL and sent in parts: complete, and as stored."""

import gzip
import json
from typing import Any

import pytest

from samsyn_admin.http import responses
from tests.api.layer_requests import LAYERS, LINE, Caller, feature, geotiff, vector, wms
from tests.api.maps.map_requests import MAPS, add_layer, json_of, make_map, read

TEXT = 'Ålgräs "north" \\ south\n\t\x01 </script> 🐟'


@pytest.fixture(params=[1, 1000, None], ids=["each part", "some parts", "as it is"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        monkeypatch.setattr(responses, "_CHUNK", request.param)


def paths(owner: Caller) -> list[str]:
    """Create a map of three layers; return the paths of its resources."""
    path = make_map(owner, name=TEXT)
    drawn = vector(*(feature(LINE, name=f"{TEXT} {number}") for number in range(9)))
    layers = [json_of(owner.post(body), 201)["id"] for body in (drawn, wms(), vector())]
    for layer_id in layers:
        add_layer(owner, path, layer_id)
    first = f"{LAYERS}/{layers[0]}"
    return [MAPS, f"{MAPS}{path}", f"{MAPS}{path}/layers", LAYERS, first, f"{LAYERS}?limit=1"]


@pytest.mark.usefixtures("chunk")
def test_responses_and_heads_have_the_length(owner: Caller) -> None:
    for path in paths(owner):
        response = owner.client.get(path, headers=owner.headers)
        assert json.loads(response.data)
        assert int(response.headers["Content-Length"]) == len(response.data)
        head = owner.client.head(path, headers=owner.headers)
        assert (head.data, head.headers["Content-Length"]) == (b"", str(len(response.data)))


@pytest.mark.usefixtures("chunk")
def test_compressed_responses_are_the_same(owner: Caller) -> None:
    for path in (path for path in paths(owner) if path in {MAPS, LAYERS}):
        plain = owner.client.get(path, headers=owner.headers).data
        headers = {**owner.headers, "Accept-Encoding": "gzip"}
        response = owner.client.get(path, headers=headers)
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(response.data) == plain


def test_the_tag_does_not_depend_on_the_parts(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (path for path in paths(owner) if path.count("/") == 4):
        tag = owner.client.get(path, headers=owner.headers).headers["ETag"]
        with monkeypatch.context() as patch:
            patch.setattr(responses, "_CHUNK", 1)
            headers = {**owner.headers, "If-None-Match": tag}
            same = owner.client.get(path, headers=headers)
        assert (same.status_code, same.data) == (304, b"")
        assert "Content-Length" not in same.headers


@pytest.mark.parametrize(
    "body",
    [
        vector(feature(LINE, name=TEXT), name=TEXT, description=TEXT),
        wms(dimensions={"time": [TEXT]}),
        geotiff(url="https://example.org/noise.tif", bounds=[10, 54.5, 13, 58]),
    ],
    ids=["vector", "wms", "geotiff"],
)
def test_stored_values_are_returned(owner: Caller, body: dict[str, Any]) -> None:
    extra = {"style_config": {"label": TEXT, "a": [1, 1.5, None, True]}, "category": TEXT}
    created = json_of(owner.post({**body, **extra, "metadata": {"note": TEXT}}), 201)
    response = json_of(owner.get(created["id"]))
    assert response == created == json_of(owner.list())[0]
    sent = {**body, **extra, "metadata": {"note": TEXT}, "layer_metadata": {"note": TEXT}}
    config = {**response.pop("source_config")}
    known = {k: v for k, v in sent.pop("source_config").items() if k in {"url", "bounds"}}
    assert known.items() <= config.items()
    assert sent.items() <= response.items()
    if body["source_type"] == "vector":
        names = [entry["properties"]["name"] for entry in config["geojson"]["features"]]
        assert names == [TEXT]
        assert list(config)[-1] == "geojson"


def test_the_members_have_their_order(owner: Caller) -> None:
    path = make_map(owner)
    layer_id = json_of(owner.post(vector(feature(LINE))), 201)["id"]
    add_layer(owner, path, layer_id)
    shared = read(owner, path)
    assert list(shared)[:3] == ["id", "name", "description"]
    assert list(shared)[-3:] == ["collaborators", "user_role", "map_layers"]
    entry = shared["map_layers"][0]
    assert list(entry)[-2:] == ["order", "layer"]
    layer = json_of(owner.get(layer_id))
    assert entry["layer"] == layer
    assert list(layer)[:3] == ["id", "name", "source_type"]
    assert list(layer)[16:19] == ["metadata", "source_config", "created_by"]
    assert list(layer)[-4:] == ["feature_count", "bounds", "can_edit", "links"]
