"""`GET /api/v1/maps`: which maps, in which order, and how many at once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.layers import serializer as layer_serializer
from tests.api.layer_requests import LINE, Person, feature, vector
from tests.api.maps.map_requests import (
    MAP,
    MAPS,
    ask,
    delete_layer,
    done,
    fill,
    invite,
    make_layer,
    make_map,
    put_on,
    read,
)
from tests.statements import statements


@pytest.fixture
def other(person: Callable[..., Person]) -> Person:
    return person("other")


def names(caller: Person, query: str = "") -> list[str]:
    answer = ask(caller, "GET", query)
    found = [entry["name"] for entry in done(answer)]
    if "limit" not in query and "offset" not in query:
        assert answer.headers["X-Total-Count"] == str(len(found))
        assert "Link" not in answer.headers
    return found


def drawn(owner: Person) -> str:
    """A layer whose features take about 200 bytes."""
    return str(done(owner.post(vector(feature(LINE, name="Ferry"))), 201)["id"])


def test_which_maps_one_finds(owner: Person, other: Person, anybody: Person) -> None:
    shared = make_map(owner, "shared")
    for view in ("private", "collaborators", "public"):
        make_map(owner, view, view_permission=view)
    make_map(other, "theirs", view_permission="collaborators")
    invite(owner, shared, other)
    assert names(owner) == ["shared", "public", "collaborators", "private"]
    assert names(other) == ["shared", "theirs", "public"]
    assert names(anybody) == ["public"]
    assert names(owner, "?mine=true") == names(owner)
    assert names(other, "?mine=true") == ["theirs"]
    assert names(other, "?mine=false") == names(other)
    assert names(anybody, "?mine=true") == []


def test_the_last_changed_comes_first(owner: Person, other: Person) -> None:
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
        ("PUT", f"{paths['a']}/owner", {"user_id": str(other.id)}, "a"),
    ):
        assert ask(owner, method, where, body).status_code in {200, 201, 204}
        assert names(owner)[0] == first, (method, where)
    found = [entry["updated_at"] for entry in read(owner, "")]
    assert found == sorted(found, reverse=True)


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
def test_words_are_searched(owner: Person, other: Person, query: str, expected: list[str]) -> None:
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
def test_parameters_are_known_and_right(owner: Person, query: str) -> None:
    assert ask(owner, "GET", f"?{query}").status_code == 400


def test_the_list_is_paged(owner: Person) -> None:
    for name in "edcba":
        make_map(owner, name, view_permission="public")
    answer = ask(owner, "GET", "?limit=2&offset=1&mine=true")
    assert [entry["name"] for entry in done(answer)] == ["b", "c"]
    assert answer.headers["X-Total-Count"] == "5"
    address = f"http://localhost{MAPS}?limit=2"
    for rel, rest in (("next", "&offset=3"), ("prev", "&offset=0"), ("first", "")):
        shown = f'<{address}{rest}&mine=true>; rel="{rel}"'
        assert shown in answer.headers["Link"] or rest == ""
        assert f'rel="{rel}"' in answer.headers["Link"]
    last = ask(owner, "GET", "?limit=2&offset=4")
    assert [entry["name"] for entry in done(last)] == ["e"]
    assert 'rel="next"' not in last.headers["Link"]
    behind = ask(owner, "GET", "?offset=50")
    assert (done(behind), behind.headers["X-Total-Count"]) == ([], "5")


def test_a_list_has_whole_maps(owner: Person, other: Person, anybody: Person) -> None:
    for number in range(3):
        path = make_map(owner, f"Plan {number}", view_permission="public")
        invite(owner, path, other, "editor")
        put_on(owner, path, drawn(owner), opacity=number)
    put_on(owner, path, make_layer(owner))
    for caller in (owner, other, anybody):
        for inline in ("true", "false"):
            found = read(caller, "", inline=inline)
            assert len(found) == 3
            for entry in found:
                assert set(entry) == MAP
                assert entry == read(caller, f"/{entry['id']}", inline=inline)
                config = entry["map_layers"][0]["layer"]["source_config"]
                assert ("geojson" in config) is (inline == "true")


def followed(caller: Person, query: str) -> tuple[list[Any], list[int]]:
    """Return the maps of a list and of those that `next` leads to, and how many each had."""
    found, sizes = [], []
    following: str | None = query
    while following is not None:
        answer = ask(caller, "GET", following)
        found += done(answer)
        sizes.append(len(done(answer)))
        assert answer.headers["X-Total-Count"] == "5"
        match = re.search(rf'<http://localhost{MAPS}([^>]*)>; rel="next"', str(answer.headers))
        following = match.group(1) if match else None
    return found, sizes


def test_a_list_ends_before_the_map_whose_features_are_too_many(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = drawn(owner)
    for number, layers in enumerate(([shared], [], [drawn(owner), drawn(owner)], [shared], [])):
        path = make_map(owner, f"Plan {number}")
        for layer_id in layers:
            put_on(owner, path, layer_id)
    whole = read(owner, "", inline="true")
    assert followed(owner, "?inline=true") == (whole, [5])
    monkeypatch.setattr(layer_serializer, "INLINE_BUDGET", 0)
    assert followed(owner, "?inline=true") == (whole, [1, 1, 2, 1])
    assert followed(owner, "?limit=2&mine=true") == (whole, [1, 1, 2, 1])
    assert followed(owner, "?inline=false")[1] == [5]
    monkeypatch.setattr(layer_serializer, "INLINE_BUDGET", 500)
    assert followed(owner, "")[0] == whole


def test_a_layer_deleted_while_maps_are_listed_is_gone(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is deleted between two statements of a reader."""
    real = layer_serializer.serialize_rows
    doomed: list[str] = []

    def deleting(*arguments: Any, **named: Any) -> Any:
        while doomed:
            delete_layer(owner, doomed.pop())
        return real(*arguments, **named)

    path = make_map(owner)
    first, second = drawn(owner), drawn(owner)
    for layer_id in (first, second):
        put_on(owner, path, layer_id)
    monkeypatch.setattr(layer_serializer, "serialize_rows", deleting)
    for where in ("", path, f"{path}/layers", f"{path}/layers/{second}"):
        put_on(owner, path, layer_id := drawn(owner))
        doomed.append(layer_id)
        assert ask(owner, "GET", where).status_code == 200
    assert [entry["layer_id"] for entry in read(owner, f"{path}/layers")] == [first, second]


def test_the_statements_do_not_depend_on_how_many_there_are(
    owner: Person, empty_database: Engine
) -> None:
    counts = []
    for maps in (1, 50):
        for _ in range(maps):
            fill(empty_database, owner, make_map(owner), maps)
        for query in ("", "?inline=false&limit=50", "?mine=true&q=plan"):
            with statements() as seen:
                assert len(read(owner, query)) >= maps
            counts.append(len(seen))
    assert counts[:3] == counts[3:]
