"""A raster imported over the management API, as a person does it."""

import time
from typing import Any

import requests

from tests.clients.samsyn_server import Server

_SECONDS = 120


def import_raster(server: Server, token: str, name: str, content: bytes) -> str:
    """Import a file as a private layer of the token's holder; return the layer's address."""
    headers, api = {"Authorization": f"Bearer {token}"}, f"{server.url}/api/v1"
    created = requests.post(
        f"{api}/imports", files={"file": (name, content)}, headers=headers, timeout=60
    ).json()
    path = f"{api}/imports/{created['id']}"
    _done(path, headers)
    requests.post(f"{path}/commit", json={}, headers=headers, timeout=60).raise_for_status()
    (made,) = _done(path, headers)["report"]["layers"]
    return f"{api}/layers/{made['layer_id']}"


def _done(path: str, headers: dict[str, str]) -> Any:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        found = requests.get(path, headers=headers, timeout=10).json()
        if found["job"]["status"] == "successful":
            return found
        assert found["job"]["status"] in {"accepted", "running"}, found["job"]
        time.sleep(0.5)
    raise AssertionError("the job does not end")
