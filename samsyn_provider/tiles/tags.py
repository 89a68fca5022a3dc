"""What tells one state of tiles from another: versions in addresses, and entity tags."""

import json
import re
from collections.abc import Sequence
from hashlib import blake2b

from werkzeug.datastructures import MultiDict

from samsyn_model.database.engine import way_of
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.collections.collection import Collection
from samsyn_provider.http.deployment import deployment
from samsyn_provider.tiles.matrix_sets import Tile

VERSION = "v"
"""The parameter with the version of the layers that an address of tiles was made for."""

_DRAWING_VERSION = 4
"""To be increased by every change of what a tile contains, so that no cache has older ones."""
_VERSION_TEXT = re.compile(r"[0-9A-Za-z._-]{1,64}")  # of other releases too


def tiles_version(layers: Sequence[Collection]) -> str:
    """Return the version of all tiles of layers: another one after any change of what they contain.

    `layers` are those that the principal sees, in their order.
    """
    lineage = way_of(deployment().engine).lineage
    parts = [_DRAWING_VERSION, lineage, [(str(layer.id), layer.version) for layer in layers]]
    return blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


def requested_version(arguments: MultiDict[str, str]) -> str | None:
    """Return the version in the address of a request, None without one.

    Raises InvalidParameterError for a text that no version is.
    """
    texts = arguments.getlist(VERSION)
    if not texts:
        return None
    if len(texts) > 1 or not _VERSION_TEXT.fullmatch(texts[0]):
        raise InvalidParameterError(
            f"{VERSION} is the version in an address of tiles, as TileJSON has it."
        )
    return texts[0]


def tile_tag(version: str, tile: Tile, arguments: MultiDict[str, str]) -> str:
    """Return the entity tag of a tile, from its layers' version and its parameters.

    A cached tile is out of date when its tag is another.
    """
    parts = [
        version,
        (tile.grid.id, tile.level, tile.row, tile.col),
        sorted((name, value) for name, value in arguments.items(multi=True) if name != VERSION),
    ]
    return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
