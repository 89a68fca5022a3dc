"""A feature's properties against its layer's schema."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema
from jsonschema.protocols import Validator

from samsyn_model.errors import Fault


def property_faults(properties: Any, schema: str | None, pointer: str = "") -> Iterator[Fault]:
    """Yield what is wrong with a feature's properties; null stands for none.

    `schema` is the layer's property schema as JSON text, None where anything goes. A property
    whose value is null counts as absent, as in the files that layers come from.
    """
    if properties is None:
        properties = {}
    if not isinstance(properties, dict):
        yield Fault(pointer, "Properties are an object or null.")
        return
    if "\\u0000" in json.dumps(properties):
        yield Fault(pointer, "A NUL character cannot be stored.")
    if schema is None:
        return
    present = {name: value for name, value in properties.items() if value is not None}
    for error in _validator(schema).iter_errors(present):
        path = "".join(
            "/" + str(part).replace("~", "~0").replace("/", "~1") for part in error.absolute_path
        )
        yield Fault(pointer + path, error.message)


@lru_cache(maxsize=64)
def _validator(schema: str) -> Validator:
    kind = jsonschema.Draft202012Validator
    return kind(json.loads(schema), format_checker=kind.FORMAT_CHECKER)
