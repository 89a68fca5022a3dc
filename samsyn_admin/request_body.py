"""JSON request bodies, read strictly."""

import json
from typing import Any, NoReturn

from flask import request
from pydantic import BaseModel, ValidationError

from samsyn_model.errors import (
    Fault,
    InvalidBodyError,
    MalformedBodyError,
    UnsupportedMediaTypeError,
)

MAX_FAULTS = 100


def read_json(*media_types: str) -> Any:
    """Return the request's body as a JSON value; `application/json` unless others are named.

    Raises UnsupportedMediaTypeError for another content type, MalformedBodyError for a body that
    is no JSON (RFC 8259: NaN and Infinity are none, and no member comes twice).
    """
    accepted = media_types or ("application/json",)
    if request.mimetype not in accepted:
        raise UnsupportedMediaTypeError(f"Send this as {' or '.join(accepted)}.")
    try:
        text = request.get_data().decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_members)
    except RecursionError:
        raise MalformedBodyError("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise MalformedBodyError("The body is not text in UTF-8.") from None
    except ValueError as error:
        raise MalformedBodyError(f"The body is not JSON: {error}.") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} comes twice")
    return members


def validated[Model: BaseModel](model: type[Model], value: Any) -> Model:
    """Return the value as a model.

    Raises InvalidBodyError with a JSON pointer for each member that breaks a rule.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = tuple(
            Fault(pointer(*item["loc"]), _sentence(item["msg"]))
            for item in error.errors()[:MAX_FAULTS]
        )
        raise InvalidBodyError(
            f"{faults[0].pointer or 'The body'}: {faults[0].detail}", faults
        ) from None


def pointer(*path: object) -> str:
    """Return the path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
