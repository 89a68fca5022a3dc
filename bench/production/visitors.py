"""Clients that read and write in turn, without a pause: pages, tiles, maps, edits."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.dataset import CATEGORIES, boxes, tiles
from bench.production.client import Answer, BrokenError, Client
from bench.production.figures import DECLARED, Figures
from bench.production.ledger import Kept, Ledger
from bench.production.world import World, point

_GEOJSON = {"Content-Type": "application/geo+json"}
_PATCH = {"Content-Type": "application/merge-patch+json"}
_HIDDEN = frozenset({404, 429, 503})
_BULK = 25  # features
_MAX_OWN = 30
_VALUES = 1_000_000  # of each
_LONGEST_PAUSE = 3.0  # seconds for which one waits who is asked to come back later
_AREAS, _TILES = boxes(400), [*tiles(8)[:100], *tiles(9)[:150], *tiles(10)[:400]]

type _Act = Callable[[], Awaitable[None]]


@dataclass
class Shared:
    """What all visitors have in common."""

    world: World
    figures: Figures
    ledger: Ledger
    is_over: asyncio.Event


class Visitor:
    """Somebody without credentials: reads what is public, and is refused what is not."""

    def __init__(self, client: Client, shared: Shared, number: int) -> None:
        self._client, self._shared, self._world = client, shared, shared.world
        self._chance = random.Random(number)
        self._tags: dict[str, str] = {}

    def acts(self) -> list[tuple[int, _Act]]:
        """Return what they do, and how often of a hundred times."""
        return [
            (22, self._page),
            (13, self._box),
            (15, self._item),
            (5, self._filter),
            (7, self._map),
            (4, self._collection),
            (30, self._tile),
            (4, self._hidden),
        ]

    async def visit(self) -> None:
        """Go on until it is over."""
        weights, acts = zip(*self.acts(), strict=True)
        while not self._shared.is_over.is_set():
            (act,) = self._chance.choices(acts, weights)
            await act()
        self._client.close()

    async def _read(self, kind: str, path: str) -> Answer | None:
        """Read what may have been read before, then with its tag."""
        tag = self._tags.get(path)
        answer = await self.send(kind, "GET", path, headers={"If-None-Match": tag} if tag else {})
        if answer and "etag" in answer.headers and len(self._tags) < 50:
            self._tags[path] = answer.headers["etag"]
        return answer

    async def send(  # noqa: PLR0913 - those of a request
        self,
        kind: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        expected: frozenset[int] = DECLARED,
    ) -> Answer | None:
        """Send a request and note what came of it; None without a response."""
        figures = self._shared.figures
        try:
            answer = await self._client.send(method, path, body, headers)
        except BrokenError as error:
            figures.broken(kind, str(error))
            return None
        figures.note(kind, answer.status, answer.seconds, answer.headers, expected=expected)
        if answer.status in {429, 503}:
            pause = float(answer.headers.get("retry-after") or 1)
            await asyncio.sleep(min(pause, _LONGEST_PAUSE) * self._chance.uniform(0.5, 1))
        return answer

    async def _page(self) -> None:
        limit = self._chance.choice([10, 10, 10, 100])
        layer = self._chance.choice([self._world.polygons, self._world.zones])
        await self._read("page", f"/ogc/collections/{layer}/items?limit={limit}&f=json")

    async def _box(self) -> None:
        area = self._chance.choice(_AREAS)
        items = f"/ogc/collections/{self._world.polygons}/items"
        await self.send("box", "GET", f"{items}?limit=100&bbox={area}")

    async def _item(self) -> None:
        number = self._chance.choice(self._world.ids)
        await self.send("item", "GET", f"/ogc/collections/{self._world.polygons}/items/{number}")

    async def _filter(self) -> None:
        category = self._chance.choice(CATEGORIES)
        items = f"/ogc/collections/{self._world.polygons}/items"
        await self.send("filter", "GET", f"{items}?limit=10&category={category}")

    async def _map(self) -> None:
        path = self._chance.choice([f"/api/v1/maps/{self._world.map}", "/api/v1/maps"])
        await self._read("map", path)

    async def _collection(self) -> None:
        ends = ["", f"/{self._world.zones}", f"/{self._world.polygons}/schema"]
        await self._read("collection", f"/ogc/collections{self._chance.choice(ends)}?f=json")

    async def _tile(self) -> None:
        z, x, y = self._chance.choice(_TILES)
        owner = f"collections/{self._world.polygons}"
        if self._chance.random() < 0.2:
            owner = f"maps/{self._world.map}"
        await self._read("tile", f"/ogc/{owner}/tiles/WebMercatorQuad/{z}/{y}/{x}")

    async def _hidden(self) -> None:
        collection = f"/ogc/collections/{self._world.private}"
        end = self._chance.choice(["/items", "", "/tiles/WebMercatorQuad/0/0/0"])
        await self.send("hidden", "GET", collection + end, expected=_HIDDEN)


class Editor(Visitor):
    """Somebody with a token: reads and writes."""

    def __init__(self, client: Client, shared: Shared, number: int, *, is_owner: bool) -> None:
        super().__init__(client, shared, number)
        self._is_owner = is_owner
        self._ledger = shared.ledger
        self._own: list[int] = []
        self._items = f"/ogc/collections/{self._world.zones}/items"
        self._value = number * _VALUES
        """The last one written: nobody writes one twice, as that would be no change."""

    def acts(self) -> list[tuple[int, _Act]]:
        """Return what they do: also edits."""
        private = [(10, self._private)] if self._is_owner else []
        reads = [
            *((12, self._page), (8, self._box), (10, self._item), (3, self._filter)),
            *((7, self._map), (3, self._collection), (22, self._tile)),
        ]
        writes = [(12, self._add), (15, self._change), (5, self._contend), (6, self._delete)]
        return [*reads, *private, *writes, (1, self._bulk)]

    async def _private(self) -> None:
        collection = f"/ogc/collections/{self._world.private}"
        end = self._chance.choice(["/items?limit=100", "/tiles/WebMercatorQuad/0/0/0"])
        await self._read("private", collection + end)

    async def _add(self) -> None:
        if len(self._own) >= _MAX_OWN:
            await self._delete()
            return
        self._value += 1
        body = json.dumps(point(self._chance.randrange(10**6), self._value)).encode()
        answer = await self.send("add", "POST", self._items, body, _GEOJSON)
        if answer and answer.status == 201:
            number = int(answer.headers["location"].rsplit("/", 1)[1])
            self._keep(number, self._value)

    async def _bulk(self) -> None:
        if len(self._own) >= _MAX_OWN:
            return
        self._value += 1
        features = [point(number, self._value) for number in range(_BULK)]
        body = json.dumps({"type": "FeatureCollection", "features": features}).encode()
        path = f"/api/v1/layers/{self._world.zones}/features/bulk"
        answer = await self.send("bulk", "POST", path, body, _GEOJSON)
        if answer and answer.status == 201:
            for number in json.loads(answer.body)["feature_ids"]:
                self._keep(number, self._value)

    def _keep(self, number: int, value: int) -> None:
        self._ledger.writes += 1
        self._ledger.own[self._world.zones, number] = Kept(1, value)
        self._own.append(number)

    async def _change(self) -> None:
        """Change a feature of one's own, as it was read last."""
        if not self._own:
            await self._add()
            return
        number = self._chance.choice(self._own)
        kept = self._ledger.own[self._world.zones, number]
        self._value += 1
        answer = await self._patch("change", number, kept.version, self._value)
        if answer is None or answer.status == 503:
            kept.tried = self._value
            self._own.remove(number)  # what came of it is looked for at the end
        elif answer.status == 200:
            kept.version, kept.value = kept.version + 1, self._value
            self._ledger.writes += 1
        elif answer.status != 429:
            self._shared.figures.fault(f"change of what nobody else changes: {answer.status}")

    async def _contend(self) -> None:
        """Change a feature that others change too."""
        number = self._chance.choice(self._world.shared)
        read = await self.send("item", "GET", f"{self._items}/{number}")
        if read is None or read.status != 200:
            return
        version = int(read.headers["etag"].strip('"'))
        self._value += 1
        answer = await self._patch("contended change", number, version, self._value)
        if answer and answer.status == 200:
            self._ledger.shared[self._world.zones, number].append(version + 1)
            self._ledger.writes += 1

    async def _patch(self, kind: str, number: int, version: int, value: int) -> Answer | None:
        body = json.dumps({"properties": {"n": value}}).encode()
        headers = {**_PATCH, "If-Match": f'"{version}"'}
        return await self.send(kind, "PATCH", f"{self._items}/{number}", body, headers)

    async def _delete(self) -> None:
        if not self._own:
            await self._add()
            return
        number = self._own.pop(self._chance.randrange(len(self._own)))
        kept = self._ledger.own[self._world.zones, number]
        answer = await self.send("delete", "DELETE", f"{self._items}/{number}")
        if answer is None or answer.status == 503:
            kept.is_deletion_tried = True
        elif answer.status == 204:
            kept.is_deleted = True
            self._ledger.writes += 1
        elif answer.status == 429:
            self._own.append(number)
        else:
            self._shared.figures.fault(f"deletion of what nobody else deletes: {answer.status}")
