"""Requests for the operations of both API definitions, made up from a seed.

The same seed, definitions and ids make the same requests, whatever is answered.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from samsyn_provider.versions.parameters import PROFILES
from tests.fuzz import odd_values
from tests.fuzz.filters import filter_query
from tests.fuzz.geometries import geometry
from tests.fuzz.odd_values import Random
from tests.fuzz.request_bodies import Body, Ids, body

_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_FILES = ("csv", "fgb", "geojson", "geojsonseq", "gpkg", "jsonfg", "kml", "parquet", "shp", "xlsx")
_FILE_TYPES = ("text/csv", "application/geopackage+sqlite3", "application/vnd.apache.parquet")
_ACCEPTED = (
    *("application/json", "application/geo+json", "text/html", "*/*", "application/problem+json"),
    *("image/png", "", ",", "a/b;q=x", "application/vnd.mapbox-vector-tile", "text/*;q=0.5"),
)
_IDS = {
    **dict.fromkeys(("collectionId", "collection_id", "layer_id"), "layers"),
    **dict.fromkeys(("featureId", "feature_id"), "features"),
    **dict.fromkeys(("mapId", "map_id"), "maps"),
    **dict.fromkeys(("comment_id", "parent_id"), "comments"),
    **{"user_id": "users", "author": "users", "token_id": "tokens"},
}
_SPARE = 8
"""How many of each kind requests may delete: the last ones, so that the others stay."""
_KNOWN = 12
"""How many of each kind other requests name: the first ones."""
_WEIGHTS = (
    *(("/items", 40), ("/search", 20), ("/bulk", 10), ("/{tileCol}", 10), ("{featureId}", 5)),
    *(("/features", 10), ("/v1/layers", 4), ("/v1/maps", 2), ("/{layer_id}", 2)),
)
_LEFT_OUT = {("delete", "/api/v1/users/me")}
"""Nobody could ask for anything after that."""


@dataclass(frozen=True)
class Operation:
    """A method on a path of a definition, with the names of its parameters in the query."""

    method: str
    path: str
    query: tuple[str, ...]
    has_body: bool


@dataclass(frozen=True)
class Request:
    """A request as it is sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    content: bytes
    is_download: bool

    def encoded(self) -> bytes:
        """Return the bytes to send."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace") + self.content


def operations(documents: Sequence[tuple[str, dict[str, Any]]]) -> list[Operation]:
    """Return the operations of API definitions, each with the path before its own paths."""
    found = []
    for prefix, document in documents:
        for path, item in document["paths"].items():
            for method in set(_METHODS) & set(item):
                declared = [*item.get("parameters", []), *item[method].get("parameters", [])]
                members = [_resolved(parameter, document) for parameter in declared]
                names = tuple(member["name"] for member in members if member["in"] == "query")
                has_body = method in {"post", "put", "patch"}
                if (method, prefix + path) not in _LEFT_OUT:
                    found.append(Operation(method.upper(), prefix + path, names, has_body))
    return sorted(found, key=lambda operation: (operation.path, operation.method))


def _resolved(parameter: dict[str, Any], document: dict[str, Any]) -> Any:
    for part in parameter.get("$ref", "").split("/")[1:]:
        document = document[part]
    return document if "$ref" in parameter else parameter


class RequestGenerator:
    """Makes requests up, of what there is: `ids`, the first of each kind more often than others.

    `features` are the ids of features by layer, `tokens` those of `owner` and `stranger`.
    """

    def __init__(
        self,
        seed: str,
        operations: Sequence[Operation],
        ids: Ids,
        features: dict[str, list[str | int]],
        tokens: dict[str, str],
    ) -> None:
        self._random = Random(seed)
        self._operations = operations
        self._weights = [
            next((weight for end, weight in _WEIGHTS if operation.path.endswith(end)), 1)
            for operation in operations
        ]
        self._features = features
        self._spare = {kind: known[-_SPARE:] for kind, known in ids.items()}
        self._ids = {kind: known[:_KNOWN] for kind, known in ids.items()}
        self._tokens = tokens

    def requests(self, count: int) -> Iterator[Request]:
        """Yield that many requests."""
        for operation in self._random.choices(self._operations, self._weights, k=count):
            yield self._request(operation)

    def _request(self, operation: Operation) -> Request:
        random = self._random
        method = operation.method
        if random.random() < 0.03:
            method = random.choice(("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "TRACE", "X"))
        query = self._query(operation)
        target = self._path(operation)
        if query:
            target += "?" + "&".join(
                f"{_escaped(random, n)}={_escaped(random, v)}" for n, v in query
            )
        headers = dict(self._headers())
        content = b""
        if operation.has_body and random.random() < 0.97:
            made = body(random, operation.path, method, self._ids)
            content = self._with_length(made, headers)
        accepted = headers.get("Accept", "")
        is_download = accepted in _FILE_TYPES or any(
            name == "f" and value in _FILES for name, value in query
        )
        return Request(method, target[:8000], tuple(headers.items()), content, is_download)

    def _with_length(self, made: Body, headers: dict[str, str]) -> bytes:
        headers["Content-Type"] = made.media_type
        if made.coding:
            headers["Content-Encoding"] = made.coding
        if self._random.random() < 0.05:
            headers["Transfer-Encoding"] = "chunked"
            return (
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(made.content), made.content)
                if (made.content)
                else b"0\r\n\r\n"
            )
        headers["Content-Length"] = str(len(made.content))
        return made.content

    def _path(self, operation: Operation) -> str:
        random, parts = self._random, []
        known = self._spare if operation.method == "DELETE" else self._ids
        for part in operation.path.split("/"):
            if part.startswith("{"):
                value = self._path_value(part[1:-1], known)
                known = {**known, "features": self._features.get(value, known["features"])}
                parts.append(quote(value, safe="%", errors="surrogatepass"))
            else:
                parts.append(part)
        path = "/".join(parts)
        if random.random() < 0.01:
            path += random.choice(("/", "//", "/x", "%2f..", ";x", "%00"))
        return path

    def _path_value(self, name: str, known: Ids) -> str:
        random = self._random
        if name in _IDS:
            return odd_values.pick(random, known[_IDS[name]])
        if name == "tileMatrixSetId":
            return random.choice(("WebMercatorQuad", "WebMercatorQuad", "WorldCRS84Quad", "x"))
        if name == "tileMatrix":
            return random.choice(("0", "1", "5", "6", "7", "24", "25", "x"))
        if name in {"tileRow", "tileCol"}:  # those of the demo plan, or any
            return str(random.choice((0, 0, 1, 9, 16, 17, 19, 33, 38, 67, -1, 2**31, "x")))
        if name == "styleId":
            return random.choice(("default", "default", "x"))
        if name == "property_name":
            return random.choice(odd_values.NAMES)
        return odd_values.text(random) or "x"

    def _query(self, operation: Operation) -> list[tuple[str, str]]:
        random = self._random
        chance = 0.6 if len(operation.query) < 3 else 0.2
        query: list[tuple[str, str]] = []
        for name in operation.query:
            if random.random() >= chance:
                continue
            if name == "filter":
                query += filter_query(random).items()
            elif not name.startswith("filter-"):
                query.append((name, self._value(name)))
        if "bbox" in operation.query and random.random() < 0.1:
            query.append((random.choice(odd_values.NAMES), odd_values.text(random)))
        if random.random() < 0.02:
            query.append((odd_values.text(random), odd_values.text(random)))
        if query and random.random() < 0.01:
            query.append(random.choice(query))
        return query

    def _value(self, name: str) -> str:
        random = self._random
        if random.random() < 0.03:
            return odd_values.text(random)
        if name in _USUAL and random.random() < 0.8:
            return random.choice(_USUAL[name])
        if name in _IDS:
            return odd_values.pick(random, self._ids[_IDS[name]])
        make = _QUERY_VALUES.get(name)
        return make(random) if make else random.choice(("true", "false", odd_values.text(random)))

    def _headers(self) -> Iterator[tuple[str, str]]:
        random = self._random
        authorization = self._authorization()
        if authorization is not None:
            yield "Authorization", authorization
        if random.random() < 0.5:
            is_file = random.random() < 0.1
            yield "Accept", random.choice(_FILE_TYPES if is_file else _ACCEPTED)
        for name, values in _HEADERS.items():
            if random.random() < 0.05:
                yield name, random.choice(values)

    def _authorization(self) -> str | None:
        random, chance = self._random, self._random.random()
        if chance < 0.15:
            return None
        if chance < 0.95:
            token = self._tokens["owner" if chance < 0.8 else "stranger"]
            if random.random() < 0.1:
                return "Basic " + base64.b64encode(f"x:{token}".encode()).decode()
            return f"Bearer {token}"
        token = odd_values.cut(random, self._tokens["owner"].encode()).decode("latin-1")
        damaged = "".join(character for character in token if character.isprintable())
        return random.choice(
            (f"Bearer {damaged}", f"Basic {damaged}", "Bearer", "Basic !!", "Digest x", damaged)
        )


_QUERY_VALUES: dict[str, Callable[[Random], str]] = {
    "f": lambda random: random.choice((*_FILES, *(("json", "html", "mvt", "sld", "x") * 3))),
    "limit": lambda random: str(random.choice((1, 10, 100, 1000, *odd_values.NUMBERS))),
    "offset": lambda random: str(random.choice((0, 1, 10, 100, *odd_values.NUMBERS))),
    "bbox": odd_values.box,
    "crs": lambda random: random.choice(odd_values.SYSTEMS),
    "bbox-crs": lambda random: random.choice(odd_values.SYSTEMS),
    "datetime": odd_values.interval,
    "version-datetime": odd_values.interval,
    "profile": lambda random: random.choice((*PROFILES, "x")),
    "since": odd_values.interval,
    "until": odd_values.interval,
    "former": lambda random: random.choice(("true", "false", "x")),
    "properties": lambda random: ",".join(random.sample(odd_values.NAMES, random.randrange(1, 4))),
    "sortby": lambda random: random.choice(("", "-", "+")) + random.choice(odd_values.NAMES),
    "resulttype": lambda random: random.choice(("hits", "results", "x")),
    "dialect": lambda random: random.choice(("excel", "excel-semicolon", "x")),
    "intersects": lambda random: str(geometry(random)).replace("'", '"'),
    "within": lambda random: str(geometry(random)).replace("'", '"'),
    "after": lambda random: random.choice(("WzFd", "WzIxM10", "x", "bnVsbA", "W251bGxd")),
    "max_depth": lambda random: str(odd_values.number(random)),
}
_USUAL = {
    "f": ("json", "json", "json", "html", "geojson", "csv", "gpkg", "tilejson", "mbgl"),
    "limit": ("1", "10", "100", "1000"),
    "offset": ("0", "1", "10", "30"),
    "crs": odd_values.SYSTEMS[:4],
    "bbox-crs": odd_values.SYSTEMS[:4],
    "datetime": ("2024-05-01", "../2025-01-01T00:00:00Z", "2020-01-01/..", "../.."),
    "version-datetime": ("2999-01-01T00:00:00Z", "../2025-01-01T00:00:00Z", "../.."),
    "profile": PROFILES,
    "since": ("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
    "until": ("2999-01-01T00:00:00Z",),
    "former": ("true", "false"),
    "sortby": ("name", "-name", "updated", "name,-updated"),
    "properties": ("name", "updated,name"),
    "resulttype": ("hits", "results"),
    "max_depth": ("0", "1", "100"),
    "bbox": ("10,54,13,58", "10,56,11,57", "-180,-90,180,90", "175,-30,185,0"),
    "after": ("WzIxM10", "WzFd"),
}
"""Values that are valid for every layer."""
_HEADERS = {
    "Accept-Encoding": ("gzip", "br", "zstd", "identity;q=0", "*;q=0", "x", ""),
    "If-Match": ("*", '"1"', 'W/"1"', "x", '"' * 100),
    "If-None-Match": ("*", '"1"', 'W/"x", "y"', ""),
    "Content-Crs": (*(f"<{crs}>" for crs in odd_values.SYSTEMS), "x"),
    "Prefer": ("return=minimal", "return=representation", "x=;", ""),
    "If-Unmodified-Since": ("Mon, 02 Jul 2001 10:43:17 GMT", "x", "Thu, 31 Dec 9999 23:59:59 GMT"),
    "Origin": ("https://elsewhere.example.org", "null", "", "http://["),
    "Cookie": ("samsyn_session=x", "samsyn_session=", "=", "a=b; samsyn_session=\xff"),
    "Range": ("bytes=0-1", "x"),
    "X-Forwarded-Host": ("elsewhere.example.org", "[", ""),
    "X-Forwarded-For": ("::1", "x" * 100),
    "Access-Control-Request-Method": ("POST", "x"),
    "X-HTTP-Method-Override": ("DELETE",),
    "Expect": ("100-continue",),
}


def _escaped(random: Random, text: str) -> str:
    quoting = quote_plus if random.random() < 0.3 else quote
    return quoting(text, safe="", errors="surrogatepass")
