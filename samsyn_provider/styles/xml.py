"""XML documents of styles."""

import re
from xml.etree import ElementTree as ET

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    """Return a new child of an element."""
    return ET.SubElement(parent, tag, attributes)


def text_element(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    """Add a child with a text; characters that XML 1.0 cannot represent become U+FFFD."""
    element(parent, tag, **attributes).text = _NOT_XML.sub("\ufffd", text)


def xml_text(root: ET.Element, doctype: str = "") -> str:
    """Return the document with this root, to be sent in UTF-8."""
    ET.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{declaration}{doctype}{ET.tostring(root, encoding='unicode')}\n"
