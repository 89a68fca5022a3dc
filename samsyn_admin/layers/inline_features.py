"""The features of layers inside of them: all of a small layer, a picture of a large one."""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import request
from sqlalchemy import Connection, Row

from samsyn_model.database.execution import run
from samsyn_provider.features.pictures import PicturedLayer, layer_picture, picture_size
from samsyn_provider.features.statements import select_feature_collections
from samsyn_provider.http.deployment import deployment

INLINE_SIZE = 2 * 1024 * 1024
"""The maximum size of the GeoJSON in a layer's `source_config` in bytes."""
INLINE_BUDGET = 12 * 1024 * 1024
"""The maximum size of the features of all layers in a response that are whole, in bytes."""
PICTURE_BUDGET = 4 * 1024 * 1024
"""The maximum size of the pictures of all others."""
ALWAYS_WHOLE = INLINE_BUDGET // 1000
"""Up to this size a layer is whole in every list, which has up to 1,000 of them."""


class InlineFeatures(NamedTuple):
    """A layer's features as GeoJSON, or a picture of them."""

    collection: bytes
    is_generalized: bool


def inline_features(
    connection: Connection, rows: Sequence[Row[Any]]
) -> dict[uuid.UUID, InlineFeatures]:
    """Return the features of vector layers by id, for rows of `layer_columns`.

    A row that is repeated is sent, and counts, as many times. One statement, and one for each
    picture that is not cached. The smallest layers are whole, as many as the budget allows; the
    others share that of the pictures.
    """
    max_features = deployment().settings.inline_features
    weights = Counter(row.id for row in rows)
    vector = {
        row.id: row
        for row in rows
        if row.source_type == "vector" and row.source_config.get("gfw4wings") is None
    }
    small = [row.id for row in vector.values() if row.feature_count <= max_features]
    features: dict[uuid.UUID, InlineFeatures] = {}
    if small:
        statement = select_feature_collections(
            small, [weights[key] for key in small], INLINE_SIZE, INLINE_BUDGET
        )
        for row in run(connection, statement.text, statement.values):
            if row.collection is not None:
                features[row.layer_id] = InlineFeatures(row.collection, is_generalized=False)
    large = [row for key, row in vector.items() if key not in features]
    size = picture_size(PICTURE_BUDGET, sum(weights[row.id] for row in large))
    # A writer's version may be undone, and then another state would have the same.
    is_committed = request.method in {"GET", "HEAD"}
    for row in large:
        bounds = None if None in row.edges else row.edges
        layer = PicturedLayer(row.id, row.data_version, row.feature_count, bounds)
        picture = layer_picture(connection, layer, size, is_committed=is_committed)
        features[row.id] = InlineFeatures(picture, is_generalized=True)
    return features
