"""CQL2 text, read into the same tree as CQL2 JSON (OGC 21-065r2, annexes B and C).

Every text takes time in proportion to its length and at most MAX_DEPTH levels of the stack.
"""

import re
from typing import Any

from samsyn_model.errors import InvalidParameterError

MAX_DEPTH = 64
"""How deeply the parts of a filter may lie within each other."""

Tree = Any
"""A CQL2 JSON expression: what `json.loads` makes of one."""

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<text>'(?:[^'\\]|''|\\.)*')
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<word>(?:[^\W\d]|:)[\w.:\u00b7\u0300-\u036f\u203f\u2040]*)
    | (?P<sign><>|<=|>=|[-=<>()+*/%^,])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_QUOTE = re.compile(r"''|\\'")
_MAX_DIGITS = 400

_BINDINGS = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">=", "is", "not"), 4),
    **dict.fromkeys(("like", "ilike", "between", "in"), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%", "div"), 6),
    "^": 7,
}
"""How tightly operators hold their operands; one before an operand is below."""
_NEGATION, _SUM, _POWER, _OPERAND = 3, 5, 7, 8
_ADVANCED = ("like", "ilike", "between", "in")
_RESERVED = {"and", "or", "not", "like", "between", "in", "is", "null"}
_GEOMETRIES = {
    "point": ("Point", 0),
    "linestring": ("LineString", 1),
    "polygon": ("Polygon", 2),
    "multipoint": ("MultiPoint", 1),
    "multilinestring": ("MultiLineString", 2),
    "multipolygon": ("MultiPolygon", 3),
}
"""GeoJSON's name for a type of WKT, and how many arrays its positions lie in."""


def is_plain_name(name: str) -> bool:
    """Return whether a property's name can be written without quotes."""
    match = _TOKEN.fullmatch(name)
    is_word = match is not None and match["word"] == name
    return is_word and name.lower() not in {*_RESERVED, *_BINDINGS, "true", "false"}


def parse_text(text: str) -> Tree:
    """Return the tree of a CQL2 text; raises InvalidParameterError, which says where it ends.

    `a ILIKE b`, which the standard does not have, is `CASEI(a) LIKE CASEI(b)`: GDAL writes it.
    """
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._depth = 0
        self._kind = ""
        self._token = ""
        self._start = 0
        self._advance()

    def whole(self) -> Tree:
        tree = self._expression(0)
        if self._kind:
            raise self._fault("an operator or the end")
        return tree

    def _advance(self) -> str:
        """Go to the next token; return the one that was current."""
        passed = self._token
        match = _TOKEN.match(self._text, self._place)
        if match is None:
            self._kind, self._token = "", ""
            self._start = self._place
            rest = self._text[self._place :]
            if rest.strip():
                self._start += len(rest) - len(rest.lstrip())
                raise self._fault("CQL2")
            return passed
        self._kind = match.lastgroup or ""
        self._token = match[self._kind]
        self._start = match.start(self._kind)
        self._place = match.end()
        return passed

    def _fault(self, wanted: str) -> InvalidParameterError:
        found = self._text[self._start : self._start + 20]
        where = f"where {found!r} begins" if found else "at its end"
        return InvalidParameterError(
            f"filter is not CQL2 text: {wanted} is missing {where} (character {self._start + 1})."
        )

    def _is_sign(self, sign: str) -> bool:
        return self._kind == "sign" and self._token == sign

    def _is_word(self, *words: str) -> bool:
        return self._kind == "word" and self._token.lower() in words

    def _expect(self, sign: str) -> None:
        if not self._is_sign(sign):
            raise self._fault(repr(sign))
        self._advance()

    def _expect_word(self, word: str) -> None:
        if not self._is_word(word):
            raise self._fault(word.upper())
        self._advance()

    def _expression(self, binding: int) -> Tree:
        """Read what holds together at least as tightly as `binding`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidParameterError(f"filter is nested more than {MAX_DEPTH} levels deep.")
        tree = self._prefixed()
        while self._kind in {"sign", "word"}:
            operator = self._token.lower()
            if _BINDINGS.get(operator, -1) < binding:
                break
            self._advance()
            tree = self._operation(tree, operator)
        self._depth -= 1
        return tree

    def _prefixed(self) -> Tree:
        if self._is_word("not"):
            self._advance()
            return _call("not", self._expression(_NEGATION))
        if self._is_sign("-") or self._is_sign("+"):
            negative = self._advance() == "-"
            is_number = self._kind == "number"
            operand = self._expression(_OPERAND)
            if not negative:
                return operand
            return -operand if is_number else _call("*", -1, operand)
        return self._operand()

    def _operation(self, left: Tree, operator: str) -> Tree:
        binding = _BINDINGS[operator]
        if operator in {"and", "or"}:
            right = self._expression(binding + 1)
            is_same = isinstance(left, dict) and left.get("op") == operator
            return _call(operator, *(left["args"] if is_same else [left]), right)
        if operator == "^":
            return _call(operator, left, self._expression(_POWER))
        if operator == "is":
            negated = self._is_word("not")
            if negated:
                self._advance()
            self._expect_word("null")
            return _negated(_call("isNull", left), negated)
        if binding > _BINDINGS["="] or operator not in {"not", *_ADVANCED}:
            return _call(operator, left, self._expression(binding + 1))
        negated = operator == "not"
        if negated:
            if not self._is_word(*_ADVANCED):
                raise self._fault("LIKE, BETWEEN or IN")
            operator = self._advance().lower()
        return _negated(self._advanced_comparison(left, operator), negated)

    def _advanced_comparison(self, left: Tree, operator: str) -> Tree:
        if operator == "in":
            return _call("in", left, self._array())
        first = self._expression(_SUM)
        if operator == "like":
            return _call("like", left, first)
        if operator == "ilike":
            return _call("like", _call("casei", left), _call("casei", first))
        self._expect_word("and")
        return _call("between", left, first, self._expression(_SUM))

    def _operand(self) -> Tree:
        if self._kind == "number":
            return _number(self._advance())
        if self._kind == "text":
            return _ESCAPED_QUOTE.sub("'", self._advance()[1:-1])
        if self._kind == "quoted":
            return {"property": self._advance()[1:-1].replace('""', '"')}
        if self._is_sign("("):
            members = self._members()
            return members[0] if len(members) == 1 else members
        if self._kind != "word" or self._token.lower() in _RESERVED:
            raise self._fault("a value")
        return self._named()

    def _named(self) -> Tree:
        name = self._advance()
        word = name.lower()
        if word in {"true", "false"}:
            return word == "true"
        if word in _GEOMETRIES or word == "geometrycollection":
            if self._is_sign("(") or self._is_word("z", "empty"):
                return self._geometry(word)
        elif self._is_sign("(") and word == "bbox":
            return {"bbox": self._bbox()}
        elif self._is_sign("("):
            return self._call_of(name)
        return {"property": name}

    def _call_of(self, name: str) -> Tree:
        word = name.lower()
        arguments = self._members(of_arrays=word.startswith("a_"))
        if word in {"date", "timestamp"} and len(arguments) == 1:
            return {word: arguments[0]}
        return {"interval": arguments} if word == "interval" else _call(name, *arguments)

    def _members(self, *, of_arrays: bool = False) -> list[Tree]:
        """Read what stands in parentheses; with `of_arrays` those within are no mere grouping."""
        self._expect("(")
        members: list[Tree] = []
        while not self._is_sign(")"):
            if members and not self._is_sign(","):
                raise self._fault("',' or ')'")
            if members:
                self._advance()
            is_array = of_arrays and self._is_sign("(")
            members.append(self._members() if is_array else self._expression(0))
        self._advance()
        return members

    def _array(self) -> list[Tree]:
        if not self._is_sign("("):
            raise self._fault("'('")
        return self._members()

    def _geometry(self, word: str) -> Tree:
        if self._is_word("z"):
            self._advance()
        if word == "geometrycollection":
            self._expect("(")
            members = [self._member_geometry()]
            while self._is_sign(","):
                self._advance()
                members.append(self._member_geometry())
            self._expect(")")
            return {"type": "GeometryCollection", "geometries": members}
        kind, nesting = _GEOMETRIES[word]
        return {"type": kind, "coordinates": self._coordinates(nesting, kind)}

    def _member_geometry(self) -> Tree:
        if not self._is_word(*_GEOMETRIES):
            raise self._fault("a geometry")
        return self._geometry(self._advance().lower())

    def _coordinates(self, nesting: int, kind: str) -> list[Any]:
        self._expect("(")
        if nesting == 0:
            coordinates = self._position()
        else:
            coordinates = [self._part(nesting, kind)]
            while self._is_sign(","):
                self._advance()
                coordinates.append(self._part(nesting, kind))
        self._expect(")")
        return coordinates

    def _part(self, nesting: int, kind: str) -> list[Any]:
        if nesting > 1 or (kind == "MultiPoint" and self._is_sign("(")):
            return self._coordinates(nesting - 1, kind)
        return self._position()

    def _position(self) -> list[Any]:
        position = [self._signed_number()]
        while not (self._is_sign(",") or self._is_sign(")")):
            position.append(self._signed_number())
        return position

    def _bbox(self) -> list[Any]:
        self._expect("(")
        numbers = [self._signed_number()]
        while self._is_sign(","):
            self._advance()
            numbers.append(self._signed_number())
        self._expect(")")
        return numbers

    def _signed_number(self) -> int | float:
        negative = self._is_sign("-")
        if negative or self._is_sign("+"):
            self._advance()
        if self._kind != "number":
            raise self._fault("a number")
        number = _number(self._advance())
        return -number if negative else number


def _call(operator: str, *arguments: Tree) -> Tree:
    return {"op": operator, "args": list(arguments)}


def _negated(tree: Tree, negated: bool) -> Tree:
    return _call("not", tree) if negated else tree


def _number(text: str) -> int | float:
    if len(text) > _MAX_DIGITS:
        raise InvalidParameterError(f"filter: a number has at most {_MAX_DIGITS} digits.")
    return int(text) if text.isdecimal() else float(text)
