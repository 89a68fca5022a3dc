"""The fields of the form on an items page, and the CQL2 conditions that they stand for."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.collections.collection import Collection
from samsyn_provider.cql2.expressions import Kind
from samsyn_provider.cql2.literals import timestamp_literal
from samsyn_provider.cql2.parsing import GEOMETRY, kind_of
from samsyn_provider.cql2.text import Tree, parse_text
from samsyn_provider.query.parameters import typed_value

_MAX_OPTIONS = 200
_MAX_NAMES = 4_000
"""Characters that the names of all inputs take in an address at most: it has a limit of 8,190."""
_INPUTS = {
    Kind.NUMBER: "number",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "datetime-local",
    Kind.TEXT: "text",
}
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?P<seconds>:\d\d(?:\.\d{1,6})?)?")
_UTC = re.compile(r"(?P<local>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z")
_WILDCARD = re.compile(r"([%_\\])")
_UNESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BOUNDS = {">=": "from", "<=": "to"}


@dataclass(frozen=True, slots=True)
class FormField:
    """A property in the form.

    `kind` is `choice` (one of `options`), `text` (contains or is), or the type of the inputs of a
    range: `number`, `date`, `datetime-local`.
    """

    name: str
    title: str
    kind: str
    schema: Mapping[str, Any]
    options: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs."""
        slots = {"choice": ("is",), "text": ("how", "text")}.get(self.kind, ("from", "to"))
        return tuple(f"{slot}.{self.name}" for slot in slots)


def form_fields(collection: Collection) -> list[FormField]:
    """Return the fields of a collection's form, as many as fit an address.

    `collection` has its fields. The property with the time of a feature is left to `datetime`.
    """
    shown: list[FormField] = []
    length = 0
    times = collection.times
    instant = times.start if times and times.is_instant else None
    for name, schema in collection.fields.items():
        field = _field(name, schema)
        if field is None or name == instant:
            continue
        length += sum(len(quote(name)) + 2 for name in field.inputs)
        if length > _MAX_NAMES:
            break
        shown.append(field)
    return shown


def _field(name: str, schema: Mapping[str, Any]) -> FormField | None:
    kind = kind_of(schema)
    title = schema.get("title")
    title = title if isinstance(title, str) and title else name
    if name == GEOMETRY or kind in {Kind.ARRAY, Kind.OBJECT}:
        return None
    if kind is Kind.BOOLEAN:
        return FormField(name, title, "choice", schema, ("true", "false"))
    options = _options(schema.get("enum"))
    if options and kind in {Kind.TEXT, Kind.NUMBER}:
        return FormField(name, title, "choice", schema, options)
    return FormField(name, title, _INPUTS[kind], schema)


def _options(members: object) -> tuple[str, ...]:
    if not isinstance(members, list):
        return ()
    texts = [
        member if isinstance(member, str) else json.dumps(member)
        for member in members
        if isinstance(member, str | int | float) and not isinstance(member, bool) and member != ""
    ]
    return tuple(dict.fromkeys(texts)) if len(texts) <= _MAX_OPTIONS else ()


def equality(name: str, value: Any) -> Tree:
    """Return the condition that a property has a value: a text, a number or a boolean."""
    return _call("=", {"property": name}, value)


def conditions_of(
    fields: Iterable[FormField], values: Mapping[str, str]
) -> tuple[list[Tree], dict[str, str]]:
    """Return the CQL2 conditions of what is in the inputs, and the faults by input.

    `values` are the texts by input; an empty one is no condition.
    """
    trees: list[Tree] = []
    faults: dict[str, str] = {}
    for field in fields:
        first, *others = field.inputs
        if field.kind == "text":
            text = values.get(others[0], "")
            if text:
                trees.append(_text_condition(field.name, values.get(first, ""), text))
            continue
        literals: dict[str, Tree] = {}
        for name in field.inputs:
            text = values.get(name, "").strip()
            if text:
                try:
                    literals[name.partition(".")[0]] = _literal(field, text)
                except InvalidParameterError as error:
                    faults[name] = error.detail
        trees += _range_conditions(field.name, literals)
    return trees, faults


def _text_condition(name: str, how: str, text: str) -> Tree:
    if how == "is":
        return equality(name, text)
    pattern = f"%{_WILDCARD.sub(r'\\\1', text)}%"
    return _call("like", _call("casei", {"property": name}), _call("casei", pattern))


def _range_conditions(name: str, literals: Mapping[str, Tree]) -> list[Tree]:
    start, end = literals.get("from"), literals.get("to")
    exact = literals.get("is", start if start == end else None)
    if exact is not None:
        return [equality(name, exact)]
    bounds = {">=": start, "<=": end}
    return [
        _call(operator, {"property": name}, bound)
        for operator, bound in bounds.items()
        if bound is not None
    ]


def _literal(field: FormField, text: str) -> Tree:
    """Return the literal of what is in an input; raises InvalidParameterError."""
    if field.kind == "datetime-local":
        match = _LOCAL.fullmatch(text)
        moment = f"{text[:10]}T{text[11:]}{'' if match['seconds'] else ':00'}Z" if match else text
        timestamp_literal(moment)
        return {"timestamp": moment}
    value = typed_value(field.name, text, field.schema)
    return {"date": value} if field.kind == "date" else value


def _call(operator: str, *arguments: Tree) -> Tree:
    return {"op": operator, "args": list(arguments)}


def values_of(fields: Iterable[FormField], tree: Tree) -> dict[str, str] | None:
    """Return the texts by input that stand for a filter; None where no inputs can say the same."""
    by_name = {field.name: field for field in fields}
    values: dict[str, str] = {}
    for condition in _conjuncts(tree):
        added = _condition_values(by_name, condition)
        if not added or set(added) & set(values):
            return None
        values |= added
    return values


def _conjuncts(tree: Tree) -> Sequence[Tree]:
    match tree:
        case {"op": "and", "args": [*parts]}:
            return parts
    return [tree]


def _condition_values(fields: Mapping[str, FormField], condition: Tree) -> dict[str, str] | None:
    match condition:
        case {"op": "=" | ">=" | "<=" as operator, "args": [{"property": str(name)}, literal]}:
            field = fields.get(name)
            return _literal_values(field, operator, literal) if field else None
        case {
            "op": "like",
            "args": [
                {"op": "casei", "args": [{"property": str(name)}]},
                {"op": "casei", "args": [str(pattern)]},
            ],
        }:
            text = _UNESCAPED.sub(r"\1", pattern[1:-1])
            field = fields.get(name)
            is_text = field is not None and field.kind == "text"
            if is_text and text and _text_condition(name, "", text) == condition:
                return {f"how.{name}": "contains", f"text.{name}": text}
    return None


def _literal_values(field: FormField, operator: str, literal: Tree) -> dict[str, str] | None:
    if field.kind == "text":
        if operator != "=" or not isinstance(literal, str) or not literal:
            return None
        return {f"how.{field.name}": "is", f"text.{field.name}": literal}
    text = _text_of(literal)
    if field.kind == "choice":
        slots = ["is"] if operator == "=" and text in field.options else []
    else:
        slots = ["from", "to"] if operator == "=" else [_BOUNDS[operator]]
    values = {f"{slot}.{field.name}": text for slot in slots}
    trees, faults = conditions_of([field], values)
    is_same = not faults and trees == [_call(operator, {"property": field.name}, literal)]
    return values if is_same else None


def _text_of(literal: Tree) -> str:
    match literal:
        case {"date": str(text)}:
            return text
        case {"timestamp": str(text)}:
            match = _UTC.fullmatch(text)
            return match["local"] if match else text
        case str():
            return literal
    return json.dumps(literal, ensure_ascii=False, default=str)


def filter_parameters(trees: Sequence[Tree], text: str, language: str) -> dict[str, str]:
    """Return the parameters `filter` and `filter-lang` for all of these conditions.

    `text` is a further condition in `language`, or empty. CQL2 text is written where it can hold
    the values: it has no way to write an apostrophe behind a backslash.
    """
    parts = [part for tree in trees if (part := _cql2_text(tree)) is not None]
    if not trees or (language != "cql2-json" and len(parts) == len(trees)):
        if not text:
            return {"filter": " AND ".join(parts)} if parts else {}
        if trees:
            text = " AND ".join([f"({text})", *parts])
        return {"filter": text} | ({"filter-lang": language} if language == "cql2-json" else {})
    if text:
        try:
            trees = [
                json.loads(text) if language == "cql2-json" else parse_text(text),
                *trees,
            ]
        except (ValueError, RecursionError, InvalidParameterError):
            return {"filter": text, "filter-lang": language}  # where it is read it has a fault
    tree = trees[0] if len(trees) == 1 else _call("and", *trees)
    return {"filter": json.dumps(tree, ensure_ascii=False), "filter-lang": "cql2-json"}


def _cql2_text(tree: Tree) -> str | None:
    """Return a condition of the form as CQL2 text, None where that cannot hold it."""
    left, right = tree["args"]
    text = f"{_operand(left)} {tree['op'].upper()} {_operand(right)}"
    try:
        return text if parse_text(text) == tree else None
    except InvalidParameterError:
        return None


def _operand(tree: Tree) -> str:
    match tree:
        case {"property": str(name)}:
            return '"{}"'.format(name.replace('"', '""'))
        case {"op": str(operator), "args": [argument]}:
            return f"{operator.upper()}({_operand(argument)})"
        case {"date": str(text)}:
            return f"DATE('{text}')"
        case {"timestamp": str(text)}:
            return f"TIMESTAMP('{text}')"
        case str():
            return "'{}'".format(tree.replace("'", "''"))
    return json.dumps(tree)
