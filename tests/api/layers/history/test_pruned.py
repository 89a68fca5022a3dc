"""What was removed from the history is not put back, and nobody is said to have done it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from samsyn_model.audit.pruning import Pruning, prune
from tests.api.layer_requests import Caller
from tests.api.layers.history.edits import EditedLayer

pytestmark = pytest.mark.usefixtures("prunes_at_once")


@pytest.fixture
def layer(owner: Caller, empty_database: Engine) -> EditedLayer:
    return EditedLayer.of(owner, empty_database)


def test_a_change_set_before_the_horizon_is_not_taken_back(layer: EditedLayer) -> None:
    (key,) = layer.insert("a")
    layer.update(key, n="b")
    made, changed = layer.change_sets()
    assert layer.undo(changed, "?dry_run=true").status_code == 200
    list(prune(layer.engine, Pruning(datetime.now(UTC), 90)))
    before = layer.content()
    for refused in (layer.undo(changed), layer.undo(made), layer.restore(made)):
        assert refused.status_code == 404, refused.text
        assert "The history of this layer begins at" in refused.json["detail"]
    assert layer.content() == before
    layer.update(key, n="c")
    assert layer.undo(layer.change_sets()[-1]).status_code == 200
    assert layer.content()[key][2] == before[key][2]


def test_differences_and_authors_of_what_is_kept(layer: EditedLayer) -> None:
    kept, changed = layer.insert("a", "b")
    layer.update(changed, n="c", m=1)
    (made, _) = layer.change_sets()
    list(prune(layer.engine, Pruning(datetime.now(UTC), 90)))
    layer.update(changed, m=2)
    items = f"/ogc/collections/{layer.id}/items"
    client, headers = layer.owner.client, layer.owner.headers

    def authors(key: int) -> dict[str, bool]:
        document = client.get(f"{items}/{key}/blame", headers=headers).json
        return {one["name"]: one["changeSet"] is not None for one in document["attributes"]}

    assert authors(kept) == {"n": True}  # since it was made
    assert authors(changed) == {"n": False, "m": True}
    refused = client.get(f"{items}/{changed}/difference?since={made}", headers=headers)
    assert refused.status_code == 404
    assert "The history of this layer begins at" in refused.json["detail"]
