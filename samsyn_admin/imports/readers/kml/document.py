"""KML read as a stream: its containers, and each placemark as a small tree."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from samsyn_model.errors import UnreadableFileError

_CHUNK = 256 * 1024
_MAX_DEPTH = 100
_CONTAINERS = frozenset({"Document", "Folder"})
_NAMED = [[name] for name in _CONTAINERS]
_TREES = frozenset({"Placemark", "Style", "StyleMap", "Schema"})
_COUNTED = frozenset({"NetworkLink", "GroundOverlay", "ScreenOverlay", "PhotoOverlay", "Tour"})
_DECLARED = re.compile(rb"""^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)["']""")
_HEAD = 256


@dataclass(slots=True)
class Element:
    """An element without its namespace; `text` is its own, without that of its children."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def child(self, name: str) -> "Element | None":
        """Return the first child of this name."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> list["Element"]:
        """Return the children of this name."""
        return [child for child in self.children if child.name == name]

    def value(self, name: str) -> str | None:
        """Return the text of the first child of this name; None for an empty one."""
        child = self.child(name)
        return child.text.strip() or None if child else None


@dataclass(slots=True)
class Container:
    """A document or folder; `parent` is its index among the containers, None for the first."""

    parent: int | None
    name: str = ""


class KMLDocument:
    """The elements of a KML file.

    `open_file` opens it, `path` names it in errors. After `trees` was read to its end `containers`
    has all in their order, and `counts` how often there are elements that are no placemarks.
    """

    def __init__(self, open_file: Callable[[], IO[bytes]], path: object) -> None:
        self._open = open_file
        self._path = path
        self._encoding = self._found_encoding()
        self.containers: list[Container] = []
        self.counts: Counter[str] = Counter()

    @property
    def encoding(self) -> tuple[str, str]:
        """The name of the encoding, and how it was found out."""
        if self._encoding:
            return "Windows-1252", "assumed: the texts are not UTF-8"
        return self._declared or "UTF-8", "the XML declaration"

    def trees(self) -> Iterator[tuple[int, Element]]:
        """Yield the placemarks, styles and schemas, each with the index of its container.

        Raises UnreadableFileError.
        """
        reading = _Reading(self._path)
        self.containers, self.counts = reading.containers, reading.counts
        parser = expat.ParserCreate(self._encoding)
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = reading.start, reading.end
        parser.CharacterDataHandler = reading.characters
        parser.StartDoctypeDeclHandler = reading.refuse_doctype
        try:
            with self._open() as file:
                while chunk := file.read(_CHUNK):
                    parser.Parse(chunk)
                    yield from reading.take()
                parser.Parse(b"", True)
        except (expat.ExpatError, LookupError, ValueError) as error:  # an unknown encoding, too
            raise UnreadableFileError(f"{self._path} is not valid XML: {error}.") from error
        yield from reading.take()

    def _found_encoding(self) -> str | None:
        """Return the encoding where it is not the declared one: Windows-1252 for what is no UTF-8.

        Programs write it below a declaration of UTF-8, or without any.
        """
        with self._open() as file:
            head = file.read(_HEAD)
            declared = _DECLARED.match(head)
            self._declared = declared[1].decode() if declared else None
            if self._declared and self._declared.lower() not in {"utf-8", "utf8"}:
                return None
            if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
                self._declared = "UTF-16"
                return None
            rest = b""
            while chunk := rest + (head or file.read(_CHUNK)):
                is_last = not head and len(chunk) == len(rest)
                head = b""
                try:
                    chunk.decode()
                    rest = b""
                except UnicodeDecodeError as error:
                    if is_last or len(chunk) - error.start > 3:
                        return "windows-1252"
                    rest = chunk[error.start :]
        return None


class _Reading:
    """The state of one reading."""

    def __init__(self, path: object) -> None:
        self._path = path
        self._depth = 0
        self._open_containers: list[int] = []
        self._stack: list[Element] = []
        self._names_container = False
        self._done: list[tuple[int, Element]] = []
        self._parents: list[str] = []
        self.containers: list[Container] = []
        self.counts: Counter[str] = Counter()

    def take(self) -> list[tuple[int, Element]]:
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        plain = name.rpartition(":")[2]
        if not self._depth and plain != "kml":
            raise UnreadableFileError(
                f"{self._path} is not KML: its root element is {name[:100]!r}."
            )
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnreadableFileError(
                f"{self._path} is nested too deeply: KML has at most {_MAX_DEPTH} levels."
            )
        self._parents.append(plain)
        if self._stack:
            element = Element(plain, attributes)
            self._stack[-1].children.append(element)
            self._stack.append(element)
        elif plain in _CONTAINERS:
            parent = self._open_containers[-1] if self._open_containers else None
            self._open_containers.append(len(self.containers))
            self.containers.append(Container(parent))
        elif plain in _TREES:
            self._stack.append(Element(plain, attributes))
        elif plain in _COUNTED:
            self.counts[plain] += 1

    def end(self, name: str) -> None:
        plain = name.rpartition(":")[2]
        self._depth -= 1
        self._parents.pop()
        if self._stack:
            element = self._stack.pop()
            if not self._stack:
                if not self._open_containers:  # a placemark that is the root's only child
                    self._open_containers.append(len(self.containers))
                    self.containers.append(Container(None))
                self._done.append((self._open_containers[-1], element))
        elif plain in _CONTAINERS:
            self._open_containers.pop()

    def characters(self, text: str) -> None:
        if self._stack:
            self._stack[-1].text += text
        elif self._parents[-1] == "name" and self._parents[-2:-1] in _NAMED:
            self.containers[self._open_containers[-1]].name += text

    def refuse_doctype(self, *_: object) -> None:
        raise UnreadableFileError(f"{self._path} is not KML: it has a document type declaration.")
