"""Documents of OGC API Tiles: tile matrix sets, lists of tilesets, tilesets, TileJSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from samsyn_provider.collections.collection import Collection
from samsyn_provider.geography.crs import CRS84
from samsyn_provider.geography.extents import around_the_world, centre
from samsyn_provider.http.links import Link, collection_url, link, ogc_url, request_url
from samsyn_provider.http.media_types import HTML, JSON, MVT, TILEJSON
from samsyn_provider.tiles.matrix_sets import (
    MERCATOR_LATITUDE,
    TILE_MATRIX_SETS,
    Edges,
    TileMatrixSet,
)
from samsyn_provider.tiles.tags import VERSION, tiles_version

MAX_ZOOM = 18
"""The highest zoom of TileJSON: its tiles' units are centimetres, and clients overzoom them."""

_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_DIMENSIONS = {"Point": 0, "LineString": 1, "Polygon": 2}
_TILEJSON_TYPES = {"integer": "Number", "number": "Number", "boolean": "Boolean"}


@dataclass(frozen=True, slots=True)
class TiledResource:
    """The resource of a tileset: a collection or a map."""

    title: str
    url: str
    """The URL of the list of its tilesets."""
    geodata: Link | None
    """The link to the collection that the tiles are made from, None for a map."""
    version: str
    """The version of its tiles."""

    def tiles_url(self, grid: TileMatrixSet, place: str) -> str:
        """Return the template of the addresses of tiles in their present version, with the
        variables of `place`."""
        return f"{self.url}/{grid.id}/{place}?f=mvt&{VERSION}={self.version}"


def tiled_collection(collection: Collection) -> TiledResource:
    """Return a collection as the resource of a tileset."""
    url = collection_url(collection.id)
    return TiledResource(
        collection.title,
        f"{url}/tiles",
        link(f"{_REL}/geodata", JSON, collection.title, url),
        tiles_version([collection]),
    )


def tiled_map(map_id: object, title: str, layers: Sequence[Collection]) -> TiledResource:
    """Return a map as the resource of a tileset of these layers."""
    return TiledResource(title, f"{ogc_url()}/maps/{map_id}/tiles", None, tiles_version(layers))


def tile_matrix_sets_document() -> dict[str, Any]:
    """Return the list of tile matrix sets."""
    return {
        "tileMatrixSets": [
            {
                "id": grid.id,
                "title": grid.title,
                "uri": grid.uri,
                "crs": grid.crs,
                "links": [link("self", JSON, grid.title, _grid_url(grid))],
            }
            for grid in TILE_MATRIX_SETS.values()
        ],
        "links": [_self("Tile matrix sets"), _page("Tile matrix sets")],
    }


def tile_matrix_set_document(grid: TileMatrixSet) -> dict[str, Any]:
    """Return the definition of a tile matrix set."""
    return {**grid.document(), "links": [_self(grid.title), _page(grid.title)]}


def tilesets_document(resource: TiledResource) -> dict[str, Any]:
    """Return the list of a resource's tilesets, one for each tile matrix set."""
    title = f"Tilesets of {resource.title}"
    return {
        "tilesets": [
            {
                **_tileset(resource, grid),
                "links": [
                    link(
                        "self", JSON, f"The tileset {grid.id}", f"{resource.url}/{grid.id}?f=json"
                    ),
                    _grid_link(grid),
                    _item_link(resource, grid),
                ],
            }
            for grid in TILE_MATRIX_SETS.values()
        ],
        "links": [_self(title), _page(title)],
    }


def tileset_document(
    resource: TiledResource,
    grid: TileMatrixSet,
    collections: Sequence[Collection],
    bounds: Edges | None,
) -> dict[str, Any]:
    """Return a tileset (Two Dimensional Tile Matrix Set 2.0, clause 8).

    `collections` have their fields; `bounds` is None where no feature has a geometry.
    """
    document = {
        **_tileset(resource, grid),
        "layers": [_layer(collection) for collection in collections],
        "links": _tileset_links(resource, grid),
    }
    if bounds is not None:
        edges = around_the_world(bounds)
        document["boundingBox"] = {
            "lowerLeft": list(edges[:2]),
            "upperRight": list(edges[2:]),
            "crs": CRS84,
        }
        document["tileMatrixSetLimits"] = grid.limits(edges)
    return document


def tilejson_document(
    resource: TiledResource,
    grid: TileMatrixSet,
    collections: Sequence[Collection],
    bounds: Edges | None,
) -> dict[str, Any]:
    """Return a tileset of Web Mercator as TileJSON 3.0; `collections` and `bounds` as above."""
    document: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": resource.title,
        "scheme": "xyz",
        "tiles": [resource.tiles_url(grid, "{z}/{y}/{x}")],
        "minzoom": 0,
        "maxzoom": MAX_ZOOM,
        "vector_layers": [_vector_layer(collection) for collection in collections],
    }
    if bounds is not None:
        edge = MERCATOR_LATITUDE
        west, south, east, north = bounds
        south, north = (max(-edge, min(edge, latitude)) for latitude in (south, north))
        extent = (west, south, east, north)
        document["bounds"] = list(around_the_world(extent))  # they must not cross the antimeridian
        document["center"] = [*centre(extent), 0]
    return document


def _tileset(resource: TiledResource, grid: TileMatrixSet) -> dict[str, Any]:
    return {
        "title": resource.title,
        "dataType": "vector",
        "crs": grid.crs,
        "tileMatrixSetURI": grid.uri,
        "tileMatrixSetId": grid.id,
    }


def _tileset_links(resource: TiledResource, grid: TileMatrixSet) -> list[Link]:
    links = [
        _self(f"The tileset {grid.id}", f="json"),
        _page(f"The tileset {grid.id}"),
        _grid_link(grid),
        _item_link(resource, grid),
    ]
    if grid.is_mercator:
        links.append(link("alternate", TILEJSON, "As TileJSON", request_url(f="tilejson")))
    if resource.geodata:
        links.append(resource.geodata)
    return links


def _layer(collection: Collection) -> dict[str, Any]:
    layer: dict[str, Any] = {
        "id": str(collection.id),
        "title": collection.title,
        "dataType": "vector",
        "propertiesSchema": {
            "type": "object",
            "properties": {
                name: {"title": name, **schema} for name, schema in collection.fields.items()
            },
        },
    }
    if collection.description:
        layer["description"] = collection.description
    dimension = _DIMENSIONS.get((collection.geometry_type or "").removeprefix("Multi"))
    if dimension is not None:
        layer["geometryDimension"] = dimension
    return layer


def _vector_layer(collection: Collection) -> dict[str, Any]:
    return {
        "id": str(collection.id),
        "description": collection.description or collection.title,
        "fields": {
            name: _TILEJSON_TYPES.get(schema["type"], "String")
            for name, schema in collection.fields.items()
        },
        "minzoom": 0,
        "maxzoom": MAX_ZOOM,
    }


def _item_link(resource: TiledResource, grid: TileMatrixSet) -> Link:
    href = resource.tiles_url(grid, "{tileMatrix}/{tileRow}/{tileCol}")
    return {**link("item", MVT, f"Tiles of {resource.title}", href), "templated": True}


def _grid_link(grid: TileMatrixSet) -> Link:
    return link(f"{_REL}/tiling-scheme", JSON, grid.title, _grid_url(grid))


def _grid_url(grid: TileMatrixSet) -> str:
    return f"{ogc_url()}/tileMatrixSets/{grid.id}?f=json"


def _page(title: str) -> Link:
    return link("alternate", HTML, f"{title} as HTML", request_url(f="html"))


def _self(title: str, **changes: str) -> Link:
    return link("self", JSON, title, request_url(**changes))
