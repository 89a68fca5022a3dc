"""Answers that PostgreSQL writes and that are sent in parts: whole, and what was stored."""

import gzip
import json
from typing import Any

import pytest

from samsyn_admin.http import responses
from tests.api.layer_requests import LAYERS, LINE, Person, feature, geotiff, vector, wms
from tests.api.maps.map_requests import MAPS, done, make_map, put_on, read

TEXT = 'Ålgräs "north" \\ south\n\t\x01 </script> 🐟'


@pytest.fixture(params=[1, 1000, None], ids=["each part", "some parts", "as it is"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        monkeypatch.setattr(responses, "_CHUNK", request.param)


def paths(owner: Person) -> list[str]:
    """Make a map of three layers; return what answers any of it."""
    place = make_map(owner, name=TEXT)
    drawn = vector(*(feature(LINE, name=f"{TEXT} {number}") for number in range(9)))
    layers = [done(owner.post(body), 201)["id"] for body in (drawn, wms(), vector())]
    for layer_id in layers:
        put_on(owner, place, layer_id)
    first = f"{LAYERS}/{layers[0]}"
    return [MAPS, f"{MAPS}{place}", f"{MAPS}{place}/layers", LAYERS, first, f"{LAYERS}?limit=1"]


@pytest.mark.usefixtures("chunk")
def test_the_length_is_told_and_a_head_has_it(owner: Person) -> None:
    for path in paths(owner):
        answer = owner.client.get(path, headers=owner.headers)
        assert json.loads(answer.data)
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        head = owner.client.head(path, headers=owner.headers)
        assert (head.data, head.headers["Content-Length"]) == (b"", str(len(answer.data)))


@pytest.mark.usefixtures("chunk")
def test_compressed_it_is_the_same(owner: Person) -> None:
    for path in (path for path in paths(owner) if path in {MAPS, LAYERS}):
        plain = owner.client.get(path, headers=owner.headers).data
        headers = {**owner.headers, "Accept-Encoding": "gzip"}
        answer = owner.client.get(path, headers=headers)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.data) == plain


def test_the_tag_does_not_depend_on_the_parts(
    owner: Person, monkeypatch: pytest.MonkeyPatch
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
def test_what_was_stored_comes_back(owner: Person, body: dict[str, Any]) -> None:
    extra = {"style_config": {"label": TEXT, "a": [1, 1.5, None, True]}, "category": TEXT}
    made = done(owner.post({**body, **extra, "metadata": {"note": TEXT}}), 201)
    answer = done(owner.get(made["id"]))
    assert answer == made == done(owner.list())[0]
    sent = {**body, **extra, "metadata": {"note": TEXT}, "layer_metadata": {"note": TEXT}}
    config = {**answer.pop("source_config")}
    kept = {k: v for k, v in sent.pop("source_config").items() if k in {"url", "bounds"}}
    assert kept.items() <= config.items()
    assert sent.items() <= answer.items()
    if body["source_type"] == "vector":
        names = [entry["properties"]["name"] for entry in config["geojson"]["features"]]
        assert names == [TEXT]
        assert list(config)[-1] == "geojson"


def test_the_members_have_their_order(owner: Person) -> None:
    path = make_map(owner)
    layer_id = done(owner.post(vector(feature(LINE))), 201)["id"]
    put_on(owner, path, layer_id)
    shared = read(owner, path)
    assert list(shared)[:3] == ["id", "name", "description"]
    assert list(shared)[-3:] == ["collaborators", "user_role", "map_layers"]
    entry = shared["map_layers"][0]
    assert list(entry)[-2:] == ["order", "layer"]
    layer = done(owner.get(layer_id))
    assert entry["layer"] == layer
    assert list(layer)[:3] == ["id", "name", "source_type"]
    assert list(layer)[16:19] == ["metadata", "source_config", "created_by"]
    assert list(layer)[-4:] == ["feature_count", "bounds", "can_edit", "links"]
