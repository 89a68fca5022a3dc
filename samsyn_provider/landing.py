"""The landing page and the conformance declaration (OGC API Common Part 1)."""

from typing import Any

from pygeoapi.api import conformance
from pygeoapi.api import landing_page as pygeoapi_landing_page

from samsyn_provider.conformance import CONFORMANCE_CLASSES
from samsyn_provider.http.links import link, ogc_url
from samsyn_provider.http.media_types import HTML, JSON, OPENAPI
from samsyn_provider.upstream.api import api_for
from samsyn_provider.upstream.deviations import DocumentRequest


def landing_page() -> dict[str, Any]:
    """Return the landing page (OGC API Common Part 1, 9.2)."""
    _, _, document = pygeoapi_landing_page(api_for({}), DocumentRequest())
    base = ogc_url()
    document["links"] = [
        link("service-desc", OPENAPI, "The API definition", f"{base}/openapi?f=json"),
        link("service-doc", HTML, "The API documentation", f"{base}/openapi?f=html"),
        link("conformance", JSON, "Conformance classes", f"{base}/conformance"),
        link("data", JSON, "Collections", f"{base}/collections"),
        # not in the register of link relations, but what GeoServer and ldproxy use
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/functions",
            JSON,
            "Functions of filters",
            f"{base}/functions?f=json",
        ),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes",
            JSON,
            "Tile matrix sets",
            f"{base}/tileMatrixSets?f=json",
        ),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/processes",
            JSON,
            "Processes",
            f"{base}/processes",
        ),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/job-list",
            JSON,
            "Your jobs",
            f"{base}/jobs",
        ),
    ]
    return dict(document)


def conformance_declaration() -> dict[str, Any]:
    """Return the conformance declaration, with SamSyn's classes in place of pygeoapi's."""
    _, _, document = conformance(api_for({}), DocumentRequest())
    return {**document, "conformsTo": list(CONFORMANCE_CLASSES)}
