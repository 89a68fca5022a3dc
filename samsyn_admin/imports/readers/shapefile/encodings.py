"""How the texts of a shapefile are encoded: what its `.cpg` file or its table says, or is found."""

import codecs
import re
from dataclasses import dataclass

from samsyn_model.errors import InvalidParameterError

UTF_8 = "utf-8"
CP1252 = "cp1252"
_LATIN_1 = "iso8859-1"
_PRINTABLE = bytes(range(32, 127)).replace(b"\\", b"").replace(b"~", b"")
"""ASCII but for two signs, which encodings of Japanese have others for."""
_UNSUITABLE = {"ascii", "utf-7", "hz", "idna", "punycode", "unicode_escape", "raw_unicode_escape"}
_ISO = re.compile(r"(?:iso)?[-_ ]*8859[-_ ]*(\d{1,2})", re.ASCII)
_CODE_PAGE = re.compile(
    r"(?:ansi|oem|cp|windows|win|ibm|ms|dos|code ?page)?[-_ ]*(\d{3,5})", re.ASCII
)
_UTF_8_PAGE = 65001
_ISO_PAGE = 28590
_ISO_PARTS = range(1, 17)

_CODE_PAGES_BY_ID = {
    **dict.fromkeys((0x01, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x15, 0x18, 0x19, 0x1B), "cp437"),
    **dict.fromkeys((0x02, 0x0A, 0x0E, 0x10, 0x12, 0x14, 0x16, 0x1A, 0x1D, 0x25, 0x37), "cp850"),
    **dict.fromkeys((0x03, 0x57, 0x58, 0x59), CP1252),
    **dict.fromkeys((0x08, 0x17, 0x66), "cp865"),
    **dict.fromkeys((0x1F, 0x22, 0x23, 0x40, 0x64, 0x87), "cp852"),
    **dict.fromkeys((0x26, 0x65), "cp866"),
    **dict.fromkeys((0x1C, 0x6C), "cp863"),
    **dict.fromkeys((0x6A, 0x86), "cp737"),
    **dict.fromkeys((0x6B, 0x88), "cp857"),
    **dict.fromkeys((0x13, 0x7B), "cp932"),
    **dict.fromkeys((0x4D, 0x7A), "cp936"),
    **dict.fromkeys((0x4E, 0x79), "cp949"),
    **dict.fromkeys((0x4F, 0x78), "cp950"),
    **dict.fromkeys((0x50, 0x7C), "cp874"),
    **{0x04: "mac-roman", 0x24: "cp860", 0x67: "cp861", 0x7D: "cp1255", 0x7E: "cp1256"},
    **{0x96: "mac-cyrillic", 0x97: "mac-latin2", 0x98: "mac-greek"},
    **{0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253", 0xCC: "cp1257"},
}
"""Encodings by the language driver id in the header of a `.dbf` file."""


@dataclass(frozen=True, slots=True)
class TextBytes:
    """What the bytes of all texts of a table are like, whatever they mean.

    With `is_utf_8` all are UTF-8, of which some are not ASCII; a character may be cut at the end of
    its field. `has_controls` is whether bytes of 0x80 to 0x9F occur, which ISO 8859 does not use.
    """

    is_ascii: bool
    is_utf_8: bool
    has_controls: bool


@dataclass(frozen=True, slots=True)
class FoundEncoding:
    """An encoding that Python's codecs know, how it was found out, and what to tell of it."""

    name: str
    origin: str
    notes: tuple[str, ...] = ()


def find_encoding(
    chosen: str | None, code_page: str | None, language_id: int, texts: TextBytes
) -> FoundEncoding:
    """Return the encoding of a table's texts.

    `chosen` is the user's, `code_page` the content of the `.cpg` file; raises InvalidParameterError
    for one that the user chose and nobody knows.
    """
    if chosen is not None:
        name = encoding_named(chosen)
        if name is None:
            raise InvalidParameterError(
                f"{chosen[:100]!r} is no encoding of a shapefile: name one such as utf-8 or cp1252."
            )
        return FoundEncoding(name, "as chosen")
    notes: tuple[str, ...] = ()
    if code_page is not None and code_page.strip():
        name = encoding_named(code_page)
        if name is not None:
            return _declared(name, "the .cpg file", texts)
        notes = (f"The .cpg file names {code_page.strip()[:50]!r}, which is no known encoding.",)
    name = _CODE_PAGES_BY_ID.get(language_id)
    if name is not None and not texts.is_utf_8:
        found = _declared(name, "the language id of the .dbf file", texts)
        return FoundEncoding(found.name, found.origin, notes)
    if texts.is_ascii:
        return FoundEncoding(UTF_8, "all texts are ASCII", notes)
    if texts.is_utf_8:
        if name is not None:
            notes += (
                f"The header of the .dbf file names {name}, but all texts are valid UTF-8 and were"
                " read as such.",
            )
        return FoundEncoding(UTF_8, "all texts are valid UTF-8", notes)
    return FoundEncoding(CP1252, "assumed: the texts are not UTF-8", notes)


def _declared(name: str, origin: str, texts: TextBytes) -> FoundEncoding:
    if name == _LATIN_1 and texts.has_controls:
        # as in HTML: programs write Windows's characters under this name
        return FoundEncoding(CP1252, f"{origin}, and characters that only Windows-1252 has")
    if texts.is_utf_8 and name != UTF_8:
        note = (
            f"The .cpg file names {name}, but all texts are valid UTF-8: if the samples are not"
            " readable, choose the encoding UTF-8 (--encoding UTF-8)."
        )
        return FoundEncoding(name, origin, (note,))
    return FoundEncoding(name, origin)


def encoding_named(text: str) -> str | None:
    """Return the name in Python of an encoding as a `.cpg` file spells it, or None.

    Encodings of which ASCII is not a part cannot be those of a `.dbf` file, and ASCII itself says
    nothing of other characters.
    """
    plain = text.strip("\ufeff\0 \t\r\n\"'").lower()
    name = plain
    if match := _ISO.fullmatch(plain):
        name = f"iso8859-{match[1]}"
    elif match := _CODE_PAGE.fullmatch(plain):
        page = int(match[1])
        iso_part = page - _ISO_PAGE if page > _ISO_PAGE else page - 88590
        if page == _UTF_8_PAGE:
            name = UTF_8
        elif iso_part in _ISO_PARTS:
            name = f"iso8859-{iso_part}"
        else:
            name = f"cp{page}"
    try:
        known = codecs.lookup(name.replace(" ", "-")).name
        text_of_ascii = _PRINTABLE.decode(known)
    except (LookupError, ValueError):
        return None
    return known if known not in _UNSUITABLE and text_of_ascii.encode() == _PRINTABLE else None
