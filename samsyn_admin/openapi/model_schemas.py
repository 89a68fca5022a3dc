"""Pydantic models as schemas of OpenAPI 3.0."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

_REFERENCE = "#/components/schemas/{model}"
_DROPPED = frozenset({"title", "$defs"})


def model_schemas(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Return the schemas of models, and of those within them, by their names."""
    schemas = {}
    for model in models:
        model_schema = model.model_json_schema(ref_template=_REFERENCE)
        for name, schema in {**model_schema.get("$defs", {}), model.__name__: model_schema}.items():
            schemas[name] = _converted(schema)
    return schemas


def changed_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a change: any of the model's members, without defaults.

    Read-only members of a response are ignored, so that other members are not excluded.
    """
    schema = model_schemas([model])[model.__name__]
    members = {
        name: {key: value for key, value in member.items() if key != "default"}
        for name, member in schema["properties"].items()
    }
    return {"type": "object", "properties": members}


def _converted(value: Any) -> Any:
    """Return a schema in OpenAPI 3.0, which has no type null and no const."""
    if isinstance(value, list):
        return [_converted(member) for member in value]
    if not isinstance(value, dict):
        return value
    schema = {
        name: {key: _converted(member) for key, member in part.items()}
        if name == "properties"
        else _converted(part)
        for name, part in value.items()
        if name not in _DROPPED
    }
    options = schema.get("anyOf")
    if options and {"type": "null"} in options:
        (option,) = (each for each in options if each != {"type": "null"})
        del schema["anyOf"]
        schema = {**option, **schema, "nullable": True}
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if type(schema.get("exclusiveMaximum")) is int:
        schema["maximum"] = schema.pop("exclusiveMaximum")
        schema["exclusiveMaximum"] = True
    return schema
