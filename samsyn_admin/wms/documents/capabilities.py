"""The capabilities of a WMS 1.1.1 (OGC 01-068r3) or 1.3.0 (OGC 06-042) as JSON."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from samsyn_admin.wms.documents.exceptions import exception_reason
from samsyn_admin.wms.documents.layers import MAX_TEXT, MAX_TITLE, LayerElement, begin_layer
from samsyn_admin.wms.documents.xml import UnreadableXMLError, events, local_name, text_of

MAX_LAYERS = 5_000
"""Layers of a server that are told."""
MAX_SIZE = 16 * 1024 * 1024
"""Bytes of a document that is read, and characters of what is told of its layers."""
MAX_FORMATS = 50
_ROOTS = ("WMS_Capabilities", "WMT_MS_Capabilities")
_json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_SERVICE = {
    "Title": "service_title",
    "Abstract": "service_abstract",
    "ContactOrganization": "service_provider",
    "ContactElectronicMailAddress": "service_contact_email",
    "AccessConstraints": "service_access_constraints",
    "Fees": "service_fees",
}
"""Elements of `<Service>`, and the members that they become."""
_OF_SERVICE = {"Service", "ContactInformation", "ContactPersonPrimary"}
_FORMATS = {"GetMap": "getmap_formats", "GetFeatureInfo": "getfeatureinfo_formats"}


@dataclass(slots=True)
class Capabilities:
    """What a WMS says of itself."""

    version: Literal["1.1.1", "1.3.0"]
    service: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(_SERVICE.values()))
    formats: dict[str, list[str]] = field(
        default_factory=lambda: {name: [] for name in _FORMATS.values()}
    )
    layers: list[str] = field(default_factory=list)
    """Each as JSON."""
    left_out: int = 0
    """How many layers there are besides."""

    @property
    def document(self) -> str:
        """All of it as a JSON object."""
        members: dict[str, Any] = {"version": self.version, **self.service, **self.formats}
        members["layers_left_out"] = self.left_out
        return f'{_json_text(members)[:-1]},"layers":[{",".join(self.layers)}]}}'


def parse_capabilities(content: bytes, charset: str | None = None) -> Capabilities:
    """Return the capabilities of a document; `charset` is what its response said of it.

    Layers past MAX_LAYERS, or whose JSON is longer than MAX_SIZE together, are only counted.
    Raises UnreadableXMLError for what is no such document.
    """
    return _Reader().read(content, charset)


class _Reader:
    def __init__(self) -> None:
        self._capabilities: Capabilities | None = None
        self._layers: list[LayerElement] = []
        self._size = 0

    def read(self, content: bytes, charset: str | None) -> Capabilities:
        for event, element in events(content, charset):
            if self._capabilities is None:
                self._capabilities = Capabilities(_version(content, charset, element))
            if event == "start":
                self._begin(self._capabilities, element)
            else:
                self._end(self._capabilities, element)
        if self._capabilities is None:
            raise UnreadableXMLError("is empty")
        return self._capabilities

    def _begin(self, capabilities: Capabilities, element: Any) -> None:
        if local_name(element) == "Layer":
            parent = self._layers[-1] if self._layers else None
            if parent is not None:
                self._tell(capabilities, parent)
            self._layers.append(begin_layer(element, parent))

    def _end(self, capabilities: Capabilities, element: Any) -> None:
        parent = element.getparent()
        name, parents_name = local_name(element), "" if parent is None else local_name(parent)
        if name == "Layer":
            self._tell(capabilities, self._layers.pop())
        elif parents_name == "Layer":
            self._layers[-1].read(element)
        elif name in _SERVICE and parents_name in _OF_SERVICE:
            length = MAX_TITLE if name in {"Title", "ContactOrganization"} else MAX_TEXT
            capabilities.service[_SERVICE[name]] = text_of(element)[:length] or None
        elif name == "Format" and parents_name in _FORMATS:
            formats = capabilities.formats[_FORMATS[parents_name]]
            if len(formats) < MAX_FORMATS and text_of(element):
                formats.append(text_of(element)[:MAX_TITLE])
        if parents_name in {"Layer", "Capability", "Service", "Request"}:
            element.clear()
            while element.getprevious() is not None:
                del parent[0]

    def _tell(self, capabilities: Capabilities, layer: LayerElement) -> None:
        """Add a layer that has a name, once, before the layers within it."""
        if layer.is_told or not layer.name:
            return
        layer.is_told = True
        if capabilities.left_out or len(capabilities.layers) >= MAX_LAYERS:
            capabilities.left_out += 1
            return
        text = _json_text(layer.document())
        self._size += len(text)
        if self._size > MAX_SIZE:
            capabilities.left_out += 1
        else:
            capabilities.layers.append(text)


def _version(content: bytes, charset: str | None, root: Any) -> Literal["1.1.1", "1.3.0"]:
    """Return which version's rules a document follows, by its root element."""
    name, said = local_name(root), (root.get("version") or "").strip()
    if name not in _ROOTS:
        reason = exception_reason(content, charset) if "Exception" in name else None
        raise UnreadableXMLError(reason or "is not the capabilities of a WMS")
    if said == "1.3.0":
        return "1.3.0"
    if said.startswith("1.1."):
        return "1.1.1"
    raise UnreadableXMLError("is of a version of WMS that is not read: neither 1.1.1 nor 1.3.0")
