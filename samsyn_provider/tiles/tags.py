"""Entity tags of tiles, under which they are cached too."""

import json
from collections.abc import Sequence
from hashlib import blake2b

from werkzeug.datastructures import MultiDict

from samsyn_provider.collections.collection import Collection
from samsyn_provider.tiles.matrix_sets import Tile

_DRAWING_VERSION = 4
"""To be increased by every change of what a tile contains, so that no cache has older ones."""


def tile_tag(layers: Sequence[Collection], tile: Tile, arguments: MultiDict[str, str]) -> str:
    """Return the entity tag of a tile, from its layers' versions and its parameters.

    A cached tile is out of date when its tag is another.
    """
    parts = [
        _DRAWING_VERSION,
        (tile.grid.id, tile.level, tile.row, tile.col),
        sorted(arguments.items()),
        [(str(layer.id), layer.version) for layer in layers],
    ]
    return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
