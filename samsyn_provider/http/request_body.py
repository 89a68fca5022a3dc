"""JSON request bodies, parsed strictly."""

import json
import math
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from flask import request
from werkzeug.datastructures import MultiDict

from samsyn_model.errors import (
    Fault,
    InvalidBodyError,
    MalformedBodyError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from samsyn_model.properties.validation import text_faults
from samsyn_provider.http.query_string import escape_pluses

MAX_DEPTH = 64
"""How deep arrays and objects may be nested."""
_MAX_PLACE = 200  # characters
_MAX_DIGITS = 10


def read_json(*media_types: str) -> Any:
    """Return the request's body as a JSON value; `media_types` default to `application/json`.

    Raises UnsupportedMediaTypeError for another content type, TooLargeError, MalformedBodyError
    for invalid JSON (so are NaN, Infinity and 1e999) or one nested deeper than MAX_DEPTH,
    InvalidBodyError for text that cannot be stored: NUL characters and halves of surrogate pairs.
    """
    accepted = media_types or ("application/json",)
    if request.mimetype not in accepted:
        raise UnsupportedMediaTypeError(f"Send this as {' or '.join(accepted)}.")
    content = _content()
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_number)
    except RecursionError:
        raise MalformedBodyError("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise MalformedBodyError("The body is not text in UTF-8.") from None
    except ValueError as error:
        raise MalformedBodyError(f"The body is not JSON: {error}.") from None
    _refuse_depth(value)
    # such text needs escapes in JSON: bodies without any are not checked further
    if "\\u" in text:
        refuse(text_faults(value))
    return value


def read_form() -> MultiDict[str, str]:
    """Return the fields of the request's body, a form (`application/x-www-form-urlencoded`).

    Raises TooLargeError, MalformedBodyError for a body that is not text in UTF-8.
    """
    try:
        text = escape_pluses(_content()).decode()
        return MultiDict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise MalformedBodyError("The body is not text in UTF-8.") from None


def _content() -> bytes:
    content = request.get_data()
    # a body without a Content-Length is silently cut off at the limit
    if request.content_length is None and len(content) >= (request.max_content_length or math.inf):
        raise TooLargeError("The body is larger than the server accepts.")
    return content


def refuse(faults: list[Fault]) -> None:
    """Raise InvalidBodyError when there are faults; the first one, in words, is its detail."""
    if faults:
        first = faults[0]
        raise InvalidBodyError(f"{_place(first.pointer)}: {first.detail}", tuple(faults))


def _place(pointer: str) -> str:
    """Return what a JSON pointer names in words: `Feature 7, depth`."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    words: list[str] = []
    if "features" in parts:
        parts = parts[parts.index("features") :]
    while parts:
        part = parts.pop(0)
        if part == "features" and parts and parts[0].isdecimal():
            words.append(f"feature {int(parts.pop(0)) + 1}")
            if parts[:1] == ["properties"]:
                words += parts[1:2]
                break
        elif part == "geometry":
            words.append(part)
            break
        elif part == "properties" and parts:
            words += [part, parts.pop(0)]
        elif part.isdecimal() and len(part) < _MAX_DIGITS:
            words.append(f"number {int(part) + 1}")
        elif part != "source_config":
            words.append(part.replace("_", " "))
    text = ", ".join(words)[:_MAX_PLACE]
    return text[:1].upper() + text[1:] if text else "The body"


def merge_patch(current: Any, patch: Any) -> Any:
    """Return the current value with a JSON merge patch (RFC 7396) applied."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            member
            for container in level
            if type(container) in {dict, list}
            for member in (container.values() if type(container) is dict else container)
            if type(member) is dict or type(member) is list
        ]
        if not level:
            return
    raise MalformedBodyError("The body is nested too deeply.")
