"""Request bodies of the management API: strict JSON, validated by a model."""

from typing import Any

from pydantic import BaseModel, ValidationError

from samsyn_model.errors import Fault, InvalidBodyError
from samsyn_model.properties.validation import MAX_FAULTS, pointer
from samsyn_provider.http.request_body import read_json, refuse

__all__ = ["read_json", "refuse", "validated"]


def validated[Model: BaseModel](model: type[Model], value: Any, base_pointer: str = "") -> Model:
    """Return the value at the JSON pointer `base_pointer` of the body as a model.

    Raises InvalidBodyError with a JSON pointer for each member that breaks a rule.
    """
    if not isinstance(value, dict):
        raise InvalidBodyError(
            "The body has to be a JSON object.", (Fault("", "Expected an object."),)
        )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        refuse(
            [
                Fault(base_pointer + pointer(*item["loc"]), _sentence(item))
                for item in errors[:MAX_FAULTS]
            ]
        )
        raise


def _sentence(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "There is no such member."
    message: str = item["msg"].removeprefix("Value error, ")
    return message[:1].upper() + message[1:] + ("" if message.endswith(".") else ".")
