"""CQL2 text, parsed into the same tree as CQL2 JSON (OGC 21-065r2, annexes B and C).

Parsing takes time in proportion to the text's length and at most MAX_DEPTH levels of recursion.
"""

import re
from typing import Any

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.cql2.checks import error_in_call
from samsyn_provider.cql2.functions import FUNCTIONS
from samsyn_provider.cql2.tokens import TokenReader, is_word
from samsyn_provider.cql2.wkt import GEOMETRY_WORDS, read_bbox, read_geometry

MAX_DEPTH = 64
"""How deep expressions may be nested."""

Tree = Any
"""A CQL2 JSON expression, as `json.loads` returns it."""

_ESCAPED_QUOTE = re.compile(r"''|\\'")
_PRECEDENCES = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">=", "is", "not"), 4),
    **dict.fromkeys(("like", "ilike", "between", "in"), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%", "div"), 6),
    "^": 7,
}
"""The precedence of binary operators; that of prefix operators is below."""
_NEGATION, _SUM, _POWER, _OPERAND = 3, 5, 7, 8
_ADVANCED = ("like", "ilike", "between", "in")
_RESERVED = {"and", "or", "not", "like", "between", "in", "is", "null"}


def is_plain_name(name: str) -> bool:
    """Return whether a property's name can be written without quotes."""
    return is_word(name) and name.lower() not in {*_RESERVED, *_PRECEDENCES, "true", "false"}


def parse_text(text: str) -> Tree:
    """Return the tree of a CQL2 text; raises InvalidParameterError with the position of the error.

    `a ILIKE b`, which is not in the standard but written by GDAL, is `CASEI(a) LIKE CASEI(b)`.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = TokenReader(text)
        self._depth = 0

    def parse(self) -> Tree:
        tree = self._expression(0)
        if self._tokens.kind:
            raise self._tokens.fault("an operator or the end")
        return tree

    def _expression(self, precedence: int) -> Tree:
        """Parse an expression of operators with at least this precedence."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidParameterError(f"filter is nested more than {MAX_DEPTH} levels deep.")
        tree = self._unary()
        while self._tokens.kind in {"sign", "word"}:
            operator = self._tokens.token.lower()
            if _PRECEDENCES.get(operator, -1) < precedence:
                break
            self._tokens.advance()
            tree = self._operation(tree, operator)
        self._depth -= 1
        return tree

    def _unary(self) -> Tree:
        tokens = self._tokens
        if tokens.is_word("not"):
            tokens.advance()
            return _call("not", self._expression(_NEGATION))
        if tokens.is_sign("-") or tokens.is_sign("+"):
            negative = tokens.advance() == "-"
            is_number = tokens.kind == "number"
            operand = self._expression(_OPERAND)
            if not negative:
                return operand
            return -operand if is_number else _call("*", -1, operand)
        return self._operand()

    def _operation(self, left: Tree, operator: str) -> Tree:
        precedence = _PRECEDENCES[operator]
        if operator in {"and", "or"}:
            right = self._expression(precedence + 1)
            is_same = isinstance(left, dict) and left.get("op") == operator
            return _call(operator, *(left["args"] if is_same else [left]), right)
        if operator == "^":
            return _call(operator, left, self._expression(_POWER))
        if operator == "is":
            negated = self._tokens.is_word("not")
            if negated:
                self._tokens.advance()
            self._tokens.expect_word("null")
            return _negated(_call("isNull", left), negated)
        if precedence > _PRECEDENCES["="] or operator not in {"not", *_ADVANCED}:
            return _call(operator, left, self._expression(precedence + 1))
        negated = operator == "not"
        if negated:
            if not self._tokens.is_word(*_ADVANCED):
                raise self._tokens.fault("LIKE, BETWEEN or IN")
            operator = self._tokens.advance().lower()
        return _negated(self._advanced_comparison(left, operator), negated)

    def _advanced_comparison(self, left: Tree, operator: str) -> Tree:
        if operator == "in":
            return _call("in", left, self._array())
        first = self._expression(_SUM)
        if operator == "like":
            return _call("like", left, first)
        if operator == "ilike":
            return _call("like", _call("casei", left), _call("casei", first))
        self._tokens.expect_word("and")
        return _call("between", left, first, self._expression(_SUM))

    def _operand(self) -> Tree:
        tokens = self._tokens
        if tokens.kind == "number":
            return tokens.number()
        if tokens.kind == "text":
            return _ESCAPED_QUOTE.sub("'", tokens.advance()[1:-1])
        if tokens.kind == "quoted":
            return {"property": tokens.advance()[1:-1].replace('""', '"')}
        if tokens.is_sign("("):
            members = self._members()
            return members[0] if len(members) == 1 else members
        if tokens.kind != "word" or tokens.token.lower() in _RESERVED:
            raise tokens.fault("a value")
        return self._name()

    def _name(self) -> Tree:
        tokens = self._tokens
        name = tokens.advance()
        word = name.lower()
        if word in {"true", "false"}:
            return word == "true"
        if word in GEOMETRY_WORDS:
            if tokens.is_sign("(") or tokens.is_word("z", "empty"):
                return read_geometry(tokens, word)
        elif tokens.is_sign("(") and word == "bbox":
            return {"bbox": read_bbox(tokens)}
        elif tokens.is_sign("("):
            return self._function(name)
        return {"property": name}

    def _function(self, name: str) -> Tree:
        word = name.lower()
        try:
            arguments = self._members(of_arrays=word.startswith("a_"))
        except InvalidParameterError as error:
            if word in FUNCTIONS:
                raise error_in_call(FUNCTIONS[word].name, error) from error
            raise
        if word in {"date", "timestamp"} and len(arguments) == 1:
            return {word: arguments[0]}
        return {"interval": arguments} if word == "interval" else _call(name, *arguments)

    def _members(self, *, of_arrays: bool = False) -> list[Tree]:
        """Parse a list in parentheses; nested parentheses are arrays or, by default, groups."""
        tokens = self._tokens
        tokens.expect("(")
        members: list[Tree] = []
        while not tokens.is_sign(")"):
            if members and not tokens.is_sign(","):
                raise tokens.fault("',' or ')'")
            if members:
                tokens.advance()
            is_array = of_arrays and tokens.is_sign("(")
            members.append(self._members() if is_array else self._expression(0))
        tokens.advance()
        return members

    def _array(self) -> list[Tree]:
        if not self._tokens.is_sign("("):
            raise self._tokens.fault("'('")
        return self._members()


def _call(operator: str, *arguments: Tree) -> Tree:
    return {"op": operator, "args": list(arguments)}


def _negated(tree: Tree, negated: bool) -> Tree:
    return _call("not", tree) if negated else tree
