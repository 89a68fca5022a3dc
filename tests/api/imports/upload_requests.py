"""Requests that upload, inspect and import files."""

from collections.abc import Mapping
from typing import Any

from werkzeug.test import TestResponse

from tests.api.layer_requests import Caller

IMPORTS = "/api/v1/imports"
BOUNDARY = "b0undary"
POINTS = b"name,lon,lat\nMast,11.5,57.5\nBuoy,11.6,57.6\n"


def part(name: str, content: bytes, field: str = "file") -> bytes:
    """Return a file as a part of a multipart body."""
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n"


def post_raw(caller: Caller, body: bytes) -> TestResponse:
    """Post a multipart body as it is."""
    return caller.client.post(
        IMPORTS,
        data=body,
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        headers=caller.headers,
    )


def upload(caller: Caller, files: Mapping[str, bytes] | None = None) -> TestResponse:
    """Upload files by their names as multipart/form-data."""
    content = {"points.csv": POINTS} if files is None else files
    parts = b"".join(part(name, data) for name, data in content.items())
    return post_raw(caller, parts + f"--{BOUNDARY}--\r\n".encode())


def uploaded(caller: Caller, files: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """Upload files; return the import."""
    response = upload(caller, files)
    assert response.status_code == 201, response.text
    assert response.json is not None
    created: dict[str, Any] = response.json
    return created


def begin(caller: Caller, name: str, size: int) -> TestResponse:
    """Begin an import of a file that follows."""
    body = {"name": name, "size": size}
    return caller.client.post(IMPORTS, json=body, headers=caller.headers)


def send(caller: Caller, method: str, path: str, **options: Any) -> TestResponse:
    """Send a request to a path below the imports."""
    headers = {**caller.headers, **options.pop("headers", {})}
    return caller.client.open(f"{IMPORTS}{path}", method=method, headers=headers, **options)


def read(caller: Caller, import_id: str) -> dict[str, Any]:
    """Return an import."""
    response = send(caller, "GET", f"/{import_id}")
    assert response.status_code == 200, response.text
    assert response.json is not None
    found: dict[str, Any] = response.json
    return found
