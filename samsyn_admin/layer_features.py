"""`/api/v1/layers/{id}/features`: the OGC resources of a layer's features under another path."""

from flask import Blueprint

from samsyn_provider.blueprint import item, items
from samsyn_provider.feature_editing import add_editing_rules
from samsyn_provider.parameters import AREA_PARAMETERS

bp = Blueprint("layer_features", __name__, url_prefix="/api/v1/layers/<collection_id>")

bp.add_url_rule(
    "/features",
    view_func=items,
    methods=["GET"],
    defaults={"relations": AREA_PARAMETERS},
    provide_automatic_options=False,
)
bp.add_url_rule(
    "/features/<feature_id>", view_func=item, methods=["GET"], provide_automatic_options=False
)
add_editing_rules(bp, "/features")
