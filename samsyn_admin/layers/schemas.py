"""Request bodies of layers."""

import json
import math
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from samsyn_admin.http.request_body import refuse, validated
from samsyn_admin.http.update_body import same_json
from samsyn_admin.layers.rasters.addresses import ticket_faults
from samsyn_model.database.spatial_ref_sys import epsg_codes_unknown_to_postgis
from samsyn_model.errors import Fault
from samsyn_model.properties.roles import time_field_fault
from samsyn_model.properties.schema import numbered
from samsyn_model.properties.validation import schema_faults
from samsyn_model.tables.layers import GEOMETRY_TYPES
from samsyn_provider.geography.crs import SUPPORTED, epsg_uri, is_offerable

MAX_OBJECT = 256 * 1024
"""The maximum size of a configuration as JSON in bytes, without features."""
MAX_SCHEMA = 256 * 1024
"""The maximum size of a property schema as JSON in bytes."""
_MAX_URL = 4096
COMPUTED = ("geojson", "geojson_generalized", "featureCount", "bounds")
"""Members of a vector layer's `source_config` that are computed from its features."""
WMS_DEFAULTS: dict[str, Any] = {"version": "1.3.0", "format": "image/png", "transparent": True}


def _size(value: dict[str, Any]) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    if _size(value) > MAX_OBJECT:
        raise ValueError(f"This is larger than {MAX_OBJECT // 1024} KiB")
    return value


def _bounded_without_features(value: dict[str, Any]) -> dict[str, Any]:
    _bounded({name: member for name, member in value.items() if name != "geojson"})
    return value


def _bounded_schema(value: dict[str, Any]) -> dict[str, Any]:
    if _size(value) > MAX_SCHEMA:
        raise ValueError(f"This is larger than {MAX_SCHEMA // 1024} KiB")
    return value


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        is_valid = False
    # urlsplit drops line breaks and tabs silently
    if not is_valid or not text.isprintable() or " " in text or len(text) > _MAX_URL:
        raise ValueError("This is not an http(s) URL without credentials")
    return text


def _west_south_east_north(edges: list[float]) -> list[float]:
    if len(edges) != 4 or not all(map(math.isfinite, edges)):
        raise ValueError("This is an array of west, south, east and north")
    if edges[1] > edges[3]:
        raise ValueError("South is above north: the order is west, south, east, north")
    return edges


JsonObject = Annotated[dict[str, Any], AfterValidator(_bounded)]
SourceConfig = Annotated[dict[str, Any], AfterValidator(_bounded_without_features)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Bounds = Annotated[list[float], AfterValidator(_west_south_east_north)]


def _offerable(code: int) -> int:
    if not is_offerable(code):
        raise ValueError("This is not an EPSG code of a two-dimensional CRS")
    if epsg_uri(code) in SUPPORTED:
        raise ValueError("Every layer can be read in this CRS")
    return code


EpsgCode = Annotated[int, Field(ge=1024, le=32767), AfterValidator(_offerable)]


class _Config(BaseModel):
    """The known members of a `source_config`; others are stored unchanged."""

    model_config = ConfigDict(extra="allow", strict=True)

    temporal: bool | None = None


class TimeDimension(BaseModel):
    """The times that a WMS layer offers."""

    model_config = ConfigDict(extra="allow", strict=True)

    extent: str
    default: str | None = None


class WMSConfig(_Config):
    """The source of a WMS layer's images."""

    url: WebAddress
    layers: Annotated[str, Field(min_length=1)]
    version: str = WMS_DEFAULTS["version"]
    format: str = WMS_DEFAULTS["format"]
    transparent: bool = True
    dimensions: dict[str, Any] | None = None
    timeDimension: TimeDimension | None = None  # noqa: N815 - the JSON member's name
    queryable: bool | None = None


class GeoTIFFConfig(_Config):
    """The source of a GeoTIFF layer's raster, and how it is drawn."""

    delivery: Literal["direct", "tiles"] = "direct"
    url: WebAddress | None = None
    cogUrl: WebAddress | None = None  # noqa: N815
    cogUrlTemplate: WebAddress | None = None  # noqa: N815
    tileServer: WebAddress | None = None  # noqa: N815
    bounds: Bounds | None = None
    tileParams: dict[str, Any] | None = None  # noqa: N815
    processing: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> "GeoTIFFConfig":
        if not (self.url or self.cogUrl or self.cogUrlTemplate):
            raise ValueError("A GeoTIFF layer needs at least one of url, cogUrl, cogUrlTemplate")
        return self


class VectorConfig(_Config):
    """The configuration of a vector layer beside its features."""

    gfw4wings: dict[str, Any] | None = None


FISHING_WATCH_TERMS = {
    "attribution": "Powered by Global Fishing Watch. https://globalfishingwatch.org",
    "license": "CC BY-NC 4.0: for non-commercial use",
    "license_url": "https://creativecommons.org/licenses/by-nc/4.0/",
}
"""What the metadata of a layer says of tiles of Global Fishing Watch, unless it says otherwise."""
_CONFIGS: dict[str, type[_Config]] = {
    "wms": WMSConfig,
    "geotiff": GeoTIFFConfig,
    "vector": VectorConfig,
}


class LayerCreate(BaseModel):
    """The body of a request that creates a layer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=255)]
    source_type: Literal["wms", "geotiff", "vector"]
    description: Annotated[str, Field(max_length=100_000)] | None = None
    category: Annotated[str, Field(max_length=100)] | None = None
    editable: Literal["creator-only", "everyone"] = "creator-only"
    is_global: bool = False
    visibility: Literal["private", "public"] = "private"
    creation_source: Literal["layer_creator", "admin_panel", "system"] = "system"
    source_config: SourceConfig = Field(default_factory=dict)
    style_config: JsonObject = Field(default_factory=dict)
    legend_config: JsonObject = Field(default_factory=dict)
    layer_metadata: JsonObject = Field(default_factory=dict)
    property_schema: Annotated[dict[str, Any], AfterValidator(_bounded_schema)] | None = None
    geometry_type: Literal[GEOMETRY_TYPES] | None = None  # type: ignore[valid-type]
    time_field: Annotated[str, Field(max_length=255)] | None = None
    additional_crs: Annotated[list[EpsgCode], Field(max_length=16)] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _other_name_of_metadata(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "metadata" not in value:
            return value
        members = dict(value)
        metadata = members.pop("metadata")
        if members.setdefault("layer_metadata", metadata) != metadata:
            raise ValueError("metadata and layer_metadata are two names of one member")
        return members


def parse_layer(body: Any) -> LayerCreate:
    """Return the layer that a body describes; a WMS configuration gets its defaults, and what is
    drawn from Global Fishing Watch its terms.

    Raises InvalidBodyError with a fault for each member that breaks a rule.
    """
    layer = validated(LayerCreate, body)
    validated(_CONFIGS[layer.source_type], layer.source_config, "/source_config")
    if layer.source_type == "wms":
        layer.source_config = {**WMS_DEFAULTS, **layer.source_config}
    if is_of_fishing_watch(layer):
        layer.layer_metadata = {**FISHING_WATCH_TERMS, **layer.layer_metadata}
    refuse(_vector_faults(layer) if layer.source_type == "vector" else _raster_faults(layer))
    return layer


def number_properties(layer: LayerCreate, stored: dict[str, Any] | None = None) -> None:
    """Keep the order in which a request has the properties of its schema.

    A schema that is equal to the one that is `stored` stays as it is.
    """
    if layer.property_schema is not None and not same_json(layer.property_schema, stored):
        layer.property_schema = numbered(layer.property_schema)


SETTABLE = tuple(LayerCreate.model_fields)
"""The members of a layer that a caller can set, `source_type` only on creation."""


def refuse_unknown_crs(connection: Connection, layer: LayerCreate) -> None:
    """Raise InvalidBodyError for a CRS that PostGIS does not know, or that is listed twice."""
    unknown = epsg_codes_unknown_to_postgis(connection, layer.additional_crs)
    faults = []
    for number, code in enumerate(layer.additional_crs):
        if code in unknown:
            faults.append(Fault(f"/additional_crs/{number}", f"PostGIS does not know EPSG:{code}."))
        elif code in layer.additional_crs[:number]:
            faults.append(Fault(f"/additional_crs/{number}", "This is listed twice."))
    refuse(faults)


def is_of_fishing_watch(layer: LayerCreate) -> bool:
    """Return whether a layer is drawn from tiles of Global Fishing Watch: it holds no features."""
    return layer.source_config.get("gfw4wings") is not None


def _vector_faults(layer: LayerCreate) -> list[Fault]:
    faults = []
    if layer.property_schema is not None:
        faults = schema_faults(layer.property_schema, "/property_schema")
    if not faults and layer.time_field is not None:
        reason = time_field_fault(layer.time_field, layer.property_schema)
        if reason:
            faults.append(Fault("/time_field", reason))
    geojson = layer.source_config.get("geojson")
    if is_of_fishing_watch(layer) and isinstance(geojson, dict) and geojson.get("features"):
        reason = "A layer of Global Fishing Watch has no features."
        faults.append(Fault("/source_config/geojson", reason))
    return faults


def _raster_faults(layer: LayerCreate) -> list[Fault]:
    faults = [
        Fault(f"/{name}", "Only a vector layer has this.")
        for name in ("property_schema", "geometry_type", "time_field", "additional_crs")
        if getattr(layer, name) not in (None, [])
    ]
    if layer.source_config.get("geojson") is not None:
        faults.append(Fault("/source_config/geojson", "Only a vector layer has features."))
    return faults + ticket_faults(layer.source_config)
