"""The tokenizer of CQL2 text (OGC 21-065r2, annex B)."""

import re

from samsyn_model.errors import InvalidParameterError

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
_MAX_DIGITS = 400


def is_word(text: str) -> bool:
    """Return whether a text is a single word token, as an unquoted name is."""
    match = _TOKEN.fullmatch(text)
    return match is not None and match["word"] == text


class TokenReader:
    """Reads a text token by token; `kind` and `token` are those of the current one.

    Both are empty at the end. Every method raises InvalidParameterError where the text is not CQL2.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._start = 0
        self.kind = ""
        self.token = ""
        self.advance()

    def advance(self) -> str:
        """Go to the next token; return the one that was current."""
        previous = self.token
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            self.kind, self.token = "", ""
            self._start = self._position
            rest = self._text[self._position :]
            if rest.strip():
                self._start += len(rest) - len(rest.lstrip())
                raise self.fault("CQL2")
            return previous
        self.kind = match.lastgroup or ""
        self.token = match[self.kind]
        self._start = match.start(self.kind)
        self._position = match.end()
        return previous

    def fault(self, expected: str) -> InvalidParameterError:
        """Return the error that names the token expected in place of the current one."""
        excerpt = self._text[self._start : self._start + 20]
        where = f"where {excerpt!r} begins" if excerpt else "at its end"
        return InvalidParameterError(
            f"filter is not CQL2 text: {expected} is missing {where} (character {self._start + 1})."
        )

    def is_sign(self, sign: str) -> bool:
        """Return whether the current token is this sign."""
        return self.kind == "sign" and self.token == sign

    def is_word(self, *words: str) -> bool:
        """Return whether the current token is one of these words (in lower case)."""
        return self.kind == "word" and self.token.lower() in words

    def expect(self, sign: str) -> None:
        """Pass a sign."""
        if not self.is_sign(sign):
            raise self.fault(repr(sign))
        self.advance()

    def expect_word(self, word: str) -> None:
        """Pass a word (in lower case)."""
        if not self.is_word(word):
            raise self.fault(word.upper())
        self.advance()

    def number(self) -> int | float:
        """Pass a number and return it; the current token is one."""
        text = self.advance()
        if len(text) > _MAX_DIGITS:
            raise InvalidParameterError(f"filter: a number has at most {_MAX_DIGITS} digits.")
        return int(text) if text.isdecimal() else float(text)

    def signed_number(self) -> int | float:
        """Pass a number with an optional sign, and return it."""
        negative = self.is_sign("-")
        if negative or self.is_sign("+"):
            self.advance()
        if self.kind != "number":
            raise self.fault("a number")
        number = self.number()
        return -number if negative else number
