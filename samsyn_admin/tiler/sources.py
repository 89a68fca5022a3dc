"""What a tiler may open: a raster that the server has looked up, and signed for a moment."""

import base64
import binascii
import hmac
import json
import time
from dataclasses import dataclass

from samsyn_model.errors import PermissionDeniedError

SOURCE_PARAMETER = "source"
"""The parameter of a request to the tiler that has a signed source."""
_LIFE = 60  # seconds
_NOT_SIGNED = "The source is not signed by the server, or not any more."


@dataclass(frozen=True, slots=True)
class Source:
    """A raster: a file in the storage by its key, or one of another server by its address."""

    key: str | None = None
    url: str | None = None


def sign_source(source: Source, secret: str) -> str:
    """Return a source as URL-safe text that a tiler with the same secret takes for a minute."""
    content = json.dumps([source.key, source.url, int(time.time()) + _LIFE]).encode()
    return f"{_encode(content)}.{_encode(_signature(content, secret))}"


def signed_source(text: str, secret: str) -> Source:
    """Return the source of a text; raises PermissionDeniedError where it is not signed, or was."""
    try:
        content, signature = (base64.b64decode(part, b"-_", True) for part in text.split("."))
    except (ValueError, binascii.Error) as error:
        raise PermissionDeniedError(_NOT_SIGNED) from error
    if not hmac.compare_digest(signature, _signature(content, secret)):
        raise PermissionDeniedError(_NOT_SIGNED)
    key, url, expires_at = json.loads(content)
    if time.time() > expires_at:
        raise PermissionDeniedError(_NOT_SIGNED)
    return Source(key, url)


def _signature(content: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"raster source\x00" + content, "sha256")


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()
