"""Both API definitions, held against a running server by Schemathesis.

FUZZ_EXAMPLES is how many requests are made up for each operation; a longer search than that of the
tests takes some hundreds.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from samsyn_model.settings import CHECKOUT
from tests.fuzz.accepted_failures import TOKEN_IN_USE
from tests.fuzz.conftest import World

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
SECONDS_AN_EXAMPLE = 60
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

DEFINITIONS = {"ogc": "ogc/openapi", "api": "api/v1/openapi.json"}

PHASES = {
    "anonymous": "fuzzing,stateful",
    "stranger": "fuzzing,stateful",
    "owner": "examples,coverage,fuzzing,stateful",
}
"""What is tried, by who asks: every edge of every value takes long, and the owner gets furthest."""

KNOWN = {
    "layers": ("path.collectionId", "path.collection_id", "path.layer_id", "query.layer_id"),
    "features": ("path.featureId", "path.feature_id", "query.feature_id", "body.feature_id"),
    "maps": ("path.mapId", "path.map_id", "query.map_id", "body.map_id"),
    "comments": ("path.comment_id", "query.parent_id", "body.parent_id"),
    "users": ("path.user_id", "query.author", "body.user_id"),
    "tokens": ("path.token_id",),
    "systems": ("query.crs", "query.bbox-crs", "query.filter-crs", "header.Content-Crs"),
    "moments": ("query.datetime", "query.version-datetime", "query.since", "query.until"),
    "filters": ("query.filter",),
}
"""Where the values of a dictionary are used, four times out of five."""

VALUES = {
    "systems": [
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "http://www.opengis.net/def/crs/EPSG/0/4326",
        "http://www.opengis.net/def/crs/EPSG/0/3035",
    ],
    "moments": [
        "2024-05-01",
        "../2025-01-01T00:00:00Z",
        "2020-02-29T23:59:60Z",
        "/",
        "2999-01-01T00:00:00Z",
    ],
    "filters": [
        "name LIKE 'H%'",
        "S_INTERSECTS(geometry, BBOX(10, 54, 13, 58))",
        "NOT (name IS NULL OR name = 'Ω''')",
        '{"op": "=", "args": [{"property": "name"}, "Here"]}',
    ],
}


@pytest.mark.timeout(60 + SECONDS_AN_EXAMPLE * EXAMPLES)
@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("who", PHASES)
def test_the_server_answers_as_its_definition_says(
    world: World, who: str, definition: str, tmp_path: Path
) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(Path(__file__).with_name("schemathesis.toml").read_text() + _known_ids(world))
    token = world.tokens.get(who, "")
    signed_in = ["--header", f"Authorization: Bearer {token}"] if token else []
    address = f"{world.server.url}/{DEFINITIONS[definition]}"
    done = subprocess.run(
        [
            *(SCHEMATHESIS, "--config-file", config, "run", address, *signed_in),
            *("--phases", PHASES[who], "--max-examples", str(EXAMPLES), "--no-color"),
        ],
        env={**os.environ, TOKEN_IN_USE: _id_of(world, token), "PYTHONPATH": str(CHECKOUT)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in world.server.log.read_text()


def _known_ids(world: World) -> str:
    """Return the part of the configuration that makes requests name what there is."""
    bindings = [
        f'"{place}" = {{dictionary = "{name}", probability = 0.8}}'
        for name, places in KNOWN.items()
        for place in places
    ]
    dictionaries = [
        f"[dictionaries.{name}]\nvalues = {json.dumps(values, ensure_ascii=False)}"
        for name, values in {**world.ids, **VALUES}.items()
    ]
    return "\n".join(["", "[parameters]", *bindings, *dictionaries, ""])


def _id_of(world: World, token: str) -> str:
    """Return the id of a token, an empty text for none."""
    if not token:
        return ""
    response = requests.get(
        f"{world.server.url}/api/v1/tokens",
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    return str(next(each["id"] for each in response.json() if token.startswith(each["prefix"])))
