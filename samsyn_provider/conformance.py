"""The conformance classes that `/ogc/conformance` declares."""

from samsyn_provider.versions.collections import CONFORMANCE_CLASSES as VERSIONING_CLASSES

_SPEC = "http://www.opengis.net/spec"
_CQL2_CLASSES = (
    *("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators"),
    *("case-insensitive-comparison", "accent-insensitive-comparison"),
    *("basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions"),
    *("temporal-functions", "array-functions", "property-property", "arithmetic", "functions"),
)
_EDITING_CLASSES = ("create-replace-delete", "update", "optimistic-locking-etags", "features")
# one standard under two URIs: clients check either
_SCHEMAS = (f"{_SPEC}/ogcapi-common-3/1.0", f"{_SPEC}/ogcapi-features-5/1.0")
_SCHEMA_CLASSES = (
    *("schemas", "core-roles-features", "returnables-and-receivables", "queryables", "sortables"),
)
# those of encodings require that styles can be created and replaced
_STYLES_CLASSES = ("core",)
_PROCESSES_CLASSES = (*("core", "ogc-process-description", "json", "oas30", "job-list", "dismiss"),)
_TILES_CLASSES = ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "oas30")
_TILE_MATRIX_SET_CLASSES = (
    *("tilematrixset", "json-tilematrixset", "tilesetmetadata", "json-tilesetmetadata"),
)
CONFORMANCE_CLASSES = (
    f"{_SPEC}/ogcapi-common-1/1.0/conf/core",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/landing-page",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/json",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/html",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/oas30",
    f"{_SPEC}/ogcapi-common-2/1.0/conf/collections",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/core",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/geojson",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/html",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/oas30",
    f"{_SPEC}/ogcapi-features-2/1.0/conf/crs",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/filter",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/features-filter",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/queryables",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    *(f"{_SPEC}/cql2/1.0/conf/{name}" for name in _CQL2_CLASSES),
    *(f"{_SPEC}/ogcapi-features-4/1.0/conf/{name}" for name in _EDITING_CLASSES),
    *(f"{part}/conf/{name}" for part in _SCHEMAS for name in _SCHEMA_CLASSES),
    *(f"{_SPEC}/ogcapi-styles-1/1.0/conf/{name}" for name in _STYLES_CLASSES),
    *(f"{_SPEC}/ogcapi-processes-1/1.0/conf/{name}" for name in _PROCESSES_CLASSES),
    *(f"{_SPEC}/ogcapi-tiles-1/1.0/conf/{name}" for name in _TILES_CLASSES),
    *(f"{_SPEC}/tms/2.0/conf/{name}" for name in _TILE_MATRIX_SET_CLASSES),
    *VERSIONING_CLASSES,
)
"""The conformance classes of this server; `docs/conformance.md` names the test of each."""
