"""`/imports`: the page on which files are uploaded, looked at, imported and taken back."""

from typing import get_args

from flask import Blueprint, Response, render_template, request

from samsyn_admin.imports.loading.choices import Colormap
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.browser_session import IMPORTS_PAGE, PAGE_HEADER, session_of_page
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import requires
from samsyn_provider.http.representations import as_page, must_revalidate
from samsyn_provider.query.parameters import single_values

bp = Blueprint("imports_page", __name__, template_folder="../templates")


@bp.get(IMPORTS_PAGE)
@requires(Action.READ_PUBLIC)
def imports_page() -> Response:
    """Render the page: what it shows is read by its script, from the management API."""
    single_values(request.args, ())
    page = render_template(
        "imports.html",
        api_url=f"{public_url()}/api/v1",
        page_header=PAGE_HEADER,
        page_name=IMPORTS_PAGE,
        max_upload=deployment().settings.max_upload,
        colormaps=get_args(Colormap),
        is_signed_in=session_of_page() is not None,
    )
    return must_revalidate(as_page(page))
