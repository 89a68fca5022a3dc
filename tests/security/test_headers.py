"""The headers of every route, for everybody: what browsers and caches must not do."""

import re
from itertools import product

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_admin.openapi.document import api_document
from samsyn_provider.openapi import definition_source
from tests.clerk_instance import settings
from tests.security.operations import Operation, route_of
from tests.security.permission_matrix import OPERATIONS
from tests.security.permission_rules import ANONYMOUS, Caller
from tests.security.permission_world import BROWSERS, PRINCIPALS
from tests.security.world_database import World

_METHODS = {"get", "post", "put", "patch", "delete"}
_CALLERS = [
    ANONYMOUS,
    *(
        caller
        for caller in PRINCIPALS
        if caller.name in {"owner", "administrator", "unknown token"}
    ),
    *(caller for caller in BROWSERS if caller.name in {"creator's browser"}),
]
_SOFTWARE = re.compile(
    r"gunicorn|werkzeug|flask|psycopg|sqlalchemy|pygeoapi|Traceback", re.IGNORECASE
)


def _sent(
    world: World, operation: Operation, target: object, caller: Caller, kind: str
) -> TestResponse:
    with world.rolled_back():
        response = world.client.open(
            operation.address(target),
            method=operation.method,
            headers=[*world.headers[caller].items(), ("Accept", kind)],
            **operation.content(target),
        )
        response.get_data()
        response.close()
        return response


def _faults(response: TestResponse) -> list[str]:
    headers, faults = response.headers, []
    if headers.getlist("X-Content-Type-Options") != ["nosniff"]:
        faults.append("nosniff")
    if headers.getlist("Referrer-Policy") != ["same-origin"]:
        faults.append("Referrer-Policy")
    if not headers.get("Cache-Control"):
        faults.append("Cache-Control")
    if {"Server", "X-Powered-By", "Via"} & set(headers):
        faults.append("Server")
    if response.mimetype == "text/html":
        policy = headers.get("Content-Security-Policy", "")
        if "frame-ancestors 'none'" not in policy or not policy.startswith("default-src"):
            faults.append("no policy")
        if "unsafe" in policy or re.search(
            rb"<script(?![^>]*(src=|application/json))", response.data
        ):
            faults.append("inline script")
        if re.search(rb"<[^>]+\son\w+=", response.data):
            faults.append("inline event")
    if response.status_code >= 400 and _SOFTWARE.search(response.text):
        faults.append("names software")
    return faults


def _content(response: TestResponse) -> tuple[int, bytes]:
    content = re.sub(rb'"timeStamp":"[^"]*"', b"", response.data)
    return response.status_code, content


def _is_kept_by_shared_caches(response: TestResponse) -> bool:
    return not {"private", "no-store"} & set(re.split(r",\s*", response.headers["Cache-Control"]))


def test_every_documented_route_is_walked(world: World) -> None:
    walked = {operation.route for operation in OPERATIONS}
    for prefix, document in (("", api_document(world.app)), ("/ogc", definition_source())):
        routes = {
            route_of(method.upper(), f"{prefix}{path}")
            for path, methods in document["paths"].items()
            for method in methods
            if method in _METHODS
        }
        assert len(routes) > 10
        assert sorted(routes - walked) == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_headers(world: World, operation: Operation) -> None:
    faults = []
    for target, kind in product(operation.objects[:2], ("*/*", "text/html")):
        public: tuple[int, bytes] | None = None
        for caller in _CALLERS:
            response = _sent(world, operation, target, caller, kind)
            public = public or _content(response)  # nobody is the first of them
            found = _faults(response)
            if _is_kept_by_shared_caches(response) and (
                "Authorization" in world.headers[caller] or _content(response) != public
            ):
                found.append(f"shared caches keep it: {response.headers['Cache-Control']}")
            faults += [
                f"{caller.name}, {target}, {kind}: {response.status_code} {fault}"
                for fault in found
            ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/ogc/nowhere", "/api/nowhere", "/ogc/static/nowhere"]
)
def test_headers_of_addresses_that_do_not_exist(world: World, path: str) -> None:
    for kind in ("*/*", "text/html"):
        response = world.client.get(path, headers={"Accept": kind})
        assert (response.status_code, _faults(response)) == (404, [])


def test_headers_of_what_has_not_changed(world: World) -> None:
    for path in ("/ogc/static/samsyn.css", "/ogc/conformance"):
        first = world.client.get(path)
        first.close()
        headers = {"If-None-Match": first.headers["ETag"]}
        response = world.client.get(path, headers=headers)
        response.close()
        assert (response.status_code, _faults(response)) == (304, [])


def _app(engine: Engine, **changes: object) -> Flask:
    return create_app(settings(trusted_proxies=0, **changes), engine)


def test_browsers_come_back_by_https_alone(engine: Engine) -> None:
    for address, expected in (
        ("https://plan.example.org", True),
        ("http://plan.example.org", False),
    ):
        client = _app(engine, public_url=address).test_client()
        response = client.get("/ogc/conformance", base_url=address)
        assert ("Strict-Transport-Security" in response.headers) is expected


def test_administrators_alone_are_told_the_version(world: World) -> None:
    for caller in _CALLERS:
        document = world.client.get("/api/health", headers=world.headers[caller]).get_json()
        assert ("version" in document) is (caller.name == "administrator"), caller.name
