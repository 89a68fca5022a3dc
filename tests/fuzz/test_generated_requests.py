"""Requests that are made up, of everything that both definitions have, against a running server.

FUZZ_REQUESTS is how many, another FUZZ_SEED makes others.
"""

import os
import re
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.fuzz.conftest import World
from tests.fuzz.generated_requests import Operation, Request, RequestGenerator, operations
from tests.fuzz.request_bodies import Ids
from tests.fuzz.traffic import SLOW, resident_memory, seconds_alone, send_all

COUNT = int(os.environ.get("FUZZ_REQUESTS", "20000"))
SEED = os.environ.get("FUZZ_SEED", "1")
CONNECTIONS = 6
WARM_UP = 0.4
"""The share of the requests until which the memory of a worker may grow: its caches fill."""
OUTSIDE = ("transform: ", "A feature lies outside the area that the CRS covers.")
GROWTH = 48
"""MiB that a worker may take beyond that."""


@pytest.mark.timeout(120 + COUNT // 50)
def test_nothing_that_is_asked_does_harm(world: World) -> None:
    server = world.server
    address = urlsplit(server.url)
    host, port = address.hostname or "", address.port or 0
    paths = operations(
        [
            ("/ogc", requests.get(f"{server.ogc}/openapi", timeout=10).json()),
            ("", requests.get(f"{server.url}/api/v1/openapi.json", timeout=10).json()),
        ]
    )
    # the plan's own before the copies of it, which requests may delete
    newest_first = ("layers", "maps")
    ids = {**world.ids, **{kind: world.ids[kind][::-1] for kind in newest_first}}
    features = {str(layer): _features(world, str(layer)) for layer in ids["layers"][:10]}
    generators = [
        RequestGenerator(f"{SEED} {number}", paths, ids, features, world.tokens)
        for number in range(CONNECTIONS)
    ]
    workers = _workers(world)
    start, first = time.monotonic(), int(COUNT * WARM_UP) // CONNECTIONS
    parts = [
        [generator.requests(count) for generator in generators]
        for count in (first, COUNT // CONNECTIONS - first)
    ]
    outcomes, memory = [], []
    for part in parts:
        outcomes.append(send_all(host, port, part))
        assert _workers(world) == workers, f"a worker ended (FUZZ_SEED={SEED})"
        memory.append([resident_memory(pid) for pid in workers])
    seconds = time.monotonic() - start
    statuses = outcomes[0].statuses + outcomes[1].statuses
    print(  # noqa: T201 - the figures of the run
        f"FUZZ_SEED={SEED}: {statuses.total()} requests in {seconds:.0f} s, slowest"
        f" {max(outcome.slowest for outcome in outcomes):.2f} s, {dict(sorted(statuses.items()))},"
        f" memory in MiB {[[round(size) for size in sizes] for sizes in memory]}"
    )
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    assert not failures, f"FUZZ_SEED={SEED}, {len(failures)}:\n" + "\n\n".join(failures[:5])
    slow = [request for outcome in outcomes for request in outcome.slow]
    late = [request for request in slow if seconds_alone(host, port, request) > SLOW]
    assert not late, f"FUZZ_SEED={SEED}: over {SLOW} s: {late[0].encoded()!r:.3000}"
    tracebacks = server.log.read_text(errors="replace").split("Traceback (most recent call")[1:]
    # a page that is streamed ends where it cannot be continued, and the log has the reason
    unexpected = [each for each in tracebacks if not any(text in each for text in OUTSIDE)]
    assert not unexpected, f"FUZZ_SEED={SEED}:\n{unexpected[0][:5000]}"
    for before, after in zip(*memory, strict=True):
        assert after - before < GROWTH, f"FUZZ_SEED={SEED}: {memory}"
    accepted = sum(count for status, count in statuses.items() if status < 400)
    assert accepted > statuses.total() / 6, "most requests are refused before anything is done"
    assert statuses[429] < statuses.total() / 10


def test_a_seed_makes_the_same_requests() -> None:
    paths = [
        Operation("GET", "/ogc/collections/{collectionId}/items", ("bbox", "filter"), False),
        Operation("POST", "/api/v1/layers/{layer_id}/features/bulk", (), True),
    ]
    ids: Ids = {kind: [1, 2, 3] for kind in ("layers", "features", "maps", "comments", "users")}

    def made(seed: str) -> list[Request]:
        generator = RequestGenerator(seed, paths, ids, {}, {"owner": "a", "stranger": "b"})
        return list(generator.requests(200))

    assert made("x") == made("x")
    assert made("x") != made("y")


def _features(world: World, layer: str) -> list[str | int]:
    response = requests.get(
        f"{world.server.ogc}/collections/{layer}/items",
        params={"limit": 100},
        headers={"Authorization": f"Bearer {world.tokens['owner']}"},
        timeout=10,
    )
    return [feature["id"] for feature in response.json()["features"]]


def _workers(world: World) -> list[int]:
    """Return the workers that the server has started and that still run."""
    started = re.findall(r"Booting worker with pid: (\d+)", world.server.log.read_text())
    assert len(started) == 2, started
    return [int(pid) for pid in started if os.path.exists(f"/proc/{pid}")]
