"""`/api/v1/layers/{id}/features`: the OGC resources of a layer's features under another path."""

from flask import Blueprint

from samsyn_provider.items.editing import add_editing_rules
from samsyn_provider.items.reading import add_reading_rules
from samsyn_provider.query.items_query import AREA_PARAMETERS

bp = Blueprint("layer_features", __name__, url_prefix="/api/v1/layers/<collection_id>")

add_reading_rules(bp, "/features", AREA_PARAMETERS)
add_editing_rules(bp, "/features")
