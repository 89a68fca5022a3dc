"""Tiles of Global Fishing Watch: kept ones, or new ones within the calls of a day."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from samsyn_admin.gfw.heatmap import Heatmap
from samsyn_admin.outgoing.callers import Caller
from samsyn_admin.outgoing.kept_responses import KeptResponse, KeptResponses
from samsyn_admin.outgoing.requests import Outgoing
from samsyn_admin.outgoing.under_way import UnderWay
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.errors import (
    NotConfiguredError,
    RemoteServerError,
    TooManyRequestsError,
)
from samsyn_model.settings import Settings

_SECONDS = 20.0
_MAX_BYTES = 4 * 1024 * 1024
_STALE = timedelta(days=60)  # for which a tile is kept in case no new one can be had
_MVT = ("application/vnd.mapbox-vector-tile", "application/x-protobuf", "application/octet-stream")
_COUNT_CALL = """
INSERT INTO daily_calls AS counted (server, day, calls)
VALUES ('gfw', (now() AT TIME ZONE 'UTC')::date, 1)
ON CONFLICT (server, day) DO UPDATE SET calls = counted.calls + 1
WHERE counted.calls < %(most)s
RETURNING calls"""


@dataclass(frozen=True, slots=True)
class RemoteTile:
    """A vector tile, empty where there is nothing, and for how many seconds it stays as it is."""

    content: bytes
    max_age: int


class FishingTiles:
    """Tiles of one deployment; thread-safe."""

    def __init__(
        self, settings: Settings, engine: Engine, outgoing: Outgoing, kept: KeptResponses
    ) -> None:
        self._settings, self._engine = settings, engine
        self._outgoing, self._kept = outgoing, kept
        self._under_way = UnderWay()

    @property
    def is_configured(self) -> bool:
        """Whether there is a token."""
        return self._settings.gfw_api_token is not None

    def tile(self, heatmap: Heatmap, z: int, x: int, y: int, caller: Caller) -> RemoteTile:
        """Return a tile, of those that mean the same one request at a time; an old one rather than
        none.

        Raises NotConfiguredError without a token, RemoteServerError, TooManyRequestsError.
        """
        if not self.is_configured:
            raise NotConfiguredError(
                "This server has no token of Global Fishing Watch (GFW_API_TOKEN)."
            )
        address = heatmap.address(z, x, y)
        kept = self._kept.get(address)
        if kept is None or not kept.is_fresh:
            with self._under_way.only_one(address):
                kept = self._kept.get(address)
                if kept is None or not kept.is_fresh:
                    return self._new_tile(address, heatmap, kept, caller)
        return RemoteTile(kept.content, int(heatmap.lifetime.total_seconds()))

    def _new_tile(
        self, address: str, heatmap: Heatmap, old: KeptResponse | None, caller: Caller
    ) -> RemoteTile:
        try:
            content = self._fetch(address, caller)
        except (RemoteServerError, TooManyRequestsError, NotConfiguredError):
            if old is None:
                raise
            return RemoteTile(old.content, 60)
        self._kept.put(address, content, heatmap.lifetime, _STALE)
        return RemoteTile(content, int(heatmap.lifetime.total_seconds()))

    def _fetch(self, address: str, caller: Caller) -> bytes:
        caller.spend()
        self._count_call()
        token = self._settings.gfw_api_token
        assert token is not None  # noqa: S101 - `tile` has seen to it
        response = self._outgoing.get(
            f"{self._settings.gfw_api_url}{address}",
            caller=caller.key,
            max_bytes=_MAX_BYTES,
            seconds=_SECONDS,
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
        )
        if response.status in {204, 404}:
            return b""
        if response.status in {401, 403}:
            raise RemoteServerError("Global Fishing Watch does not accept the token of the server.")
        if response.status == 429:
            raise TooManyRequestsError(
                "Global Fishing Watch is asked too often: try again later.",
                retry_after=60,
                policy='"gfw";q=1;w=60',
            )
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status != 200 or media_type not in _MVT:
            raise RemoteServerError("Global Fishing Watch did not send a vector tile.")
        return response.body

    def _count_call(self) -> None:
        """Count a call of today (UTC); raises TooManyRequestsError after the last."""
        most = self._settings.gfw_daily_calls
        with writing(self._engine) as connection:
            counted = run(connection, _COUNT_CALL, {"most": most}).one_or_none()
        if counted is None:
            raise TooManyRequestsError(
                "The requests to Global Fishing Watch of today are used up: try again tomorrow.",
                retry_after=3600,
                policy=f'"gfw";q={most};w=86400',
            )
