"""Whom comments mention: by their names in the text, or by their ids."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_model.identity.accounts import close_account, merge_accounts
from tests.api.comments.comment_requests import (
    invite,
    make_layer,
    make_map,
    read,
    send,
    write,
)
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, pointers
from tests.statements import statements


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


@pytest.fixture
def stranger(make_caller: MakeCaller) -> Caller:
    return make_caller("stranger")


@pytest.fixture
def shared(owner: Caller, other: Caller, stranger: Caller, engine: Engine) -> str:
    """A public map of `ada`, on which `Olle.Sea` collaborates and `eve` does not."""
    names = ((owner, "ada", "Ada", "Öhman"), (other, "Olle.Sea", None, None))
    with engine.begin() as connection:
        for caller, username, first, last in (*names, (stranger, "eve", None, None)):
            connection.execute(
                text(
                    "UPDATE users SET username = :name, first_name = :first, last_name = :last"
                    " WHERE id = :id"
                ),
                {"name": username, "first": first, "last": last, "id": caller.id},
            )
    map_id = make_map(engine, owner.id, "public")
    invite(engine, map_id, other.id)
    return map_id


def named(comment: dict[str, Any]) -> list[str]:
    return sorted(mention["name"] for mention in comment["mentions"])


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("@ada, look", ["Ada Öhman"]),
        ("Look, @ADA and @olle.sea.", ["Ada Öhman", "Olle.Sea"]),
        ("(@ada)", ["Ada Öhman"]),
        ("@eve", []),  # not on the map
        ("@nobody", []),
        ("mail ada@ada or x.@ada, see /@ada", []),
        ("@@ada @", []),
        ("@ada@example.org", ["Ada Öhman"]),
        ("@adas", []),
    ],
)
def test_names_in_the_text(owner: Caller, shared: str, content: str, names: list[str]) -> None:
    comment = write(owner, content, map_id=shared)
    assert named(comment) == names
    assert comment["content"] == content


def test_users_are_mentioned_by_their_ids(
    owner: Caller, other: Caller, shared: str, engine: Engine
) -> None:
    comment = write(owner, "@ada", map_id=shared, mentions=[str(other.id), str(other.id)])
    assert comment["mentions"] == [
        *sorted(
            (
                {"id": str(owner.id), "name": "Ada Öhman"},
                {"id": str(other.id), "name": "Olle.Sea"},
            ),
            key=lambda mention: mention["id"],
        )
    ]
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT comment_id, user_id FROM comment_mentions"))
        assert {(str(row.comment_id), row.user_id) for row in rows} == {
            (comment["id"], owner.id),
            (comment["id"], other.id),
        }


def test_nobody_learns_who_has_an_account(owner: Caller, stranger: Caller, shared: str) -> None:
    refusals = []
    for user_id in (stranger.id, "0f9d6b5e-5a0e-4f3c-9a52-0d1f3a9f1c11"):
        body = {"content": "x", "map_id": shared, "mentions": [str(user_id)]}
        response = send(owner, "POST", json=body)
        assert (response.status_code, pointers(response)) == (422, ["/mentions/0"])
        refusals.append(response.json)
    assert refusals[0] == refusals[1]
    for mentions in ("ada", ["ada"], [5], [{}], [None], [[]]):
        body = {"content": "x", "map_id": shared, "mentions": mentions}
        assert send(owner, "POST", json=body).status_code == 422


def test_a_change_of_the_text_changes_its_mentions(
    owner: Caller, other: Caller, stranger: Caller, shared: str
) -> None:
    comment = write(owner, "@ada", map_id=shared, mentions=[str(other.id)])
    path = f"/{comment['id']}"
    changed = send(owner, "PUT", path, json={"content": "Nobody in here"}).json
    assert changed
    assert named(changed) == ["Olle.Sea"]  # who was chosen stays
    again = send(owner, "PUT", path, json={**changed, "content": "@ada"}).json
    assert again
    assert named(again) == ["Ada Öhman", "Olle.Sea"]
    fewer = send(owner, "PATCH", path, json={"mentions": []}).json
    assert fewer
    assert named(fewer) == ["Ada Öhman"]
    assert fewer["edited_at"] != again["edited_at"]
    same = send(owner, "PATCH", path, json={"mentions": []}).json
    assert same == fewer
    refused = send(owner, "PATCH", path, json={"mentions": [str(stranger.id)]})
    assert pointers(refused) == ["/mentions/0"]


def test_on_a_layer_its_creator_and_who_has_commented(
    owner: Caller, other: Caller, stranger: Caller, shared: str
) -> None:
    layer = make_layer(owner, feature(LINE), visibility="public")
    content = "@ada @olle.sea @eve"
    first = write(other, content, layer_id=layer["id"])
    assert named(first) == ["Ada Öhman"]
    assert named(write(stranger, content, layer_id=layer["id"])) == ["Ada Öhman", "Olle.Sea"]
    send(other, "DELETE", f"/{first['id']}")  # nobody learns whose comment it was
    assert named(write(stranger, content, layer_id=layer["id"])) == ["Ada Öhman", "eve"]
    write(other, "Still here.", layer_id=layer["id"])
    # what is said on a map is nothing to the layer
    assert named(write(owner, content, map_id=shared)) == ["Ada Öhman", "Olle.Sea"]


def test_an_ambiguous_name_stays_text(owner: Caller, shared: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET username = 'Ada' WHERE username = 'Olle.Sea'"))
    assert named(write(owner, "@ada", map_id=shared)) == []


def test_erased_users_vanish(owner: Caller, other: Caller, shared: str, engine: Engine) -> None:
    comment = write(owner, "@ada @olle.sea", map_id=shared)
    with engine.begin() as connection:
        close_account(connection, other.id)
    assert named(read(owner, f"/{comment['id']}")) == ["Ada Öhman"]
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT user_id FROM comment_mentions"))
        assert [row.user_id for row in rows] == [owner.id]


def test_merged_accounts_are_mentioned_once(
    owner: Caller, other: Caller, shared: str, engine: Engine
) -> None:
    both = write(owner, "@ada @olle.sea", map_id=shared)
    one = write(owner, "@olle.sea", map_id=shared)
    with engine.begin() as connection:
        merge_accounts(connection, target=owner.id, source=other.id)
    for comment in (both, one):
        assert named(read(owner, f"/{comment['id']}")) == ["Ada Öhman"]


def test_a_deleted_comment_mentions_nobody(owner: Caller, shared: str) -> None:
    comment = write(owner, "@ada", map_id=shared)
    write(owner, "a reply", map_id=shared, parent_id=comment["id"])
    assert send(owner, "DELETE", f"/{comment['id']}").status_code == 204
    assert read(owner, f"/{comment['id']}")["mentions"] == []


def test_mentions_are_read_with_their_comments(owner: Caller, shared: str) -> None:
    counts = list[int]()
    for _ in range(2):
        for _ in range(3):
            write(owner, "@ada @olle.sea", map_id=shared)
        with statements() as seen:
            assert named(read(owner, "", map_id=shared)[-1]) == ["Ada Öhman", "Olle.Sea"]
        counts.append(len(seen))
    assert counts[0] == counts[1]
