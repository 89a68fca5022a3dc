"""The capabilities of web map servers: asked for, kept, asked again whether they have changed."""

import json
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from threading import Lock
from typing import Any

from samsyn_admin.outgoing.callers import Caller
from samsyn_admin.outgoing.kept_responses import KeptResponse, KeptResponses
from samsyn_admin.outgoing.requests import Outgoing, RemoteResponse
from samsyn_admin.outgoing.slots import Slots
from samsyn_admin.wms.addresses import base_address, request_address
from samsyn_admin.wms.documents.capabilities import MAX_SIZE, parse_capabilities
from samsyn_admin.wms.documents.xml import UnreadableXMLError
from samsyn_admin.wms.responses import SECONDS, Asking, begin, check_status, content_type, host_of
from samsyn_model.errors import (
    NotConfiguredError,
    RemoteServerError,
    RemoteTimeoutError,
    TooManyRequestsError,
)

VERSIONS = ("1.3.0", "1.1.1")
"""In the order in which they are asked for."""
FRESH = timedelta(minutes=10)
_KEPT = timedelta(days=1)  # in case no newer ones can be had
_PAUSE = timedelta(minutes=1)  # after a server has failed whose capabilities are kept
_SUMMARIES = 64
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a request for a place needs to know of a server."""

    version: str
    map_formats: tuple[str, ...]
    info_formats: tuple[str, ...]
    layers: dict[str, dict[str, Any]]
    """By name: `crs`, `bounds`, `is_queryable`."""


class CapabilitiesOfServers:
    """The capabilities of web map servers of a deployment; thread-safe."""

    def __init__(self, outgoing: Outgoing, kept: KeptResponses) -> None:
        self.outgoing, self.kept = outgoing, kept
        self._one = Slots(1)
        self._lock = Lock()
        self._summaries: OrderedDict[tuple[str, bytes], Summary] = OrderedDict()

    def document(self, url: str, caller: Caller) -> bytes:
        """Return the capabilities of a server as JSON, at most FRESH old; older ones rather than
        none.

        Raises the errors of `Outgoing.get`; RemoteServerError for a response that is not the
        capabilities of a WMS.
        """
        name = _name(url)
        kept = self.kept.get(name)
        if kept is None or not kept.is_fresh:
            with self._one.taken(name, SECONDS):
                kept = self.kept.get(name)
                if kept is None or not kept.is_fresh:
                    return self._renewed(url, caller, kept)
        return _unpack(kept.content)[1]

    def newest(self, url: str, caller: Caller) -> bytes:
        """Return the capabilities as the server has them now; errors as `document`."""
        return self._fetched(url, begin(self.outgoing, caller, SECONDS), None)

    def summary(self, url: str, caller: Caller) -> Summary:
        """Return the summary of what `document` returns; errors the same."""
        document = self.document(url, caller)
        key = (url, sha256(document).digest())
        with self._lock:
            known = self._summaries.get(key)
        if known is None:
            known = _summarised(json.loads(document))
            with self._lock:
                self._summaries[key] = known
                while len(self._summaries) > _SUMMARIES:
                    self._summaries.popitem(last=False)
        return known

    def _renewed(self, url: str, caller: Caller, old: KeptResponse | None) -> bytes:
        asking = begin(self.outgoing, caller, SECONDS)
        try:
            return self._fetched(url, asking, old)
        except (RemoteServerError, TooManyRequestsError, NotConfiguredError) as error:
            if old is None:
                raise
            if isinstance(error, RemoteServerError):
                self.kept.put(_name(url), old.content, _PAUSE, _KEPT)
            return _unpack(old.content)[1]

    def _fetched(self, url: str, asking: Asking, old: KeptResponse | None) -> bytes:
        """Return new capabilities, and keep them; the old ones where those have not changed."""
        validators, document = ({}, b"") if old is None else _unpack(old.content)
        response, new = _ask(url, asking, validators)
        if new is None:
            assert old is not None  # noqa: S101 - without validators there is no 304
            self.kept.put(_name(url), old.content, FRESH, _KEPT)
            return document
        validators = {
            _VALIDATORS[name]: value
            for name, value in response.headers.items()
            if name in _VALIDATORS and len(value) < 500
        }
        self.kept.put(_name(url), _pack(validators, new), FRESH, _KEPT)
        return new


def _ask(
    url: str, asking: Asking, validators: dict[str, str]
) -> tuple[RemoteResponse, bytes | None]:
    """Return the response of the version that a server has, and its JSON; None: not changed."""
    failure: RemoteServerError | None = None
    for version in VERSIONS:
        values = {"SERVICE": "WMS", "REQUEST": "GetCapabilities", "VERSION": version}
        try:
            response = asking.get(request_address(url, values), MAX_SIZE, validators)
        except (RemoteTimeoutError, RemoteServerError) as error:
            raise failure or error from error
        if response.status == 304 and validators:
            return response, None
        try:
            check_status(response)
            parsed = parse_capabilities(response.body, content_type(response)[1])
            return response, parsed.document.encode()
        except UnreadableXMLError as error:
            failure = failure or RemoteServerError(f"What {host_of(response.url)} sent {error}.")
        except RemoteServerError as error:
            failure = failure or error
    assert failure is not None  # noqa: S101 - a version has failed
    raise failure


def _summarised(document: dict[str, Any]) -> Summary:
    layers = {
        layer["name"]: {
            "crs": frozenset(layer["crs"]),
            "bounds": layer["bounds"],
            "is_queryable": layer["queryable"],
        }
        for layer in document["layers"]
    }
    formats = (tuple(document["getmap_formats"]), tuple(document["getfeatureinfo_formats"]))
    return Summary(document["version"], *formats, layers)


def _name(url: str) -> str:
    return f"wms:capabilities:{base_address(url)}"


def _pack(validators: dict[str, str], document: bytes) -> bytes:
    return json.dumps(validators).encode() + b"\n" + zlib.compress(document)


def _unpack(content: bytes) -> tuple[dict[str, str], bytes]:
    validators, _, packed = content.partition(b"\n")
    return json.loads(validators), zlib.decompress(packed)
