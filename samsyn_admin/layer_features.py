"""`/api/v1/layers/{id}/features`: the OGC resources of a layer's features under another path."""

from flask import Blueprint

from samsyn_provider.blueprint import item, items
from samsyn_provider.feature_editing import create_item, delete_item, replace_item, update_item
from samsyn_provider.parameters import AREA_PARAMETERS

bp = Blueprint("layer_features", __name__, url_prefix="/api/v1/layers/<collection_id>/features")

bp.add_url_rule("", view_func=items, methods=["GET"], defaults={"relations": AREA_PARAMETERS})
bp.add_url_rule("", view_func=create_item, methods=["POST"])
bp.add_url_rule("/<feature_id>", view_func=item, methods=["GET"])
bp.add_url_rule("/<feature_id>", view_func=replace_item, methods=["PUT"])
bp.add_url_rule("/<feature_id>", view_func=update_item, methods=["PATCH"])
bp.add_url_rule("/<feature_id>", view_func=delete_item, methods=["DELETE"])
