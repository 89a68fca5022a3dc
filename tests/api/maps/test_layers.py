"""`/api/v1/maps/{id}/layers`: layers put on a map, moved, drawn otherwise and taken off."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.layers import serializer as layer_serializer
from tests.api.layer_requests import LINE, Person, feature, pointers, vector
from tests.api.maps.map_requests import (
    MAP_LAYER,
    MAPS,
    ask,
    done,
    fill,
    invite,
    make_layer,
    make_map,
    put_on,
    read,
    reorder,
    seen_layers,
    unknown,
)
from tests.statements import statements


@pytest.fixture
def path(owner: Person) -> str:
    """A public map that everybody who is signed in may change."""
    return make_map(owner, view_permission="public", edit_permission="public")


@pytest.fixture
def other(person: Callable[..., Person]) -> Person:
    return person("other")


def test_a_layer_is_put_on_a_map(owner: Person, path: str) -> None:
    layer = done(owner.post(vector(feature(LINE, name="Ferry"))), 201)
    body = {"layer_id": layer["id"], "visible": False, "opacity": 0, "style_override": {"a": [1]}}
    before = read(owner, path)["updated_at"]
    answer = ask(owner, "POST", f"{path}/layers", body)
    placed = done(answer, 201)
    assert set(placed) == MAP_LAYER
    assert body.items() <= placed.items()
    assert placed["order"] == 0
    assert placed["layer"] == owner.get(layer["id"]).json
    address = f"{path}/layers/{layer['id']}"
    assert answer.headers["Location"].endswith(f"{MAPS}{address}")
    got = ask(owner, "GET", address)
    assert (got.json, got.headers["ETag"]) == (placed, answer.headers["ETag"])
    found = read(owner, path)
    assert found["map_layers"] == [placed]
    assert found["updated_at"] > before
    bare = read(owner, address, inline="false")
    assert "geojson" not in bare["layer"]["source_config"]
    next_one = put_on(owner, path, make_layer(owner))
    assert (next_one["order"], next_one["visible"], next_one["opacity"]) == (1, True, 100)
    assert next_one["style_override"] is None


def test_a_place_that_is_taken_is_inserted_at(owner: Person, path: str) -> None:
    a, b, c, d = (make_layer(owner, name) for name in "abcd")
    assert put_on(owner, path, a, order=5)["order"] == 0
    assert put_on(owner, path, b, order=0)["order"] == 0
    assert put_on(owner, path, c, order=1)["order"] == 1
    assert put_on(owner, path, d, order=2**31 - 1)["order"] == 3
    assert seen_layers(owner, path) == [b, c, a, d]
    assert put_on(owner, path, e := make_layer(owner), order=None)["order"] == 4
    assert ask(owner, "DELETE", f"{path}/layers/{c}").status_code == 204
    assert seen_layers(owner, path) == [b, a, d, e]
    assert put_on(owner, path, c, order=1)["order"] == 1
    assert seen_layers(owner, path) == [b, c, a, d, e]


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
def test_what_breaks_a_rule_is_named(owner: Person, path: str, member: str, value: Any) -> None:
    layer_id = make_layer(owner)
    body = {"layer_id": layer_id, member: value}
    assert pointers(ask(owner, "POST", f"{path}/layers", body)) == [f"/{member}"]
    put_on(owner, path, layer_id)
    got = ask(owner, "GET", f"{path}/layers/{layer_id}")
    for method in ("PUT", "PATCH"):
        answer = ask(owner, method, f"{path}/layers/{layer_id}", {member: value})
        assert pointers(answer) == [f"/{member}"]
    after = ask(owner, "GET", f"{path}/layers/{layer_id}")
    assert after.headers["ETag"] == got.headers["ETag"]


def test_bodies_and_parameters_that_are_none(owner: Person, path: str) -> None:
    layer_id = make_layer(owner)
    for key in (None, 1, "x", [layer_id], "\u0000"):
        assert pointers(ask(owner, "POST", f"{path}/layers", {"layer_id": key})) == ["/layer_id"]
    assert pointers(ask(owner, "POST", f"{path}/layers", {"layer": 1})) == ["/layer_id", "/layer"]
    put_on(owner, path, layer_id)
    one = f"{path}/layers/{layer_id}"
    for method, where in (
        *(("POST", f"{path}/layers"), ("PUT", one), ("PATCH", one)),
        ("PUT", f"{path}/layers/reorder"),
    ):
        plain = {"data": b"{}", "content_type": "text/plain"}
        assert ask(owner, method, where, **plain).status_code == 415
        for value in (b"{", b"", b'{"opacity": NaN}'):
            broken = {"data": value, "content_type": "application/json"}
            assert ask(owner, method, where, **broken).status_code == 400
        assert pointers(ask(owner, method, where, [])) == [""]
        assert ask(owner, method, f"{where}?x=1", {}).status_code == 400
    for where in (f"{path}/layers?x=1", f"{path}/layers?limit=0", f"{one}?inline=1"):
        assert ask(owner, "GET", where).status_code == 400


def test_which_layers_may_be_put_there(owner: Person, other: Person, path: str) -> None:
    invite(owner, path, other, "viewer")
    mine, public = make_layer(other), make_layer(other, visibility="public")
    for layer_id in (mine, unknown()):
        assert ask(owner, "POST", f"{path}/layers", {"layer_id": layer_id}).status_code == 404
    put_on(owner, path, public)
    put_on(other, path, mine)
    for layer_id in (mine, public):
        assert ask(other, "POST", f"{path}/layers", {"layer_id": layer_id}).status_code == 409
    second = make_map(owner)
    assert done(owner.get(mine))["id"] == mine
    assert ask(owner, "POST", f"{second}/layers", {"layer_id": mine}).status_code == 403


def test_a_map_has_up_to_two_hundred_layers(
    owner: Person, path: str, empty_database: Engine
) -> None:
    fill(empty_database, owner, path, 199)
    assert put_on(owner, path, make_layer(owner))["order"] == 199
    answer = ask(owner, "POST", f"{path}/layers", {"layer_id": make_layer(owner)})
    assert answer.status_code == 409
    assert len(seen_layers(owner, path)) == 200


def test_what_one_got_one_can_put_back(owner: Person, path: str) -> None:
    for _ in range(3):
        layer_id = make_layer(owner)
        put_on(owner, path, layer_id, order=1, style_override={"a": {"b": 1.5}})
    whole, one = ask(owner, "GET", path), f"{path}/layers/{layer_id}"
    for method in ("PUT", "PATCH"):
        got = ask(owner, "GET", one)
        for body in (got.json, {}, {"order": None}):
            same = ask(owner, method, one, body)
            assert (done(same), same.headers["ETag"]) == (got.json, got.headers["ETag"])
    assert ask(owner, "GET", path).headers["ETag"] == whole.headers["ETag"]


def test_how_a_layer_is_drawn_is_changed(owner: Person, path: str) -> None:
    put_on(owner, path, layer_id := make_layer(owner), style_override={"a": {"x": 1}, "b": 1})
    one = f"{path}/layers/{layer_id}"
    tag = ask(owner, "GET", one).headers["ETag"]
    stale = {"If-Match": tag}
    assert ask(owner, "GET", one, headers={"If-None-Match": tag}).status_code == 304
    changed = ask(owner, "PUT", one, {"visible": False, "opacity": 7}, headers=stale)
    assert (done(changed)["visible"], changed.json["opacity"]) == (False, 7)  # type: ignore[index]
    for method, body in (("PUT", {"opacity": 8}), ("PATCH", {}), ("DELETE", None)):
        assert ask(owner, method, one, body, headers=stale).status_code == 412
    style = {"style_override": {"a": {"x": None, "y": 2}, "c": True}}
    patched = done(ask(owner, "PATCH", one, style))
    assert patched["style_override"] == {"a": {"y": 2}, "b": 1, "c": True}
    patched = done(ask(owner, "PATCH", one, {"style_override": {"c": 1}}))
    assert patched["style_override"]["c"] is not True
    put = done(ask(owner, "PUT", one, {"style_override": {"z": None}}))
    assert put["style_override"] == {"z": None}
    assert done(ask(owner, "PATCH", one, {"style_override": None}))["style_override"] is None
    now = ask(owner, "GET", one).headers["ETag"]
    assert ask(owner, "DELETE", one, headers={"If-Match": now}).status_code == 204
    for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None)):
        for gone in (layer_id, "x", unknown(), "reorder"):
            if (method, gone) != ("PUT", "reorder"):
                assert ask(owner, method, f"{path}/layers/{gone}", body).status_code == 404
    assert owner.get(layer_id).status_code == 200


@pytest.mark.parametrize(
    ("start", "order", "expected"),
    [(0, 2, "bcad"), (3, 0, "dabc"), (1, 9, "acdb"), (2, 1, "acbd"), (1, 1, "abcd")],
)
def test_a_layer_is_moved(owner: Person, path: str, start: int, order: int, expected: str) -> None:
    layers = {name: make_layer(owner, name) for name in "abcd"}
    for layer_id in layers.values():
        put_on(owner, path, layer_id)
    moved = layers["abcd"[start]]
    answer = done(ask(owner, "PUT", f"{path}/layers/{moved}", {"order": order}))
    assert answer["order"] == expected.index("abcd"[start])
    assert seen_layers(owner, path) == [layers[name] for name in expected]


def test_a_new_order(owner: Person, path: str) -> None:
    layers = [make_layer(owner) for _ in range(4)]
    for layer_id in layers:
        put_on(owner, path, layer_id)
    before = ask(owner, "GET", path)
    done(reorder(owner, path, layers))
    assert ask(owner, "GET", path).headers["ETag"] == before.headers["ETag"]
    layers.reverse()
    answer = reorder(owner, path, layers)
    assert [entry["layer_id"] for entry in done(answer)] == layers
    assert answer.json == read(owner, f"{path}/layers")
    assert seen_layers(owner, path) == layers
    assert read(owner, path)["updated_at"] > (before.json or {})["updated_at"]
    gaps = [{"layer_id": layers[n], "order": 7 * n} for n in (2, 0, 3, 1)]
    done(ask(owner, "PUT", f"{path}/layers/reorder", {"layer_orders": gaps}))
    assert seen_layers(owner, path) == layers


def test_a_new_order_names_each_layer_once(owner: Person, path: str) -> None:
    a, b = make_layer(owner), make_layer(owner)
    for layer_id in (a, b):
        put_on(owner, path, layer_id)
    where = "/layer_orders"
    for places, expected in (
        ([], [where]),
        ([(a, 0)], [where]),
        ([(a, 0), (b, 1), (a, 2)], [f"{where}/2/layer_id"]),
        ([(a, 0), (b, 1), (make_layer(owner), 2)], [f"{where}/2/layer_id"]),
        ([(a, 1), (b, 1)], [f"{where}/1/order"]),
        ([(a, -1), (b, True)], [f"{where}/0/order", f"{where}/1/order"]),
        ([("x", 0), (None, 1)], [f"{where}/0/layer_id", f"{where}/1/layer_id"]),
    ):
        body = {"layer_orders": [{"layer_id": key, "order": order} for key, order in places]}
        assert pointers(ask(owner, "PUT", f"{path}/layers/reorder", body)) == expected
    for members in ({}, {"layer_orders": None}, {"layer_orders": 1}):
        assert pointers(ask(owner, "PUT", f"{path}/layers/reorder", members)) == [where]
    assert len(pointers(reorder(owner, path, [unknown() for _ in range(150)]))) == 100
    assert seen_layers(owner, path) == [a, b]


def test_a_list_ends_before_the_layer_whose_features_are_too_many(
    owner: Person, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [done(owner.post(vector(feature(LINE))), 201)["id"] for _ in range(4)]
    for layer_id in layers:
        put_on(owner, path, layer_id)
    whole = read(owner, f"{path}/layers")
    monkeypatch.setattr(layer_serializer, "INLINE_BUDGET", 400)
    found: list[Any] = []
    address, pages = f"{path}/layers", 0
    while address:
        answer = ask(owner, "GET", address)
        assert answer.headers["X-Total-Count"] == "4"
        found += done(answer)
        pages += 1
        following = re.search(rf'<http://localhost{MAPS}([^>]*)>; rel="next"', str(answer.headers))
        address = following.group(1) if following else ""
    assert found == whole
    assert 1 < pages <= 4
    assert read(owner, path)["map_layers"] == whole
    turned = reorder(owner, path, layers[::-1])
    assert [entry["layer_id"] for entry in done(turned)] == layers[::-1]
    assert "Link" not in turned.headers


def test_the_statements_do_not_depend_on_how_many_there_are(
    owner: Person, empty_database: Engine
) -> None:
    def counted(layers: int) -> list[int]:
        path = make_map(owner)
        fill(empty_database, owner, path, layers)
        layer_id = make_layer(owner)
        turned = [
            {"layer_id": key, "order": number}
            for number, key in enumerate([*seen_layers(owner, path), layer_id])
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
            with statements() as seen:
                assert ask(owner, method, where, body).status_code in {200, 201, 204}
            counts.append(len(seen))
        return counts

    assert counted(1) == counted(50)
