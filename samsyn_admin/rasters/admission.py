"""Which rasters a caller may have pictures of, by their addresses.

A public address that a layer holds is open to everybody: whoever knows it could read it anyway. A
file of ours is open to whoever may read its layer: its address has a ticket, or the request has
credentials. At another address signed-in users may look, and have pictures of it for a while.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import request
from sqlalchemy import Connection, Row, func, or_, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.sql.expression import ScalarSelect, bindparam

from samsyn_admin.outgoing.addresses import parse_address
from samsyn_admin.outgoing.kept_responses import KeptResponses
from samsyn_admin.tiler.sources import Source
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import NotFoundError
from samsyn_model.identity.tickets import ticket_holder
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.rasters import RasterFile
from samsyn_provider.http.deployment import deployment, public_origin, url_origin
from samsyn_provider.http.guard import principal, spend
from samsyn_provider.rates.rate_limits import Rate

RASTER_TICKET = "raster"
"""The action of tickets for the files of a layer, which are their subject."""
LOOKED_AT = timedelta(minutes=15)
"""For how long there are pictures of what somebody has looked at."""

_FILE_PATH = re.compile(r"(?:/.*)?/api/v1/layers/([0-9a-f-]{36})/file", re.IGNORECASE)
_IS_HELD = """
SELECT EXISTS (SELECT FROM layers WHERE source_type = 'geotiff'
    AND source_addresses(source_config) @> ARRAY[md5(%(url)s::text)])"""
_NO_SUCH = "There is no such raster: no layer has this address, or you may not read it."


@dataclass(frozen=True, slots=True)
class Raster:
    """A raster that the caller may have pictures of."""

    source: Source
    version: str
    """With the source it tells the content; of another server's file for 15 minutes."""
    original: Source | None = None
    """The file that ours was made from, which has the values themselves."""
    is_looked_at: bool = False
    """Whether it is of an address that no layer holds, and nobody has looked at yet."""

    @property
    def is_ours(self) -> bool:
        """Whether it is a file of ours, for readers of its layer alone."""
        return self.source.key is not None


@dataclass(frozen=True, slots=True)
class _FileAddress:
    """An address of a file of a layer."""

    layer_id: uuid.UUID
    ticket: str
    moment: datetime | None


class NotLookedAtError(NotFoundError):
    """Nobody has looked at a raster of another server that no layer holds."""


class Admission:
    """The rasters of one deployment; thread-safe."""

    def __init__(self, kept: KeptResponses, allowed: frozenset[str]) -> None:
        self._kept, self._allowed = kept, allowed

    def raster(self, url: str, *, is_look: bool = False) -> Raster:
        """Return the raster of an address as the caller of the request may see it.

        With `is_look` signed-in users are admitted to addresses that no layer holds, within
        Rate.RASTERS. Raises NotFoundError, of those addresses NotLookedAtError; with `is_look`
        CredentialsError, TooManyRequestsError, and InvalidParameterError for one that is not asked.
        """
        own = _file_address(url)
        with reading(deployment().engine) as connection:
            if own is not None and (found := _file_of_ours(connection, own)) is not None:
                return found
            if _is_of_our_files(url):
                raise NotFoundError(_NO_SUCH)
            is_held = bool(run(connection, _IS_HELD, {"url": url}, prepared=True).scalar())
        is_new = not is_held and not self._has_been_looked_at(url)
        if is_new:
            if not is_look:
                raise NotLookedAtError(_NO_SUCH)
            require_user(principal())
            parse_address(url, self._allowed)
            spend(Rate.RASTERS)
        window = int(datetime.now(UTC).timestamp() // LOOKED_AT.total_seconds())
        return Raster(Source(url=url), f"{url} {window}", is_looked_at=is_new)

    def note_look(self, raster: Raster) -> None:
        """Admit everybody to pictures of a raster that the caller has just looked at, for a while.

        Nothing happens where they were admitted before.
        """
        if raster.is_looked_at:
            self._kept.put(f"raster {raster.source.url}", b"1", LOOKED_AT, LOOKED_AT)

    def _has_been_looked_at(self, url: str) -> bool:
        kept = self._kept.get(f"raster {url}")
        return kept is not None and kept.is_fresh


def raster_of_layer(
    connection: Connection, holder: Principal, layer_id: uuid.UUID, moment: datetime | None = None
) -> Raster:
    """Return the file of a layer of ours: of a moment, or the newest.

    Raises NotFoundError where the principal may not read the layer, or it has no such file.
    """
    row = find_layer(
        *(connection, holder, layer_id, Action.READ_LAYER, file_columns),
        values={"moment": moment},
        all_columns=False,
        source_type="geotiff",
    )
    return raster_of_row(layer_id, row)


def raster_of_row(layer_id: uuid.UUID, row: Row[Any]) -> Raster:
    """Return the file of a layer whose row has `file_columns`; raises NotFoundError without one."""
    if row.raster is None:
        raise NotFoundError(_NO_SUCH)
    key, original_key, changed_at = row.raster
    has_original = original_key.lower().endswith((".tif", ".tiff"))
    return Raster(
        Source(key=key),
        f"{layer_id} {key} {changed_at}",
        Source(key=original_key) if has_original else None,
    )


def file_columns(_: Principal) -> tuple[Any, ...]:
    """Return the columns that `raster_of_row` needs; they bind the file's time as `moment`, None
    for the newest."""
    moment = bindparam("moment", type_=TIMESTAMP(timezone=True))
    file = (
        select(
            func.jsonb_build_array(RasterFile.key, RasterFile.original_key, RasterFile.updated_at)
        )
        .where(RasterFile.layer_id == Layer.id, or_(moment.is_(None), RasterFile.time == moment))
        .order_by(RasterFile.time.desc().nulls_last())
        .limit(1)
        .correlate(Layer)
        .scalar_subquery()
    )
    return (ScalarSelect.label(file, "raster"),)


def _file_of_ours(connection: Connection, address: _FileAddress) -> Raster | None:
    """Return the file at an address of ours; None where the caller may not have it."""
    if address.ticket:
        holder = ticket_holder(connection, address.ticket, RASTER_TICKET, address.layer_id)
    else:
        holder = principal()
    if holder is None:
        return None
    try:
        return raster_of_layer(connection, holder, address.layer_id, address.moment)
    except NotFoundError:
        return None


def _file_address(url: str) -> _FileAddress | None:
    """Return what an address of the form of ours names, on whichever server; None for others."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, strict_parsing=bool(parts.query))
        match = _FILE_PATH.fullmatch(parts.path)
        values = dict(pairs)
        if match is None or len(values) < len(pairs) or values.keys() - {"ticket", "time"}:
            return None
        moment = _moment(values["time"]) if "time" in values else None
        return _FileAddress(uuid.UUID(match[1]), values.get("ticket", ""), moment)
    except (ValueError, OverflowError):
        return None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_of_our_files(url: str) -> bool:
    """Return whether an address is one of a file on this server, well-formed or not."""
    settings = deployment().settings
    ours = {public_origin(), url_origin(request.root_url), url_origin(settings.frontend_url or "")}
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    return _FILE_PATH.fullmatch(path) is not None and url_origin(url) in ours - {None}
