"""`/api/v1/openapi.json` and `/api/docs`: the management API's OpenAPI document, and its page."""

import json

from flask import Blueprint, Response, current_app, render_template

from samsyn_admin.openapi.document import api_document, source
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.deployment import public_url
from samsyn_provider.http.guard import requires
from samsyn_provider.http.links import ogc_url
from samsyn_provider.http.representations import as_page

bp = Blueprint("api_definition", __name__, url_prefix="/api")


@bp.get("/v1/openapi.json")
@requires(Action.READ_PUBLIC)
def definition() -> Response:
    """Return the OpenAPI 3.0 document of the management API."""
    document = {**api_document(current_app), "servers": [{"url": public_url()}]}
    return Response(json.dumps(document), mimetype="application/json")


@bp.get("/docs")
@requires(Action.READ_PUBLIC)
def documentation() -> Response:
    """Return a page to browse that document, without resources of other servers."""
    page = render_template(
        "ogc/openapi.html",
        document=source(),
        json_url=f"{public_url()}/api/v1/openapi.json",
        base_url=ogc_url(),
    )
    return as_page(page)
