"""Request bodies of the management API: strict JSON, validated by a model."""

from typing import Any

from flask import request
from pydantic import BaseModel, ConfigDict, ValidationError

from samsyn_model.errors import Fault, InvalidBodyError
from samsyn_model.properties.validation import MAX_FAULTS, pointer
from samsyn_provider.http.request_body import read_json, refuse

_MESSAGES = {
    "missing": "This is missing.",
    "string_type": "This has to be a text.",
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_parsing_size", "int_from_float"),
        "This has to be a whole number.",
    ),
    **dict.fromkeys(("float_type", "float_parsing"), "This has to be a number."),
    **dict.fromkeys(("bool_type", "bool_parsing"), "This has to be true or false."),
    **dict.fromkeys(("dict_type", "model_type"), "This has to be an object."),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "This has to be a list."),
    **dict.fromkeys(("uuid_type", "uuid_parsing"), "This has to be a UUID."),
    "finite_number": "This has to be a finite number.",
}
"""What pydantic says of a value, by the type of its error, in words for people."""
_PHRASES = {
    "String should have at least 1 character": "This may not be empty",
    "String should have": "This has to have",
    "Input should be greater than or equal to": "This has to be at least",
    "Input should be less than or equal to": "This has to be at most",
    "Input should be": "This has to be",
    "List should have": "This has to have",
    "Tuple should have": "This has to have",
    " after validation": "",
}

__all__ = ["read_json", "refuse", "refuse_content", "sentence", "validated"]


class _Empty(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


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
                Fault(base_pointer + pointer(*item["loc"]), sentence(item))
                for item in errors[:MAX_FAULTS]
            ]
        )
        raise


def sentence(item: Any) -> str:
    """Return what is wrong by an error of pydantic, in a sentence for people."""
    if item["type"] == "extra_forbidden":
        return "There is no such member."
    if item["type"] in _MESSAGES:
        return _MESSAGES[item["type"]]
    message: str = item["msg"].removeprefix("Value error, ")
    for theirs, ours in _PHRASES.items():
        message = message.replace(theirs, ours)
    return message[:1].upper() + message[1:] + ("" if message.endswith(".") else ".")


def refuse_content() -> None:
    """Raise InvalidBodyError unless the request has no body, or an empty JSON object.

    Raises the errors of `read_json` too.
    """
    if request.get_data():
        validated(_Empty, read_json())
