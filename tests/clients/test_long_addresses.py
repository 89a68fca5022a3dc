"""Addresses that are longer than the server reads."""

import pytest
import requests

from tests.clients.plan_layers import quoted_filter
from tests.clients.samsyn_server import Server


@pytest.mark.parametrize("length", [8_300, 9_000, 30_000, 300_000])
def test_an_address_that_is_too_long(server: Server, areas: str, length: int) -> None:
    address = f"{server.ogc}/collections/{areas}/items?filter={quoted_filter(length)}"
    response = requests.get(address, timeout=60)
    assert response.status_code == 414
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == 414
    assert "/search" in document["detail"]
    assert set(document) == {"type", "title", "status", "detail"}


def test_the_longest_address(server: Server, areas: str) -> None:
    path = f"/ogc/collections/{areas}/items?filter="
    length = 8_190 - len(f"GET {path} HTTP/1.1")
    response = requests.get(f"{server.url}{path}{quoted_filter(length)}", timeout=60)
    assert response.status_code == 200
