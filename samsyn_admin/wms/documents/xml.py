"""XML of other servers, read without entities, document types, files or further requests."""

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal

from lxml import etree

_ENCODINGS = re.compile(r"utf-8|utf-16(-le|-be)?|ascii|iso8859-\d+|cp125\d|koi8-[ru]|utf-8-sig")
_DECLARED = re.compile(rb"""^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
# possessive: a prolog that was made to be slow is no slower
_BLANK = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_DOCTYPE = re.compile(
    rb"""<!DOCTYPE\s++[\w:.-]++(?:\s++(?:SYSTEM|PUBLIC))?+"""
    rb"""(?:\s++(?:"[^"<>]*+"|'[^'<>]*+'))*+\s*+""",
    re.ASCII,
)
_DECLARATIONS = re.compile(
    rb"\[(?:\s++|<!--.*?-->|<!(?:ELEMENT|ATTLIST)\s[^<>%&\]]*+>)*+\]\s*+", re.DOTALL
)
_ROOT = re.compile(rb"<[A-Za-z_:\x80-\xff]")
MAX_ELEMENTS = 400_000
"""Elements of a document that is read."""
_MAX_PROLOG = 64 * 1024
_PART = 256 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Event = tuple[Literal["start", "end"], Any]
"""The start or the end of an element of lxml."""


class UnreadableXMLError(Exception):
    """A text is not the XML that is read; its message says why, in words that end a sentence."""


def local_name(element: Any) -> str:
    """Return the name of an element without its namespace; empty for a comment."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def text_of(element: Any) -> str:
    """Return the text of an element, its blanks at both ends cut."""
    return (element.text or "").strip()


def known_encoding(name: str) -> str | None:
    """Return Python's name of an encoding of texts; None for one that is not read."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return known if _ENCODINGS.fullmatch(known) else None


def events(content: bytes, charset: str | None = None) -> Iterator[Event]:
    """Yield the starts and ends of the elements of a document, as they are parsed.

    `charset` is what the response said of it. A DOCTYPE is skipped unread; one that declares
    entities is refused. Raises UnreadableXMLError.
    """
    parser = etree.XMLPullParser(("start", "end"), **_OPTIONS)
    count = 0
    try:
        for part in chain(_parts(content, charset), (None,)):
            if part is None:
                parser.close()
            else:
                parser.feed(part)
            for event in parser.read_events():
                count += event[0] == "start"
                yield event
            if count > MAX_ELEMENTS:
                raise UnreadableXMLError(f"has more than {MAX_ELEMENTS:,} elements")
    except etree.XMLSyntaxError as error:
        raise UnreadableXMLError("is not well-formed XML") from error


def parse(content: bytes, charset: str | None = None) -> Any:
    """Return the root element of a document; errors as `events`."""
    parser = etree.XMLParser(**_OPTIONS)
    try:
        for part in _parts(content, charset):
            parser.feed(part)
        return parser.close()
    except etree.XMLSyntaxError as error:
        raise UnreadableXMLError("is not well-formed XML") from error


_OPTIONS: dict[str, Any] = {
    "encoding": "utf-8",
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "resolve_entities": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def _parts(content: bytes, charset: str | None) -> Iterator[bytes]:
    """Yield a document in UTF-8 from its root element on."""
    content = _utf8(content, charset)
    view = memoryview(content)
    for start in range(_root(content), len(content), _PART):
        yield bytes(view[start : start + _PART])


def _utf8(content: bytes, charset: str | None) -> bytes:
    """Return a document in UTF-8; its own word for its encoding goes before the response's, which
    servers often say without looking."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decoded(content, encoding)
    declared = _DECLARED.match(content[:400].lstrip())
    name = known_encoding(declared[1].decode("ascii") if declared else charset or "utf-8")
    if name is None:
        raise UnreadableXMLError("is in an encoding that is not read")
    return _decoded(content, name)


def _decoded(content: bytes, encoding: str) -> bytes:
    try:
        if encoding in {"utf-8", "ascii"}:
            return content.removeprefix(codecs.BOM_UTF8)  # the parser finds what is not UTF-8
        return content.decode(encoding).encode()
    except UnicodeError as error:
        raise UnreadableXMLError("is not in the encoding that it names") from error


def _root(content: bytes) -> int:
    """Return where the root element begins, behind the declaration and the document type."""
    head = content[:_MAX_PROLOG]
    place = _end_of(_BLANK, head, 0)
    if head.startswith(b"<!", place):
        place = _end_of(_DOCTYPE, head, place)
        place = _end_of(_DECLARATIONS, head, place)
        if not head.startswith(b">", place):
            raise UnreadableXMLError("has a document type that is not read: one with entities, say")
        place = _end_of(_BLANK, head, place + 1)
    if not _ROOT.match(head, place):
        raise UnreadableXMLError("is not well-formed XML")
    return place


def _end_of(pattern: re.Pattern[bytes], head: bytes, place: int) -> int:
    match = pattern.match(head, place)
    return match.end() if match else place
