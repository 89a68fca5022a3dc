"""What streams tell: of layers, of maps, in the order of commits, and to whom."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import chain
from typing import Any

from sqlalchemy import Engine, text

from tests.api.live.event_streams import POINT, EventStream, Person


def test_edits_of_a_layer_as_cloud_events(owner: Person) -> None:
    layer = owner.layer()
    collection = f"{owner.server.ogc}/collections/{layer}"
    with closing(owner.follow(f"/api/v1/layers/{layer}/events")) as stream:
        item = owner.insert(layer, name="A <b> 'ä'")
        (made,) = stream.take(1)
        owner.send("PATCH", f"/ogc/collections/{layer}/items/{item}", {"properties": {"n": 2}})
        owner.send("DELETE", f"/ogc/collections/{layer}/items/{item}")
        changed, deleted = stream.take(2)
    assert stream.retry == "3000"
    assert [made.data["type"], changed.data["type"], deleted.data["type"]] == [
        f"org.ogc.api.collection.item.{name}" for name in ("create", "update", "delete")
    ]
    for received in (made, changed, deleted):
        assert received.event == "message"
        assert received.data["specversion"] == "1.0"
        assert received.data["source"] == collection
        assert received.data["subject"] == f"{collection}/items/{item}"
        assert received.data["id"] == received.id == received.data["changeset"]
        assert received.data["time"].endswith("Z")
    assert made.data["data"]["id"] == item
    assert made.data["data"]["properties"] == {"name": "A <b> 'ä'"}
    assert made.data["data"]["geometry"] == POINT
    assert deleted.data["data"] == str(item)
    assert deleted.data["datacontenttype"] == "text/plain"
    assert [int(x.id) for x in (made, changed, deleted)] == sorted(
        int(x.id) for x in (made, changed, deleted)
    )


def test_edits_as_origo_reads_them(owner: Person) -> None:
    layer = owner.layer()
    with closing(owner.follow(f"/api/v1/layers/{layer}/events?profile=origo")) as stream:
        item = owner.insert(layer, n=1)
        owner.send("PATCH", f"/api/v1/layers/{layer}", {"description": "nothing to Origo"})
        made = stream.take(1)[0]  # of a feature that is gone by then only its end is told
        owner.send("DELETE", f"/ogc/collections/{layer}/items/{item}")
        deleted = stream.take(1)[0]
    assert (made.event, made.data["type"], made.data["id"]) == ("update", "Feature", item)
    assert (deleted.event, deleted.data) == ("delete", item)


def test_a_bulk_change_is_one_event(owner: Person) -> None:
    layer = owner.layer()
    features = [{"type": "Feature", "geometry": POINT, "properties": {"n": n}} for n in range(200)]
    with (
        closing(owner.follow(f"/api/v1/layers/{layer}/events")) as stream,
        closing(owner.follow(f"/api/v1/layers/{layer}/events?profile=origo")) as origo,
    ):
        body = {"type": "FeatureCollection", "features": features}
        owner.send("POST", f"/api/v1/layers/{layer}/features/bulk", body)
        item = owner.insert(layer, n=1)
        many, one = stream.take(2)
        reset, update = origo.take(2)
    assert many.data["type"] == "org.ogc.api.collection.item.create"
    assert many.data["subject"] == f"{owner.server.ogc}/collections/{layer}/items"
    counts = {name: many.data["data"][name] for name in ("inserted", "updated", "deleted")}
    assert counts == {"inserted": 200, "updated": 0, "deleted": 0}
    assert one.data["subject"].endswith(f"/items/{item}")
    assert (reset.event, update.event) == ("reset", "update")


def test_several_features_of_a_change_set_end_with_its_id(owner: Person) -> None:
    layer = owner.layer()
    features = [{"type": "Feature", "geometry": POINT, "properties": {"n": n}} for n in range(3)]
    with closing(owner.follow(f"/api/v1/layers/{layer}/events")) as stream:
        before = stream.last_id
        body = {"type": "FeatureCollection", "features": features}
        owner.send("POST", f"/api/v1/layers/{layer}/features/bulk", body)
        received = stream.take(3)
    number = received[0].data["changeset"]
    assert [x.data["id"] for x in received] == [number, f"{number}-2", f"{number}-3"]
    # who is cut off in between is told of all three again
    assert [x.id for x in received] == [before, before, number]


def test_a_large_feature_is_sent_as_a_link(owner: Person) -> None:
    layer = owner.layer()
    with closing(owner.follow(f"/api/v1/layers/{layer}/events")) as stream:
        item = owner.insert(layer, text="x" * 70_000)
        (received,) = stream.take(1)
    href = f"{owner.server.ogc}/collections/{layer}/items/{item}"
    assert received.data["data"] == {"rel": "item", "type": "application/geo+json", "href": href}


def test_a_map_tells_of_what_its_reader_may_read(
    owner: Person, reader: Person, anonymous: Person
) -> None:
    public, private, other = owner.layer(visibility="public"), reader.layer(), owner.layer()
    map_id = owner.map(public, view_permission="public")
    # a private layer of somebody else, put there by its creator
    members = {"email": "reader@example.org", "role": "editor"}
    owner.send("POST", f"/api/v1/maps/{map_id}/collaborators", members)
    owner.send("PATCH", f"/api/v1/maps/{map_id}", {"edit_permission": "collaborators"})
    reader.send("POST", f"/api/v1/maps/{map_id}/layers", {"layer_id": private})
    path = f"/api/v1/maps/{map_id}/events"
    with closing(owner.follow(path)) as all_of_it, closing(anonymous.follow(path)) as public_part:
        reader.insert(private, n=1)
        owner.insert(other, n=2)
        comment = reader.send(
            "POST",
            "/api/v1/comments",
            {"content": "Hidden?", "map_id": map_id, "layer_id": private},
        )
        owner.insert(public, n=3)
        order = [{"layer_id": key, "order": place} for place, key in enumerate((private, public))]
        owner.send("PUT", f"/api/v1/maps/{map_id}/layers/reorder", {"layer_orders": order})
        owner.send("PATCH", f"/api/v1/maps/{map_id}", {"name": "New"})
        seen = [x.data for x in all_of_it.take(5)]
        public_seen = [x.data for x in public_part.take(2)]
    assert [x["type"] for x in seen] == [
        "org.ogc.api.collection.item.create",
        "org.samsyn.comment.create",
        "org.ogc.api.collection.item.create",
        *("org.samsyn.map.update", "org.samsyn.map.update"),
    ]
    assert seen[0]["source"].endswith(private)
    assert seen[1]["data"]["id"] == comment["id"]
    assert [x["data"]["changed"] for x in seen[3:]] == [["layer_order"], ["name"]]
    assert public_seen == [seen[2], seen[4]]  # the order is that of hidden layers too
    assert private not in json.dumps(public_seen)


def test_who_may_do_what_is_told_to_its_owner_alone(
    owner: Person, reader: Person, anonymous: Person
) -> None:
    """As activity has it: others are told of what else was changed, and of nothing where that is
    all."""
    layer = owner.layer(visibility="public")
    map_id = owner.map(layer, view_permission="public")
    members = {"email": "reader@example.org", "role": "editor"}
    owner.send("POST", f"/api/v1/maps/{map_id}/collaborators", members)
    with ExitStack() as stack:
        streams = [
            stack.enter_context(closing(person.follow(f"/api/v1/maps/{map_id}/events")))
            for person in (owner, reader, anonymous)
        ]
        for address, change in (
            (f"/api/v1/maps/{map_id}", {"edit_permission": "public"}),
            (f"/api/v1/maps/{map_id}", {"edit_permission": "private", "name": "Zones"}),
            (f"/api/v1/layers/{layer}", {"editable": "everyone"}),
            (f"/api/v1/layers/{layer}", {"editable": "creator-only", "description": "Of wind"}),
            (f"/api/v1/maps/{map_id}", {"description": "Last"}),
        ):
            owner.send("PATCH", address, change)
        own, *others = (
            [(one.data["id"], one.data["data"]["changed"]) for one in stream.take(count)]
            for stream, count in zip(streams, (5, 3, 3), strict=True)
        )
    assert [changed for _, changed in own] == [
        ["edit_permission"],
        ["edit_permission", "name"],
        ["editable"],
        ["description", "editable"],
        ["description"],
    ]
    assert [changed for _, changed in others[0]] == [["name"], ["description"], ["description"]]
    assert others[0] == others[1]
    of_owner = [number for number, _ in own]
    assert [number for number, _ in others[0]] == [
        f"{of_owner[1]}-2",
        f"{of_owner[3]}-2",
        of_owner[4],
    ]


def test_layers_put_on_a_map_and_taken_off(owner: Person) -> None:
    layer = owner.layer()
    map_id = owner.map()
    with closing(owner.follow(f"/api/v1/maps/{map_id}/events")) as stream:
        owner.send("POST", f"/api/v1/maps/{map_id}/layers", {"layer_id": layer})
        (put,) = stream.take(1)
        owner.insert(layer, n=1)
        (edited,) = stream.take(1)
        owner.send("DELETE", f"/api/v1/maps/{map_id}/layers/{layer}")
        owner.insert(layer, n=2)
        owner.send("PATCH", f"/api/v1/maps/{map_id}", {"name": "New"})
        taken, renamed = stream.take(2)
    assert [x.data["type"] for x in (put, edited, taken, renamed)] == [
        "org.samsyn.map.layer.create",
        "org.ogc.api.collection.item.create",
        "org.samsyn.map.layer.delete",
        "org.samsyn.map.update",
    ]


def test_comments_on_a_layer(owner: Person) -> None:
    layer = owner.layer()
    with closing(owner.follow(f"/api/v1/layers/{layer}/events")) as stream:
        body = {"content": "A secret text", "layer_id": layer}
        comment = owner.send("POST", "/api/v1/comments", body)
        owner.send("PUT", f"/api/v1/comments/{comment['id']}/resolve")
        owner.send("DELETE", f"/api/v1/comments/{comment['id']}")
        received = stream.take(3)
    assert [x.data["type"].rpartition(".")[2] for x in received] == ["create", "update", "delete"]
    assert received[0].data["subject"] == f"{owner.server.url}/api/v1/comments/{comment['id']}"
    assert "secret" not in json.dumps([x.data for x in received])


def test_presence_names_people_and_counts_the_others(
    owner: Person, anonymous: Person, empty_database: Engine
) -> None:
    map_id = owner.map(view_permission="public")
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE users SET first_name = 'Ada', last_name = 'Sea'"))
    path = f"/api/v1/maps/{map_id}/events"
    with closing(owner.follow(path)) as stream:
        first = _presence(stream)
        assert first == {"count": 1, "names": ["Ada Sea"]}
        with closing(anonymous.follow(path)) as other:
            seen = [
                next(x.data for x in s.events(10) if x.event == "presence") for s in (stream, other)
            ]
            assert seen == [{"count": 2, "names": ["Ada Sea"]}] * 2
        assert next(x.data for x in stream.events(10) if x.event == "presence") == first


def _presence(stream: EventStream) -> Any:
    return next(x.data for x in stream.events(10) if x.event == "presence")


def test_every_stream_has_all_change_sets_in_the_order_of_their_commits(
    owner: Person, empty_database: Engine
) -> None:
    layers = [owner.layer() for _ in range(3)]
    map_id = owner.map(*layers)
    streams = [owner.follow(f"/api/v1/layers/{layer}/events") for layer in layers]
    streams.append(owner.follow(f"/api/v1/maps/{map_id}/events"))
    with ThreadPoolExecutor(6) as threads:
        [*threads.map(lambda n: owner.insert(layers[n % 3], n=n), range(90))]
    received = [
        [int(x.id) for x in stream.take(90 if stream is streams[-1] else 30)] for stream in streams
    ]
    for stream in streams:
        stream.close()
    with empty_database.connect() as connection:
        for layer, ids in zip(layers, received, strict=False):
            committed = connection.execute(
                text(
                    "SELECT change_set_id FROM layer_change_sets WHERE layer_id = :layer"
                    " ORDER BY committed_at"
                ),
                {"layer": layer},
            ).scalars()
            assert ids == [*committed]
    assert sorted(received[-1]) == sorted(chain(*received[:3]))
    for ids in received[:3]:
        assert [number for number in received[-1] if number in set(ids)] == ids
