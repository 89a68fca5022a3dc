"""What a WMS says of a place: asked for in the format that says most of those that it offers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from samsyn_admin.outgoing.callers import Caller
from samsyn_admin.wms.addresses import request_address
from samsyn_admin.wms.capabilities import CapabilitiesOfServers, Summary
from samsyn_admin.wms.documents.feature_info import (
    Found,
    ReportedError,
    info_document,
    parse_info,
    ranked_formats,
)
from samsyn_admin.wms.places import Place, place_image
from samsyn_admin.wms.responses import SECONDS, Asking, begin, check_status, content_type, host_of
from samsyn_model.errors import InvalidParameterError, RemoteServerError, RemoteTimeoutError

MAX_BYTES = 1024 * 1024
"""Of a response."""
FRESH = timedelta(minutes=1)
_COUNT = "10"
_TRIES = 2  # formats
_UNKNOWN = Summary("1.3.0", (), ("application/json", "text/html"), {})
_MAX_LENGTHS = {"layers": 2_000, "time": 200, "cql_filter": 4_000}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a WMS: of which layers, at which place; `version` where the caller names
    one."""

    url: str
    layers: str
    place: Place
    version: str | None = None
    time: str | None = None
    cql_filter: str | None = None


def check_texts(values: Mapping[str, str]) -> None:
    """Raise InvalidParameterError for a text that is too long, or an empty list of layers."""
    for name, length in _MAX_LENGTHS.items():
        if len(values.get(name, "")) > length:
            raise InvalidParameterError(f"{name} has at most {length:,} characters.")
    if values.get("version", "1.3.0") not in {"1.1.1", "1.3.0"}:
        raise InvalidParameterError("version is 1.1.1 or 1.3.0.")


def feature_info(
    servers: CapabilitiesOfServers, question: Question, caller: Caller
) -> dict[str, Any]:
    """Return what a server says of a place, as it may stand in a page; at most FRESH old.

    Raises the errors of `Outgoing.get`, and RemoteServerError where the server reports an error.
    """
    summary = known_summary(servers, question.url, caller)
    name = f"wms:feature-info:{_addresses(question, summary)[0]}"
    kept = servers.kept.get(name)
    if kept is not None and kept.is_fresh:
        known: dict[str, Any] = json.loads(kept.content)
        return known
    document = info_document(ask(begin(servers.outgoing, caller, SECONDS), question, summary))
    servers.kept.put(name, json.dumps(document).encode(), FRESH, FRESH)
    return document


def known_summary(servers: CapabilitiesOfServers, url: str, caller: Caller) -> Summary:
    """Return the summary of a server's capabilities; a guess where those cannot be read, since a
    server may well answer all the same. Raises RemoteTimeoutError and others."""
    try:
        return servers.summary(url, caller)
    except RemoteTimeoutError:
        raise
    except RemoteServerError:
        return _UNKNOWN


def ask(asking: Asking, question: Question, summary: Summary) -> Found:
    """Return the properties of the features at a place, as they are, or a text.

    Raises as `feature_info`.
    """
    failure: RemoteServerError | None = None
    for address in _addresses(question, summary):
        try:
            response = asking.get(address, MAX_BYTES)
            check_status(response)
            return parse_info(response.body, *content_type(response))
        except RemoteTimeoutError:
            raise
        except ReportedError as error:
            failure = failure or RemoteServerError(f"{host_of(question.url)} {error}.")
        except RemoteServerError as error:
            failure = failure or error
    raise failure or RemoteServerError(
        f"{host_of(question.url)} offers no format of GetFeatureInfo that is understood."
    )


def _addresses(question: Question, summary: Summary) -> list[str]:
    """Return the addresses of the request in each format that may be tried."""
    version = summary.version if summary.version == "1.1.1" else question.version or summary.version
    known = [summary.layers[name] for name in question.layers.split(",") if name in summary.layers]
    offered = frozenset.intersection(*(layer["crs"] for layer in known)) if known else frozenset()
    png = "image/png"
    values = {
        "SERVICE": "WMS",
        "VERSION": version,
        "REQUEST": "GetFeatureInfo",
        "LAYERS": question.layers,
        "QUERY_LAYERS": question.layers,
        "STYLES": "",
        **place_image(question.place, offered).parameters(version),
        "FORMAT": next(iter(summary.map_formats), png) if png not in summary.map_formats else png,
        "FEATURE_COUNT": _COUNT,
        **({} if question.time is None else {"TIME": question.time}),
        **({} if question.cql_filter is None else {"CQL_FILTER": question.cql_filter}),
    }
    formats = ranked_formats(list(summary.info_formats))[:_TRIES] or ["text/plain"]
    return [request_address(question.url, {**values, "INFO_FORMAT": name}) for name in formats]
