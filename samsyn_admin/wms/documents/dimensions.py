"""Dimensions of a layer of a WMS, such as its times: OGC 06-042 annex C, OGC 01-068r3 annex C."""

from dataclasses import dataclass, replace
from typing import Any

from samsyn_admin.wms.documents.xml import text_of

MAX_VALUES = 1_000
"""Values of a dimension; of more, the last ones are told."""
MAX_EXTENT = 200
"""Characters of a value or an interval."""
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension as it is declared: WMS 1.1.1 has its extent in an element of its own."""

    name: str
    units: str | None = None
    extent: str = ""
    """A value, an interval, or the interval of a list, which is what the web app reads; empty where
    it is not known."""
    values: tuple[str, ...] = ()
    """Of a list, the last ones."""
    default: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        members = {"name": self.name, "extent": self.extent, "units": self.units}
        return {**members, "default": self.default, "values": self.values}


def read_dimension(element: Any, declared: dict[str, Dimension]) -> Dimension | None:
    """Return the dimension of a `<Dimension>`, or of an `<Extent>` for one of the `declared`.

    Those are by their names in lower case. None for one without a name.
    """
    name = (element.get("name") or "").strip()[:_MAX_NAME]
    if not name:
        return None
    known = declared.get(name.lower(), Dimension(name))
    units = element.get("units")
    extent, values = _read_extent(text_of(element))
    return replace(
        known,
        units=known.units if units is None else units.strip()[:_MAX_NAME] or None,
        extent=extent or known.extent,
        values=values if extent else known.values,
        default=(element.get("default") or "").strip()[:_MAX_NAME] or known.default,
    )


def _read_extent(text: str) -> tuple[str, tuple[str, ...]]:
    parts = [part for part in map(str.strip, text.split(",")) if part]
    if not parts or max(map(len, parts)) > MAX_EXTENT:
        return "", ()
    return (_whole(parts), tuple(parts[-MAX_VALUES:])) if len(parts) > 1 else (parts[0], ())


def _whole(parts: list[str]) -> str:
    """Return the interval from the first to the last of values and intervals."""
    starts = [part.split("/")[0] for part in parts]
    ends = [part.split("/")[1] if "/" in part else part for part in parts]
    if len({len(text) for text in starts + ends}) == 1:  # of one form: in the order of time
        return f"{min(starts)}/{max(ends)}"
    return f"{starts[0]}/{ends[-1]}"
