"""The header Host: links are not made from a host that is malformed, or of somebody else."""

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings

_MALFORMED = (
    "a b",
    "a/b",
    "a:b:c",
    "a:99999",
    "<a>",
    "a@b",
    "[::1",
    "é.org",
    "a,b",
    "a?b",
    "-a",
    "a_b",
)


def _app(engine: Engine, **values: object) -> Flask:
    return create_app(Settings(_env_file=None, **values), engine)  # type: ignore[call-arg,arg-type]


def _get(app: Flask, host: str, path: str = "/ogc/conformance", **headers: str) -> TestResponse:
    return app.test_client().get(path, headers={"Host": host, **headers})


@pytest.mark.parametrize("host", _MALFORMED)
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_malformed_hosts(engine: Engine, host: str, kind: str) -> None:
    for app in (_app(engine), _app(engine, public_url="https://plan.example.org")):
        for path in ("/ogc/conformance", "/api/v1/maps", "/nowhere"):
            response = _get(app, host, path, Accept=kind)
            assert response.status_code == 400, path
            assert response.get_json()["detail"] == "The header Host is malformed."


@pytest.mark.parametrize(
    "host", ["plan.example.org", "127.0.0.1:8000", "[::1]:8000", "a-b", "LOCALHOST"]
)
def test_any_well_formed_host_makes_links_by_default(engine: Engine, host: str) -> None:
    response = _get(_app(engine), host)
    assert response.status_code == 200
    assert f"http://{host}/ogc/".lower() in response.text.lower()


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ((), "plan.example.org", 200),
        ((), "PLAN.example.org.:443", 200),
        ((), "localhost:8000", 200),
        ((), "10.0.0.7", 200),
        ((), "[fd00::7]:8000", 200),
        ((), "evil.example.org", 400),
        (("inside",), "inside:8000", 200),
        (("inside",), "plan.example.org", 400),
        (("inside",), "10.0.0.7", 400),
    ],
)
def test_other_hosts(engine: Engine, allowed: tuple[str, ...], host: str, status: int) -> None:
    app = _app(engine, public_url="https://plan.example.org", allowed_hosts=allowed)
    assert _get(app, host).status_code == status
    assert _get(app, host, "/api/health/live").status_code == 200


def test_the_setting_is_a_list() -> None:
    assert Settings(_env_file=None, allowed_hosts="a.org, b.org").allowed_hosts == (
        "a.org",
        "b.org",
    )  # type: ignore[call-arg,arg-type]
