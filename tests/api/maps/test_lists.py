"""`GET /api/v1/maps`: which maps, in which order, and how many at once."""

from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.layers import inline_features
from samsyn_admin.layers import serializer as layer_serializer
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, vector
from tests.api.maps.map_requests import (
    MAP,
    MAPS,
    add_layer,
    delete_layer,
    fill,
    invite,
    json_of,
    make_layer,
    make_map,
    read,
    send,
)
from tests.statements import statements


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


def names(caller: Caller, query: str = "") -> list[str]:
    response = send(caller, "GET", query)
    listed = [entry["name"] for entry in json_of(response)]
    if "limit" not in query and "offset" not in query:
        assert response.headers["X-Total-Count"] == str(len(listed))
        assert "Link" not in response.headers
    return listed


def drawn(owner: Caller, *features: Any) -> str:
    return str(json_of(owner.post(vector(*(features or (feature(LINE),)))), 201)["id"])


def test_which_maps_are_listed(owner: Caller, other: Caller, anonymous: Caller) -> None:
    shared = make_map(owner, "shared")
    for view in ("private", "collaborators", "public"):
        make_map(owner, view, view_permission=view)
    make_map(other, "theirs", view_permission="collaborators")
    invite(owner, shared, other)
    assert names(owner) == ["shared", "public", "collaborators", "private"]
    assert names(other) == ["shared", "theirs", "public"]
    assert names(anonymous) == ["public"]
    assert names(owner, "?mine=true") == names(owner)
    assert names(other, "?mine=true") == ["theirs"]
    assert names(other, "?mine=false") == names(other)
    assert names(anonymous, "?mine=true") == []


def test_the_last_changed_comes_first(owner: Caller, other: Caller) -> None:
    paths = {name: make_map(owner, name) for name in "abc"}
    layer_id, guest = make_layer(owner), f"{paths['b']}/collaborators/{other.id}"
    on_a, on_b = f"{paths['a']}/layers/{layer_id}", f"{paths['b']}/layers/{layer_id}"
    assert names(owner) == ["c", "b", "a"]
    for method, where, body, first in (
        ("PUT", paths["a"], {"zoom": 3}, "a"),
        ("POST", f"{paths['b']}/layers", {"layer_id": layer_id}, "b"),
        ("POST", f"{paths['a']}/layers", {"layer_id": layer_id}, "a"),
        ("PATCH", on_b, {"opacity": 3}, "b"),
        ("PATCH", paths["c"], {"description": "x"}, "c"),
        ("DELETE", on_a, None, "a"),
        ("POST", f"{paths['b']}/collaborators", {"user_id": str(other.id)}, "b"),
        ("PATCH", paths["c"], {"name": "c"}, "b"),
        ("PATCH", paths["c"], {"zoom": 4}, "c"),
        ("PUT", guest, {"role": "editor"}, "b"),
        ("PATCH", paths["c"], {"zoom": 5}, "c"),
        ("DELETE", guest, None, "b"),
        ("POST", f"{paths['a']}/collaborators", {"user_id": str(other.id)}, "a"),
        ("PATCH", paths["c"], {"zoom": 6}, "c"),
        ("PUT", f"{paths['a']}/owner", {"user_id": str(other.id)}, "a"),
    ):
        assert send(owner, method, where, body).status_code in {200, 201, 204}
        assert names(owner)[0] == first, (method, where)
    listed = [entry["updated_at"] for entry in read(owner, "")]
    assert listed == sorted(listed, reverse=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ålgräs", ["Ålgräs"]),
        ("KABLAR ålgräs", ["Ålgräs"]),
        ("kablar", ["Cables", "Ålgräs"]),
        ("100%", ["100% wind"]),
        ("%", ["100% wind"]),
        ("_", []),
        ("/", []),
        ("  ", ["Cables", "100% wind", "Ålgräs"]),
        ("", ["Cables", "100% wind", "Ålgräs"]),
        ("secret", []),
    ],
)
def test_text_search(owner: Caller, other: Caller, query: str, expected: list[str]) -> None:
    make_map(owner, "Ålgräs", description="och kablar", view_permission="public")
    make_map(owner, "100% wind", view_permission="public")
    make_map(owner, "Cables", description="Kablar\n'\"\\", view_permission="public")
    make_map(owner, "secret")
    assert [entry["name"] for entry in read(other, "", q=query)] == expected


@pytest.mark.parametrize(
    "query",
    [
        *("x=1", "limit=0", "limit=1001", "limit=1.5", "limit=", "offset=-1", "offset=x"),
        *("mine=1", "mine=", "inline=no", "q=a&q=b", "limit=1&limit=2", "q=%00", "name=x"),
        f"q={'x' * 256}",
    ],
)
def test_parameters_are_validated(owner: Caller, query: str) -> None:
    assert send(owner, "GET", f"?{query}").status_code == 400


def test_the_list_is_paged(owner: Caller) -> None:
    for name in "edcba":
        make_map(owner, name, view_permission="public")
    response = send(owner, "GET", "?limit=2&offset=1&mine=true")
    assert [entry["name"] for entry in json_of(response)] == ["b", "c"]
    assert response.headers["X-Total-Count"] == "5"
    address = f"http://localhost{MAPS}?limit=2"
    for rel, rest in (("next", "&offset=3"), ("prev", "&offset=0"), ("first", "")):
        link = f'<{address}{rest}&mine=true>; rel="{rel}"'
        assert link in response.headers["Link"] or rest == ""
        assert f'rel="{rel}"' in response.headers["Link"]
    last = send(owner, "GET", "?limit=2&offset=4")
    assert [entry["name"] for entry in json_of(last)] == ["e"]
    assert 'rel="next"' not in last.headers["Link"]
    behind = send(owner, "GET", "?offset=50")
    assert (json_of(behind), behind.headers["X-Total-Count"]) == ([], "5")


def test_a_list_has_maps_with_their_layers(owner: Caller, other: Caller, anonymous: Caller) -> None:
    for number in range(3):
        path = make_map(owner, f"Plan {number}", view_permission="public")
        invite(owner, path, other, "editor")
        add_layer(owner, path, drawn(owner), opacity=number)
    add_layer(owner, path, make_layer(owner))
    for caller in (owner, other, anonymous):
        for inline in ("true", "false"):
            listed = read(caller, "", inline=inline)
            assert len(listed) == 3
            for entry in listed:
                assert set(entry) == MAP
                assert entry == read(caller, f"/{entry['id']}", inline=inline)
                config = entry["map_layers"][0]["layer"]["source_config"]
                assert ("geojson" in config) is (inline == "true")


def test_further_layers_of_a_list_are_generalised(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maps are all there; a layer counts on each of its maps."""
    small, large = drawn(owner), drawn(owner, feature(LINE, text="x" * 1000))
    for number in range(3):
        path = make_map(owner, f"Plan {number}")
        for layer_id in (small, large) if number else (small,):
            add_layer(owner, path, layer_id)

    def generalised() -> list[list[bool]]:
        return [
            [
                "geojson_generalized" in entry["layer"]["source_config"]
                for entry in shared["map_layers"]
            ]
            for shared in read(owner, "")
        ]

    assert generalised() == [[False, False], [False, False], [False]]
    monkeypatch.setattr(inline_features, "INLINE_BUDGET", 2000)
    assert generalised() == [[False, True], [False, True], [False]]
    monkeypatch.setattr(inline_features, "INLINE_BUDGET", 0)
    assert generalised() == [[True, True], [True, True], [True]]
    assert all("geojson_generalized" not in str(shared) for shared in read(owner, "?inline=false"))


def test_a_layer_deleted_while_maps_are_listed_is_left_out(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers deleted between two statements of a reader."""
    real = layer_serializer.serialize_rows
    doomed: list[str] = []

    def deleting(*arguments: Any, **options: Any) -> Any:
        while doomed:
            delete_layer(owner, doomed.pop())
        return real(*arguments, **options)

    path = make_map(owner)
    first, second = drawn(owner), drawn(owner)
    for layer_id in (first, second):
        add_layer(owner, path, layer_id)
    monkeypatch.setattr(layer_serializer, "serialize_rows", deleting)
    for where in ("", path, f"{path}/layers", f"{path}/layers/{second}"):
        add_layer(owner, path, layer_id := drawn(owner))
        doomed.append(layer_id)
        assert send(owner, "GET", where).status_code == 200
    assert [entry["layer_id"] for entry in read(owner, f"{path}/layers")] == [first, second]


def test_the_number_of_statements_is_constant(owner: Caller, empty_database: Engine) -> None:
    counts = []
    for maps in (1, 50):
        for _ in range(maps):
            fill(empty_database, owner, make_map(owner), maps)
        for query in ("", "?inline=false&limit=50", "?mine=true&q=plan"):
            with statements() as executed:
                assert len(read(owner, query)) >= maps
            counts.append(len(executed))
    assert counts[:3] == counts[3:]
