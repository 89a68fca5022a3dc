"""What a request may say of a layer."""

import json
from typing import Annotated, Any, Literal

import jsonschema
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic import ValidationError as _ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from samsyn_model.tables import GEOMETRY_TYPES

MAX_CONFIG = 262_144
"""How many bytes of JSON a configuration or a schema may have, features left out."""


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a NUL character cannot be stored")
    return text


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    without_features = {key: member for key, member in value.items() if key != "geojson"}
    try:
        text = json.dumps(without_features)
        text.encode()
    except (RecursionError, UnicodeEncodeError):
        raise ValueError("it is nested too deeply or holds broken text") from None
    if len(text) > MAX_CONFIG:
        raise ValueError(f"it is larger than {MAX_CONFIG:,} bytes")
    if "\\u0000" in text:
        raise ValueError("a NUL character cannot be stored")
    return value


Text = Annotated[str, AfterValidator(_no_nul)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]


class LayerCreate(BaseModel):
    """The body of a request that makes a layer."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(min_length=1, max_length=255)]
    source_type: Literal["wms", "geotiff", "vector"]
    description: Annotated[Text, Field(max_length=100_000)] | None = None
    category: Annotated[Text, Field(max_length=100)] | None = None
    editable: Literal["creator-only", "everyone"] = "creator-only"
    is_global: StrictBool = False
    visibility: Literal["private", "public"] = "private"
    creation_source: Literal["layer_creator", "admin_panel", "system"] = "system"
    source_config: JsonObject = Field(default_factory=dict)
    style_config: JsonObject = Field(default_factory=dict)
    legend_config: JsonObject = Field(default_factory=dict)
    layer_metadata: JsonObject = Field(default_factory=dict)
    property_schema: JsonObject | None = None
    geometry_type: Literal[GEOMETRY_TYPES] | None = None  # type: ignore[valid-type]
    time_field: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _other_name_of_metadata(cls, value: Any) -> Any:
        if isinstance(value, dict) and "metadata" in value and "layer_metadata" not in value:
            value = dict(value)
            value["layer_metadata"] = value.pop("metadata")
        return value

    @model_validator(mode="after")
    def _members_agree(self) -> "LayerCreate":
        problems = [*_source_problems(self), *_schema_problems(self)]
        if problems:
            raise _ValidationError.from_exception_data(
                type(self).__name__,
                [
                    InitErrorDetails(
                        type=PydanticCustomError("rule", "{detail}", {"detail": detail}),
                        loc=path,
                        input=None,
                    )
                    for path, detail in problems
                ],
            )
        return self


type _Problem = tuple[tuple[str | int, ...], str]


def _source_problems(layer: LayerCreate) -> list[_Problem]:
    """Return what is wrong with the source's configuration, by the layer's type."""
    config = layer.source_config
    problems: list[_Problem] = []
    required: tuple[str, ...] = ()
    if layer.source_type == "wms":
        required = ("url", "layers")
    for name in required:
        if not isinstance(config.get(name), str) or not config[name].strip():
            problems.append((("source_config", name), "A WMS layer needs this as text."))
    addresses = ("url", "cogUrl", "cogUrlTemplate", "tileServer")
    if layer.source_type == "geotiff" and not any(config.get(name) for name in addresses[:3]):
        detail = "A GeoTIFF layer needs at least one of url, cogUrl and cogUrlTemplate."
        problems.append((("source_config",), detail))
    if layer.source_type != "vector":
        if "geojson" in config:
            problems.append((("source_config", "geojson"), "Only a vector layer has features."))
        problems += [
            (("source_config", name), "This is no http(s) address without credentials.")
            for name in addresses
            if config.get(name) and not _is_address(config[name])
        ]
        problems += [
            ((name,), "Only a vector layer has this.")
            for name in ("property_schema", "geometry_type", "time_field")
            if getattr(layer, name) is not None
        ]
    return problems


def _is_address(value: object) -> bool:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return False
    authority = value.split("/", 3)[2]
    return bool(authority) and "@" not in authority and not any(c.isspace() for c in value)


def _schema_problems(layer: LayerCreate) -> list[_Problem]:
    """Return what is wrong with the schema of the properties."""
    schema = layer.property_schema
    if schema is None:
        if layer.time_field is None:
            return []
        return [(("time_field",), "This needs a property_schema that has the property.")]
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return [(("property_schema", *error.absolute_path), f"Not a JSON Schema: {error.message}")]
    properties = schema.get("properties", {})
    if schema.get("type", "object") != "object":
        return [(("property_schema", "type"), "The schema is one of an object.")]
    if _remote_references(schema):
        return [(("property_schema",), "A $ref may only lead to a place within the schema.")]
    problems: list[_Problem] = [
        (("property_schema", "properties", name), "This property needs a type.")
        for name, member in properties.items()
        if not isinstance(member, dict) or "type" not in member
    ]
    if layer.time_field is not None:
        member = properties.get(layer.time_field)
        kind = member.get("format") if isinstance(member, dict) else None
        if kind not in {"date", "date-time"}:
            detail = "This names no property of the schema whose format is date or date-time."
            problems.append((("time_field",), detail))
    return problems


def _remote_references(value: Any) -> bool:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            return True
        return any(map(_remote_references, value.values()))
    return isinstance(value, list) and any(map(_remote_references, value))
