"""The form on an items page: what its inputs hold, and the request for items that it stands for."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.collections.collection import Collection
from samsyn_provider.cql2.text import Tree, parse_text
from samsyn_provider.http.links import collection_url
from samsyn_provider.items.form_fields import (
    FormField,
    conditions_of,
    equality,
    filter_parameters,
    form_fields,
    values_of,
)
from samsyn_provider.query.items_query import DEFAULT_LIMIT, ITEMS_PARAMETERS
from samsyn_provider.query.parameters import typed_value
from samsyn_provider.versions.parameters import VERSION_DATETIME

_PASSED_ON = (
    *("limit", "sortby", "properties", "skipGeometry"),
    *("bbox", "bbox-crs", "filter", "filter-crs", VERSION_DATETIME),
)
FORM_PARAMETERS = frozenset({*_PASSED_ON, "start", "end"})
"""The inputs of every form; the others are those of the properties' fields."""
_VISIBLE = frozenset({"bbox", "filter", "start", "end"})
_OPEN = {"", ".."}
_PARAMETER = re.compile(r"(?<![\w-])(?:bbox|datetime|filter)(?![\w-])")
"""A parameter with an input of its own, in the detail of an error."""
_DATE = re.compile(r"(?:\d{4}-\d\d-\d\d)?")


@dataclass(frozen=True, slots=True)
class ItemsForm:
    """The form as the page has it."""

    action: str
    fields: list[FormField]
    values: Mapping[str, str]
    """The texts by input."""
    has_time: bool
    message: str | None = None
    """Why the request is not valid."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a text, by input."""

    @property
    def hidden(self) -> dict[str, str]:
        """The inputs that are passed on unseen."""
        shown = _VISIBLE.union(*(form_field.inputs for form_field in self.fields))
        return {name: text for name, text in self.values.items() if name not in shown}

    @property
    def is_used(self) -> bool:
        """Whether anything is selected by it."""
        return bool(self.message) or any(
            text
            for name, text in self.values.items()
            if name not in self.hidden and not name.startswith("how.")
        )

    @property
    def time_input(self) -> str:
        """The type of the inputs of time: `date`, or `text` where one holds more than a date."""
        texts = (self.values.get(name, "") for name in ("start", "end"))
        return "date" if all(_DATE.fullmatch(text) for text in texts) else "text"


def make_form(
    collection: Collection,
    values: Mapping[str, str],
    message: str | None = None,
    faults: Mapping[str, str] | None = None,
) -> ItemsForm:
    """Return the form of a collection that has its fields, with these texts by input."""
    faults = dict(faults or {})
    match = _PARAMETER.search(message or "")
    if message and match and not faults:
        faults["start" if match[0] == "datetime" else match[0]] = message
    return ItemsForm(
        f"{collection_url(collection.key)}/form",
        form_fields(collection),
        values,
        has_time=collection.times is not None,
        message=message,
        faults=faults,
    )


def form_values(collection: Collection, arguments: Mapping[str, str]) -> dict[str, str]:
    """Return the texts by input that stand for a request for items, be it valid or not."""
    values = {name: arguments[name] for name in _PASSED_ON if name in arguments}
    if values.get("limit") == str(DEFAULT_LIMIT):
        del values["limit"]
    if "datetime" in arguments:
        start, _, end = arguments["datetime"].partition("/")
        if "/" not in arguments["datetime"]:
            end = start
        values |= {
            name: text for name, text in (("start", start), ("end", end)) if text not in _OPEN
        }
    fields = form_fields(collection)
    text, inputs = arguments.get("filter", ""), _unreadable_values(collection, fields, arguments)
    others = {name: value for name, value in arguments.items() if name != "filter"}
    is_readable = not text or _tree(text) is not None
    combined = combined_filter(collection, arguments if is_readable else others).get("filter", "")
    read = values_of(fields, _tree(combined)) if combined else {}
    if read is None:
        return values | inputs | {"filter": combined}
    return values | inputs | read | {"filter": "" if is_readable else text}


def _unreadable_values(
    collection: Collection, fields: Sequence[FormField], arguments: Mapping[str, str]
) -> dict[str, str]:
    """Return the inputs of the parameters of a property's name that are not of its type."""
    values: dict[str, str] = {}
    for form_field in fields:
        name = form_field.name
        if name in arguments and name not in ITEMS_PARAMETERS:
            try:
                typed_value(name, arguments[name], collection.fields[name])
            except InvalidParameterError:
                values |= dict.fromkeys(form_field.inputs, arguments[name])
    return values


def combined_filter(collection: Collection, arguments: Mapping[str, str]) -> dict[str, str]:
    """Return `filter` and `filter-lang` for all conditions on properties of a request for items.

    Those of a property's own name are part of it, but for objects and arrays.
    """
    trees = []
    for name, text in arguments.items():
        if name in collection.fields and name not in ITEMS_PARAMETERS:
            try:
                value = typed_value(name, text, collection.fields[name])
            except InvalidParameterError:
                continue
            if not isinstance(value, dict | list):
                is_date = collection.fields[name].get("format") == "date"
                trees.append(equality(name, {"date": value} if is_date else value))
    return filter_parameters(trees, arguments.get("filter", ""), arguments.get("filter-lang", ""))


def items_arguments(
    collection: Collection, values: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parameters of the request for items that a form stands for, and its faults by
    input."""
    conditions, faults = conditions_of(form_fields(collection), values)
    arguments = {name: values[name] for name in _PASSED_ON if values.get(name, "").strip()}
    for name, needed in (("bbox-crs", "bbox"), ("filter-crs", "filter")):
        if needed not in arguments:
            arguments.pop(name, None)
    text = arguments.pop("filter", "")
    if text:
        try:
            _parse(text)
        except InvalidParameterError as error:
            faults["filter"] = error.detail
    arguments |= filter_parameters(conditions, text, "cql2-json" if _is_json(text) else "")
    start, end = (values.get(name, "").strip() for name in ("start", "end"))
    if start or end:
        arguments["datetime"] = start if start == end else f"{start or '..'}/{end or '..'}"
    return arguments, faults


def _tree(text: str) -> Tree:
    """Return the tree of a filter, None where it has none."""
    try:
        return _parse(text)
    except InvalidParameterError:
        return None


def _is_json(text: str) -> bool:
    """Return whether a filter is CQL2 JSON: no CQL2 text starts with a brace."""
    return text.lstrip().startswith("{")


def _parse(text: str) -> Tree:
    if not _is_json(text):
        return parse_text(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameterError("filter is not JSON.") from None
