"""The routes of OGC API Tiles, under `/ogc`: vector tiles of a collection, and of a map."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from time import monotonic
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from samsyn_model.database.cancellation import share_time_limit
from samsyn_model.database.execution import run
from samsyn_model.database.statement import Statement
from samsyn_model.database.transactions import caching, reading
from samsyn_model.errors import TooManyRequestsError
from samsyn_model.metrics.counting import count_lookup
from samsyn_model.permissions.actions import Action
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.requested import requested_collection
from samsyn_provider.features.filter_costs import refuse_costly_filter
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import check, count, principal, requires
from samsyn_provider.http.media_types import HTML, JSON, MVT, TILEJSON, negotiate_offered
from samsyn_provider.http.representations import respond
from samsyn_provider.query.parameters import DOCUMENT_PARAMETERS, single_values
from samsyn_provider.rates.rate_limits import Rate
from samsyn_provider.tiles import documents as tile_documents
from samsyn_provider.tiles.documents import TiledResource, tiled_collection, tiled_map
from samsyn_provider.tiles.matrix_sets import (
    EXTENT,
    MARGIN,
    Tile,
    TileMatrixSet,
    find_tile,
    find_tile_matrix_set,
)
from samsyn_provider.tiles.sources import (
    common_bounds,
    find_tiled_map,
    tile_sources,
    with_all_fields,
)
from samsyn_provider.tiles.statements import TileSource, select_bounded_tile, select_small_tile
from samsyn_provider.tiles.tags import requested_version, tile_tag, tiles_version

bp = Blueprint("ogc_tiles", __name__, url_prefix="/ogc")

_WITH_PAGE = {"json": JSON, "html": HTML}
_SHARED_CACHE_THRESHOLD = 0.03  # seconds: slower tiles are cached for all processes
_VERSION_MAX_AGE = 365 * 24 * 60 * 60  # seconds that a browser may cache a version of a tile
_COLLECTION = "/collections/<collection_id>/tiles"
_MAP = "/maps/<map_id>/tiles"
_TILE = "/<tile_matrix_set_id>/<tile_matrix>/<tile_row>/<tile_col>"


@bp.get("/tileMatrixSets")
@requires(Action.READ_PUBLIC)
def tile_matrix_sets() -> Response:
    """Return the tile matrix sets: Two Dimensional Tile Matrix Set 2.0."""
    return _document(_WITH_PAGE, tile_documents.tile_matrix_sets_document(), "tile_matrix_sets")


@bp.get("/tileMatrixSets/<tile_matrix_set_id>")
@requires(Action.READ_PUBLIC)
def tile_matrix_set(tile_matrix_set_id: str) -> Response:
    """Return one tile matrix set."""
    grid = find_tile_matrix_set(tile_matrix_set_id)
    document = tile_documents.tile_matrix_set_document(grid)
    return _document(_WITH_PAGE, document, "tile_matrix_set")


@bp.get(_COLLECTION)
@requires(Action.READ_LAYER)
def collection_tilesets(collection_id: str) -> Response:
    """Return a collection's tilesets: OGC API Tiles Part 1, /req/tilesets-list."""
    with reading(deployment().engine) as connection:
        layer = requested_collection(connection, collection_id)
    resource = tiled_collection(layer)
    document = tile_documents.tilesets_document(resource)
    return _document(_WITH_PAGE, document, "tilesets", resource=resource, collection=layer)


@bp.get(f"{_COLLECTION}/<tile_matrix_set_id>")
@requires(Action.READ_LAYER)
def collection_tileset(collection_id: str, tile_matrix_set_id: str) -> Response:
    """Return a collection's tileset, also as TileJSON: OGC API Tiles Part 1, /req/tileset."""
    with reading(deployment().engine) as connection:
        layer = requested_collection(connection, collection_id)
        grid = find_tile_matrix_set(tile_matrix_set_id)
        return _tileset(connection, tiled_collection(layer), [layer], grid)


@bp.get(f"{_COLLECTION}{_TILE}")
@requires(Action.READ_LAYER)
def collection_tile(
    collection_id: str, tile_matrix_set_id: str, tile_matrix: str, tile_row: str, tile_col: str
) -> Response:
    """Return a tile of a collection: OGC API Tiles Part 1, /req/core/tc-op."""
    with reading(deployment().engine) as connection:
        layer = requested_collection(connection, collection_id)
        grid = find_tile_matrix_set(tile_matrix_set_id)
        tile = find_tile(grid, tile_matrix, tile_row, tile_col)
        negotiate_offered({"mvt": MVT})
        return _tile_response(connection, tile, [layer])


@bp.get(_MAP)
@requires(Action.READ_MAP)
def map_tilesets(map_id: str) -> Response:
    """Return the tilesets of all vector layers of a map that the caller may read."""
    with reading(deployment().engine) as connection:
        tiled = find_tiled_map(connection, principal(), map_id)
    resource = tiled_map(tiled.id, tiled.title, tiled.layers)
    document = tile_documents.tilesets_document(resource)
    return _document(_WITH_PAGE, document, "tilesets", resource=resource)


@bp.get(f"{_MAP}/<tile_matrix_set_id>")
@requires(Action.READ_MAP)
def map_tileset(map_id: str, tile_matrix_set_id: str) -> Response:
    """Return a map's tileset, also as TileJSON."""
    with reading(deployment().engine) as connection:
        tiled = find_tiled_map(connection, principal(), map_id)
        grid = find_tile_matrix_set(tile_matrix_set_id)
        resource = tiled_map(tiled.id, tiled.title, tiled.layers)
        return _tileset(connection, resource, tiled.layers, grid)


@bp.get(f"{_MAP}{_TILE}")
@requires(Action.READ_MAP)
def map_tile(
    map_id: str, tile_matrix_set_id: str, tile_matrix: str, tile_row: str, tile_col: str
) -> Response:
    """Return a tile of a map, with a layer for each vector layer that the caller may read."""
    with reading(deployment().engine) as connection:
        tiled = find_tiled_map(connection, principal(), map_id)
        grid = find_tile_matrix_set(tile_matrix_set_id)
        tile = find_tile(grid, tile_matrix, tile_row, tile_col)
        negotiate_offered({"mvt": MVT})
        return _tile_response(connection, tile, tiled.layers, is_map=True)


def _tileset(
    connection: Connection,
    resource: TiledResource,
    layers: Sequence[Collection],
    grid: TileMatrixSet,
) -> Response:
    # TileJSON describes tiles of Web Mercator only
    media_types = {**_WITH_PAGE, "tilejson": TILEJSON} if grid.is_mercator else _WITH_PAGE
    media_type = negotiate_offered(media_types)
    single_values(request.args, DOCUMENT_PARAMETERS)
    collections = with_all_fields(connection, layers)
    bounds = common_bounds(connection, collections)
    if media_type == TILEJSON:
        document = tile_documents.tilejson_document(resource, grid, collections, bounds)
    else:
        document = tile_documents.tileset_document(resource, grid, collections, bounds)
    return _document(
        *(media_types, document, "tileset"),
        resource=resource,
        tiles=resource.tiles_url(grid, "{z}/{y}/{x}"),
        bounds=bounds,
        is_mercator=grid.is_mercator,
        collection=layers[0] if resource.geodata else None,
    )


def _tile_response(
    connection: Connection, tile: Tile, layers: Sequence[Collection], *, is_map: bool = False
) -> Response:
    """Return a tile: 204 for an empty one, 304 where the client has it already."""
    # of a layer it is the same for whoever may read that: caches need not separate it by cookie
    vary = "Accept, Authorization, Cookie" if is_map else "Accept, Authorization"
    version = tiles_version(layers)
    is_versioned = requested_version(request.args) == version
    tag = tile_tag(version, tile, request.args)
    is_not_modified = request.if_none_match.contains_weak(tag)
    content = deployment().tile_cache.get(tag)
    count_lookup("tiles", is_hit=content is not None)
    if content is None:  # else the parameters were validated when the tile was made
        sources = tile_sources(connection, layers, request.args, is_map=is_map)
        content = b"" if is_not_modified else _make_tile(connection, tile, sources, tag)
    if is_not_modified:
        status = HTTPStatus.NOT_MODIFIED
    else:
        status = HTTPStatus.OK if content else HTTPStatus.NO_CONTENT
    headers = {
        "ETag": f'W/"{tag}"',  # weak: the same tile, compressed or not
        "Vary": vary,
        "Cache-Control": _cache_control(is_versioned=is_versioned),
    }
    return Response(b"" if is_not_modified else content, status, headers, content_type=MVT)


def _cache_control(*, is_versioned: bool) -> str:
    if not principal().is_anonymous:  # whose right to the layer may end
        return "private, no-cache"
    max_age = deployment().settings.public_max_age
    if not is_versioned:
        return f"public, max-age={max_age}"
    # Shared caches ask again in time, since the layer may have been made private. Half of it they
    # may go on with what they have while they do.
    shared = f"s-maxage={max_age - max_age // 2}, stale-while-revalidate={max_age // 2}"
    return f"public, max-age={_VERSION_MAX_AGE}, immutable, {shared}"


def _make_tile(
    connection: Connection, tile: Tile, sources: Sequence[TileSource], tag: str
) -> bytes:
    """Return a tile that this process has not cached; a slow one is cached for all processes.

    Raises TooManyRequestsError where it would have to be made and the caller has had many made.
    """
    cache = deployment().tile_cache
    try:
        check(Rate.TILES)
    except TooManyRequestsError:
        cached = cache.get_from_database(connection, tag)
        if cached is None:
            raise
        return cached
    share_time_limit(deployment().settings.statement_timeout)
    edges = tile.degrees(MARGIN / EXTENT)
    for source in sources:
        refuse_costly_filter(connection, source.layer_id, source.query, edges)
    start = monotonic()
    row = _row(connection, select_small_tile(sources, tile, tag if cache.is_in_database else None))
    was_cached = row.was_cached
    if not was_cached:
        count(Rate.TILES)
    if row.tile is None:
        row = _row(connection, select_bounded_tile(sources, tile))
    content: bytes = row.tile
    if not was_cached and monotonic() - start >= _SHARED_CACHE_THRESHOLD:
        with caching(deployment().engine, connection) as writer:
            cache.put(writer, tag, content)
    cache.put_local(tag, content)
    return content


def _row(connection: Connection, statement: Statement) -> Any:
    prepared = statement.prepared
    return run(
        connection, statement.text, statement.values, prepared=prepared, binary=prepared
    ).one()


def _document(
    media_types: Mapping[str, str], document: Mapping[str, Any], template: str, **context: Any
) -> Response:
    media_type = negotiate_offered(media_types)
    single_values(request.args, DOCUMENT_PARAMETERS)
    return respond(media_type, document, f"ogc/{template}.html", **context)
