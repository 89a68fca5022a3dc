"""What a WMS reports in place of a response: OGC 06-042 and 01-068r3, 6.11 and annex A.3."""

from samsyn_admin.wms.documents.xml import UnreadableXMLError, local_name, parse

_CODES = {
    "InvalidFormat": "the format",
    "InvalidCRS": "the reference system",
    "InvalidSRS": "the reference system",
    "LayerNotDefined": "the layer, which it does not have",
    "LayerNotQueryable": "the layer, which cannot be asked for a place",
    "StyleNotDefined": "the style",
    "InvalidPoint": "the place",
    "InvalidDimensionValue": "the time",
    "MissingDimensionValue": "that there is no time",
    "OperationNotSupported": "what it was asked for",
}


def exception_reason(content: bytes, charset: str | None = None) -> str | None:
    """Return what a report of exceptions says, as the end of a sentence; None where it is none.

    It is made from the codes of the standard: no text of the server's is passed on.
    """
    try:
        root = parse(content, charset)
    except UnreadableXMLError:
        return None
    if local_name(root) not in {"ServiceExceptionReport", "WMTException", "ExceptionReport"}:
        return None
    for element in root.iter():
        code = (element.get("code") or element.get("exceptionCode") or "").strip()
        if code in _CODES:
            return f"reports an error: it does not accept {_CODES[code]}"
    return "reports an error"
