"""Bodies of the management API: JSON read strictly, and held to a model."""

from typing import Any

from pydantic import BaseModel, ValidationError

from samsyn_model.errors import Fault, InvalidBodyError
from samsyn_model.properties.validation import MAX_FAULTS, pointer
from samsyn_provider.http.request_body import read_json, refuse

__all__ = ["read_json", "refuse", "validated"]


def validated[Model: BaseModel](model: type[Model], value: Any, place: str = "") -> Model:
    """Return the value, which stands at the JSON pointer `place` of the body, as a model.

    Raises InvalidBodyError with a JSON pointer for each member that breaks a rule.
    """
    if not isinstance(value, dict):
        raise InvalidBodyError(
            "The body has to be a JSON object.", (Fault("", "Expected an object."),)
        )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        refuse(
            [Fault(place + pointer(*item["loc"]), _sentence(item)) for item in found[:MAX_FAULTS]]
        )
        raise


def _sentence(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "There is no such member."
    message: str = item["msg"].removeprefix("Value error, ")
    return message[:1].upper() + message[1:] + ("" if message.endswith(".") else ".")
