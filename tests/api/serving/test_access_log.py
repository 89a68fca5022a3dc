"""The access log: whom it is about and with which credentials is not in it."""

from pathlib import Path

import pytest
import requests

from samsyn_admin.serving.access_log import masked
from tests.clients.samsyn_server import serve

_TOKEN = "samsyn_" + "Ab1-_" * 8
_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.c2lnbmF0dXJl"
_SECRETS = {
    f"/ogc/collections?token={_TOKEN}": "/ogc/collections?token=***",
    "/ogc/collections?f=json&Access_Token=abc&limit=1": (
        "/ogc/collections?f=json&Access_Token=***&limit=1"
    ),
    "/api/v1/users?email=ann%40example.org": "/api/v1/users?email=***",
    "/api/v1/users?search=ann@example.org&limit=5": "/api/v1/users?search=***&limit=5",
    "/api/v1/maps?q=of+ann.b%2Bc%40example.org": "/api/v1/maps?q=***",
    f"/ogc/{_TOKEN}": "/ogc/***",
    f"/ogc?x={_JWT}": "/ogc?x=***",
    "/ogc?password=a%20b": "/ogc?password=***",
    "/ogc?X-Amz-Signature=00ff&b": "/ogc?X-Amz-Signature=***&b",
    "/ogc?apikey=1&api_key=2;sessionid=3": "/ogc?apikey=***&api_key=***;sessionid=***",
    "/api/v1/layers/x/file?time=2024&ticket=aB-_9": "/api/v1/layers/x/file?time=2024&ticket=***",
    "/api/v1/titiler/info?url=https://a.example/file?ticket=aB-_9&bidx=1": (
        "/api/v1/titiler/info?url=https://a.example/file?ticket=***&bidx=1"
    ),
    "/api/v1/titiler/info?url=https%3A%2F%2Fa.example%2Ffile%3Fticket%3DaB-_9%26time%3D2&bidx=1": (
        "/api/v1/titiler/info?url=https%3A%2F%2Fa.example%2Ffile%3Fticket%3D***%26time%3D2&bidx=1"
    ),
    "/x?url=https%253A%252F%252Fa.example%252Ffile%253Fa%253D1%2526Ticket%253DaB-_9%2526b": (
        "/x?url=https%253A%252F%252Fa.example%252Ffile%253Fa%253D1%2526Ticket%253D***%2526b"
    ),
}


@pytest.mark.parametrize(("address", "expected"), _SECRETS.items())
def test_secrets_are_masked(address: str, expected: str) -> None:
    assert masked(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "/ogc/collections/0f8fad5b-d9cb-469f-a165-70867728950e/items?bbox=1,2,3,4&limit=10",
        "/ogc/collections/x/items?filter=name%20LIKE%20%27a%25%27&sortby=-name&after=AbCd",
        "/ogc/tiles/WebMercatorQuad/3/2/1?collections=a,b",
        "-",
    ],
)
def test_the_rest_stays(address: str) -> None:
    assert masked(address) == address


def test_the_log_of_a_server(test_database_url: str, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log", workers=1) as server:
        for address in _SECRETS:
            requests.get(f"{server.url}{address}", headers={"Referer": address}, timeout=30)
        log = server.log.read_text()
    assert log.count("***") > len(_SECRETS)
    for secret in (_TOKEN, _JWT, "ann", "example.org", "abc", "00ff", "aB-_9"):
        assert secret not in log
