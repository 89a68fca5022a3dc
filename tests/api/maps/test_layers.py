"""`/api/v1/maps/{id}/layers`: layers added to a map, moved, styled and removed."""

from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.layers import inline_features
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, pointers, vector
from tests.api.maps.map_requests import (
    MAP_LAYER,
    MAPS,
    add_layer,
    fill,
    invite,
    json_of,
    listed_layers,
    make_layer,
    make_map,
    read,
    reorder,
    send,
    unknown,
)
from tests.statements import statements


@pytest.fixture
def path(owner: Caller) -> str:
    """A public map that all signed-in users may change."""
    return make_map(owner, view_permission="public", edit_permission="public")


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


def test_a_layer_is_added_to_a_map(owner: Caller, path: str) -> None:
    layer = json_of(owner.post(vector(feature(LINE, name="Ferry"))), 201)
    body = {"layer_id": layer["id"], "visible": False, "opacity": 0, "style_override": {"a": [1]}}
    before = read(owner, path)["updated_at"]
    response = send(owner, "POST", f"{path}/layers", body)
    added = json_of(response, 201)
    assert set(added) == MAP_LAYER
    assert body.items() <= added.items()
    assert added["order"] == 0
    assert added["layer"] == owner.get(layer["id"]).json
    address = f"{path}/layers/{layer['id']}"
    assert response.headers["Location"].endswith(f"{MAPS}{address}")
    got = send(owner, "GET", address)
    assert (got.json, got.headers["ETag"]) == (added, response.headers["ETag"])
    document = read(owner, path)
    assert document["map_layers"] == [added]
    assert document["updated_at"] > before
    bare = read(owner, address, inline="false")
    assert "geojson" not in bare["layer"]["source_config"]
    next_one = add_layer(owner, path, make_layer(owner))
    assert (next_one["order"], next_one["visible"], next_one["opacity"]) == (1, True, 100)
    assert next_one["style_override"] is None


def test_a_layer_is_inserted_at_an_occupied_position(owner: Caller, path: str) -> None:
    a, b, c, d = (make_layer(owner, name) for name in "abcd")
    assert add_layer(owner, path, a, order=5)["order"] == 0
    assert add_layer(owner, path, b, order=0)["order"] == 0
    assert add_layer(owner, path, c, order=1)["order"] == 1
    assert add_layer(owner, path, d, order=2**31 - 1)["order"] == 3
    assert listed_layers(owner, path) == [b, c, a, d]
    assert add_layer(owner, path, e := make_layer(owner), order=None)["order"] == 4
    assert send(owner, "DELETE", f"{path}/layers/{c}").status_code == 204
    assert listed_layers(owner, path) == [b, a, d, e]
    assert add_layer(owner, path, c, order=1)["order"] == 1
    assert listed_layers(owner, path) == [b, c, a, d, e]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("order", value) for value in (-1, 1.5, "1", True)),
        *(("visible", value) for value in (1, "true", None)),
        *(("opacity", value) for value in (-1, 101, 50.5, "50", True, None)),
        *(("style_override", value) for value in ("x", 1, {"a": "x" * 263_000})),
        ("style_override", []),
        ("layers", []),
    ],
)
def test_faults_are_reported(owner: Caller, path: str, member: str, value: Any) -> None:
    layer_id = make_layer(owner)
    body = {"layer_id": layer_id, member: value}
    assert pointers(send(owner, "POST", f"{path}/layers", body)) == [f"/{member}"]
    add_layer(owner, path, layer_id)
    got = send(owner, "GET", f"{path}/layers/{layer_id}")
    for method in ("PUT", "PATCH"):
        response = send(owner, method, f"{path}/layers/{layer_id}", {member: value})
        assert pointers(response) == [f"/{member}"]
    after = send(owner, "GET", f"{path}/layers/{layer_id}")
    assert after.headers["ETag"] == got.headers["ETag"]


def test_invalid_bodies_and_parameters(owner: Caller, path: str) -> None:
    layer_id = make_layer(owner)
    for key in (None, 1, "x", [layer_id], "\u0000"):
        assert pointers(send(owner, "POST", f"{path}/layers", {"layer_id": key})) == ["/layer_id"]
    assert pointers(send(owner, "POST", f"{path}/layers", {"layer": 1})) == ["/layer_id", "/layer"]
    add_layer(owner, path, layer_id)
    one = f"{path}/layers/{layer_id}"
    for method, where in (
        *(("POST", f"{path}/layers"), ("PUT", one), ("PATCH", one)),
        ("PUT", f"{path}/layers/reorder"),
    ):
        plain = {"data": b"{}", "content_type": "text/plain"}
        assert send(owner, method, where, **plain).status_code == 415
        for value in (b"{", b"", b'{"opacity": NaN}'):
            broken = {"data": value, "content_type": "application/json"}
            assert send(owner, method, where, **broken).status_code == 400
        assert pointers(send(owner, method, where, [])) == [""]
        assert send(owner, method, f"{where}?x=1", {}).status_code == 400
    for where in (f"{path}/layers?x=1", f"{path}/layers?limit=0", f"{one}?inline=1"):
        assert send(owner, "GET", where).status_code == 400


def test_which_layers_may_be_added(owner: Caller, other: Caller, path: str) -> None:
    invite(owner, path, other, "viewer")
    mine, public = make_layer(other), make_layer(other, visibility="public")
    for layer_id in (mine, unknown()):
        assert send(owner, "POST", f"{path}/layers", {"layer_id": layer_id}).status_code == 404
    add_layer(owner, path, public)
    add_layer(other, path, mine)
    for layer_id in (mine, public):
        assert send(other, "POST", f"{path}/layers", {"layer_id": layer_id}).status_code == 409
    second = make_map(owner)
    assert json_of(owner.get(mine))["id"] == mine
    assert send(owner, "POST", f"{second}/layers", {"layer_id": mine}).status_code == 403


def test_a_map_has_up_to_two_hundred_layers(
    owner: Caller, path: str, empty_database: Engine
) -> None:
    fill(empty_database, owner, path, 199)
    assert add_layer(owner, path, make_layer(owner))["order"] == 199
    response = send(owner, "POST", f"{path}/layers", {"layer_id": make_layer(owner)})
    assert response.status_code == 422
    assert len(listed_layers(owner, path)) == 200


def test_a_response_can_be_sent_back(owner: Caller, path: str) -> None:
    for _ in range(3):
        layer_id = make_layer(owner)
        add_layer(owner, path, layer_id, order=1, style_override={"a": {"b": 1.5}})
    full, one = send(owner, "GET", path), f"{path}/layers/{layer_id}"
    for method in ("PUT", "PATCH"):
        got = send(owner, "GET", one)
        for body in (got.json, {}, {"order": None}):
            same = send(owner, method, one, body)
            assert (json_of(same), same.headers["ETag"]) == (got.json, got.headers["ETag"])
    assert send(owner, "GET", path).headers["ETag"] == full.headers["ETag"]


def test_the_style_of_a_layer_is_changed(owner: Caller, path: str) -> None:
    add_layer(owner, path, layer_id := make_layer(owner), style_override={"a": {"x": 1}, "b": 1})
    one = f"{path}/layers/{layer_id}"
    tag = send(owner, "GET", one).headers["ETag"]
    stale = {"If-Match": tag}
    assert send(owner, "GET", one, headers={"If-None-Match": tag}).status_code == 304
    changed = send(owner, "PUT", one, {"visible": False, "opacity": 7}, headers=stale)
    assert (json_of(changed)["visible"], changed.json["opacity"]) == (False, 7)  # type: ignore[index]
    for method, body in (("PUT", {"opacity": 8}), ("PATCH", {}), ("DELETE", None)):
        assert send(owner, method, one, body, headers=stale).status_code == 412
    style = {"style_override": {"a": {"x": None, "y": 2}, "c": True}}
    patched = json_of(send(owner, "PATCH", one, style))
    assert patched["style_override"] == {"a": {"y": 2}, "b": 1, "c": True}
    patched = json_of(send(owner, "PATCH", one, {"style_override": {"c": 1}}))
    assert patched["style_override"]["c"] is not True
    put = json_of(send(owner, "PUT", one, {"style_override": {"z": None}}))
    assert put["style_override"] == {"z": None}
    assert json_of(send(owner, "PATCH", one, {"style_override": None}))["style_override"] is None
    now = send(owner, "GET", one).headers["ETag"]
    assert send(owner, "DELETE", one, headers={"If-Match": now}).status_code == 204
    for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None)):
        for missing in (layer_id, "x", unknown(), "reorder"):
            if (method, missing) != ("PUT", "reorder"):
                assert send(owner, method, f"{path}/layers/{missing}", body).status_code == 404
    assert owner.get(layer_id).status_code == 200


@pytest.mark.parametrize(
    ("start", "order", "expected"),
    [(0, 2, "bcad"), (3, 0, "dabc"), (1, 9, "acdb"), (2, 1, "acbd"), (1, 1, "abcd")],
)
def test_a_layer_is_moved(owner: Caller, path: str, start: int, order: int, expected: str) -> None:
    layers = {name: make_layer(owner, name) for name in "abcd"}
    for layer_id in layers.values():
        add_layer(owner, path, layer_id)
    moved = layers["abcd"[start]]
    response = json_of(send(owner, "PUT", f"{path}/layers/{moved}", {"order": order}))
    assert response["order"] == expected.index("abcd"[start])
    assert listed_layers(owner, path) == [layers[name] for name in expected]


def test_a_new_order(owner: Caller, path: str) -> None:
    layers = [make_layer(owner) for _ in range(4)]
    for layer_id in layers:
        add_layer(owner, path, layer_id)
    before = send(owner, "GET", path)
    json_of(reorder(owner, path, layers))
    assert send(owner, "GET", path).headers["ETag"] == before.headers["ETag"]
    layers.reverse()
    response = reorder(owner, path, layers)
    assert [entry["layer_id"] for entry in json_of(response)] == layers
    assert response.json == read(owner, f"{path}/layers")
    assert listed_layers(owner, path) == layers
    assert read(owner, path)["updated_at"] > (before.json or {})["updated_at"]
    gaps = [{"layer_id": layers[n], "order": 7 * n} for n in (2, 0, 3, 1)]
    json_of(send(owner, "PUT", f"{path}/layers/reorder", {"layer_orders": gaps}))
    assert listed_layers(owner, path) == layers


def test_a_new_order_has_each_layer_once(owner: Caller, path: str) -> None:
    a, b = make_layer(owner), make_layer(owner)
    for layer_id in (a, b):
        add_layer(owner, path, layer_id)
    where = "/layer_orders"
    for orders, expected in (
        ([], [where]),
        ([(a, 0)], [where]),
        ([(a, 0), (b, 1), (a, 2)], [f"{where}/2/layer_id"]),
        ([(a, 0), (b, 1), (make_layer(owner), 2)], [f"{where}/2/layer_id"]),
        ([(a, 1), (b, 1)], [f"{where}/1/order"]),
        ([(a, -1), (b, True)], [f"{where}/0/order", f"{where}/1/order"]),
        ([("x", 0), (None, 1)], [f"{where}/0/layer_id", f"{where}/1/layer_id"]),
    ):
        body = {"layer_orders": [{"layer_id": key, "order": order} for key, order in orders]}
        assert pointers(send(owner, "PUT", f"{path}/layers/reorder", body)) == expected
    for members in ({}, {"layer_orders": None}, {"layer_orders": 1}):
        assert pointers(send(owner, "PUT", f"{path}/layers/reorder", members)) == [where]
    assert len(pointers(reorder(owner, path, [unknown() for _ in range(150)]))) == 100
    assert listed_layers(owner, path) == [a, b]


def test_further_layers_of_a_map_are_generalised(
    owner: Caller, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [json_of(owner.post(vector(feature(LINE))), 201)["id"] for _ in range(4)]
    for layer_id in layers:
        add_layer(owner, path, layer_id)
    monkeypatch.setattr(inline_features, "INLINE_BUDGET", 400)
    document = read(owner, f"{path}/layers")
    whole = ["geojson_generalized" not in e["layer"]["source_config"] for e in document]
    assert whole == sorted(whole, reverse=True)
    assert 1 <= sum(whole) < 4
    assert read(owner, path)["map_layers"] == document
    turned = reorder(owner, path, layers[::-1])
    assert [entry["layer_id"] for entry in json_of(turned)] == layers[::-1]


def test_the_number_of_statements_is_constant(owner: Caller, empty_database: Engine) -> None:
    def counted(layers: int) -> list[int]:
        path = make_map(owner)
        fill(empty_database, owner, path, layers)
        layer_id = make_layer(owner)
        turned = [
            {"layer_id": key, "order": number}
            for number, key in enumerate([*listed_layers(owner, path), layer_id])
        ]
        counts = []
        for method, where, body in (
            ("POST", f"{path}/layers", {"layer_id": layer_id, "order": 0}),
            ("GET", f"{path}/layers", None),
            ("GET", f"{path}/layers/{layer_id}", None),
            ("PUT", f"{path}/layers/{layer_id}", {"order": layers, "opacity": 5}),
            ("PUT", f"{path}/layers/reorder", {"layer_orders": turned}),
            ("DELETE", f"{path}/layers/{layer_id}", None),
        ):
            with statements() as executed:
                assert send(owner, method, where, body).status_code in {200, 201, 204}
            counts.append(len(executed))
        return counts

    assert counted(1) == counted(50)
