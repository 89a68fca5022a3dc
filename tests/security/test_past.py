"""Who may read a layer may read all that it was, nobody else any of it: the present permission
decides, whatever it was at that time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, update

from samsyn_model.tables.layers import Layer as LayerRow
from samsyn_model.tables.layers import LayerFeature
from tests.security import permission_rules as rules
from tests.security.disclosure import content_of
from tests.security.operations import path_values
from tests.security.permission_rules import as_seen
from tests.security.permission_world import (
    BROWSERS,
    LAYERS,
    PRINCIPALS,
    headers_of,
    id_of,
    word_of,
)
from tests.security.world_database import app_of, populate

_VECTOR_LAYERS = [layer for layer in LAYERS if layer.source_type == "vector"]
_PATHS = (
    "items/{feature}?datetime={then}",
    *("items?datetime={then}", "items?datetime={then}&f=csv", "items?datetime=../{then}"),
    *("items?datetime={then}&f=html", "items?datetime={then}&bbox=-180,-90,180,90"),
    *("items/{feature}/versions?f=html", "changes?since={then}&former=true"),
    "tiles/{grid}/{matrix}/{row}/{col}?datetime={then}",
)


@pytest.fixture
def then(empty_database: Engine) -> str:
    """The moment until which the features of the world had their words, when what is open now was
    closed, and the other way round."""
    with empty_database.begin() as connection:
        populate(connection)
        _set_permissions(connection, inverted=True)
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    with empty_database.begin() as connection:
        connection.execute(update(LayerFeature).values(properties={"name": "Now"}))
    with empty_database.begin() as connection:
        _set_permissions(connection, inverted=False)
    return moment


def _set_permissions(connection: Connection, *, inverted: bool) -> None:
    for layer in _VECTOR_LAYERS:
        values = {"visibility": layer.visibility, "is_global": layer.is_global}
        if inverted:
            is_open = layer.is_global or layer.visibility == "public"
            values = {"visibility": "private" if is_open else "public", "is_global": False}
        connection.execute(update(LayerRow).where(LayerRow.id == id_of(layer)).values(**values))


def test_the_past_is_read_by_whoever_may_read_the_present(
    empty_database: Engine, then: str, tmp_path: Path
) -> None:
    client = app_of(empty_database, tmp_path).test_client(use_cookies=False)
    headers = {caller: headers_of(caller) for caller in (*PRINCIPALS, *BROWSERS)}
    failures, read, refused = [], 0, 0
    for layer in _VECTOR_LAYERS:
        for path in _PATHS:
            address = f"/ogc/collections/{{layer}}/{path}".format(**path_values(layer), then=then)
            for caller, credentials in headers.items():
                if caller.is_refused and path != _PATHS[0]:
                    continue
                response = client.get(address, headers=credentials)
                seen = as_seen(caller, "GET", address)
                may_read = rules.may_read_features(seen, layer)
                status = rules.status_of_reading(seen, may_read=may_read)
                has_word = word_of(layer).encode() in content_of(response)
                read, refused = read + (status == 200), refused + (status != 200)
                if response.status_code != status or has_word is not (status == 200):
                    failures.append(f"{caller.name}, {address}: {response.status_code} {has_word}")
    assert not failures, f"{len(failures)} cells:\n" + "\n".join(failures)
    assert read > 1_000
    assert refused > 500
