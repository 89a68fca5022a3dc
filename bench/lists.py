"""The management API's lists and resources beside PostgreSQL running their statements."""

import json
import random
import statistics
import urllib.request
from typing import Any

import numpy as np
import shapely
from sqlalchemy import URL

from bench.databases import scratch_database, vacuum
from bench.load import measure, transactions_per_second
from bench.processes import free_port, serving
from bench.report import Check
from bench.run import Run
from bench.subject import OWNER, launch, run_samsyn, statements_of

_MAPS, _LAYERS, _ON_A_MAP, _POLYGONS = 50, 100, 10, 20


def measure_lists(run: Run) -> None:
    """Compare 50 public maps of 10 layers of 20 polygons, 100 layers, and one of each."""
    with scratch_database(run.server, "lists") as database:
        token = run_samsyn(database, "token", "create", OWNER)
        port = free_port()
        with serving(launch(database, port), port, run.folder / "samsyn-lists.log") as running:
            run.log_progress("making maps and layers")
            map_id, layer_id = _fill(f"{running.url}/api/v1", token)
            vacuum(database)
            for path, target in (
                ("/api/v1/maps", 0.6),
                (f"/api/v1/maps/{map_id}", 0.4),
                ("/api/v1/layers", 0.6),
                (f"/api/v1/layers/{layer_id}", 0.4),
            ):
                _compare(run, running.url, database, path, target)


def _compare(run: Run, url: str, database: URL, path: str, target: float) -> None:
    scripts = [statements_of(database, path)]
    ours, alone = [], []
    for _ in range(run.rounds):
        ours.append(measure(url, [path], run.seconds).rate)
        alone.append(transactions_per_second(database, scripts, run.seconds).rate)
    name = "/".join("{id}" if len(part) == 36 else part for part in path.split("/"))
    mine, other = statistics.median(ours), statistics.median(alone)
    detail = {
        "samsyn_per_second": [round(rate, 2) for rate in ours],
        "postgresql_per_second": [round(rate, 2) for rate in alone],
        "statements": len(scripts[0]),
    }
    run.log_progress(f"  {name}: {mine:,.4g}/s, PostgreSQL alone {other:,.4g}/s")
    run.report.checks.append(
        Check(f"GET {name}, rate to PostgreSQL's alone", mine / other, "×", ">=", target, detail)
    )


def _fill(api: str, token: str) -> tuple[str, str]:
    """Create the layers and maps; return the id of one map and of one layer."""
    layers = [
        _post(
            f"{api}/layers",
            token,
            {
                "name": f"Layer {number}",
                "source_type": "vector",
                "visibility": "public",
                "is_global": False,
                "source_config": {"geojson": _features(number)},
            },
        )
        for number in range(_LAYERS)
    ]
    generator = random.Random(23)
    maps = []
    for number in range(_MAPS):
        map_id = _post(f"{api}/maps", token, {"name": f"Map {number}", "view_permission": "public"})
        for layer_id in generator.sample(layers, _ON_A_MAP):
            _post(f"{api}/maps/{map_id}/layers", token, {"layer_id": layer_id})
        maps.append(map_id)
    return maps[0], layers[0]


def _post(url: str, token: str, body: dict[str, Any]) -> str:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        created: dict[str, str] = json.load(response)
    return created["id"]


def _features(number: int) -> dict[str, Any]:
    generator = np.random.default_rng(number)
    angle = np.linspace(0, 2 * np.pi, 33)
    features = []
    for index in range(_POLYGONS):
        middle = generator.uniform([0, 50], [32, 67])
        ring = middle + 0.05 * np.stack([np.cos(angle), np.sin(angle)], axis=-1).round(5)
        ring[-1] = ring[0]
        properties = {"name": f"Zone {index}", "category": f"use-{index}", "depth": -index}
        geometry = json.loads(shapely.to_geojson(shapely.Polygon(ring)))
        features.append({"type": "Feature", "geometry": geometry, "properties": properties})
    return {"type": "FeatureCollection", "features": features}
