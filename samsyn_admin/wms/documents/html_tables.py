"""Features out of the tables of an HTML page."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

Row = list[tuple[str, bool]]
"""Cells: their text, and whether they are headings."""


def table_features(text: str) -> list[dict[str, Any]] | None:
    """Return the properties of each feature in a page's tables; None where no table is understood.

    A table has either a row of headings, and then a feature a row; or a name and a value a row, and
    is one feature.
    """
    parser = etree.HTMLParser(
        no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8"
    )
    try:
        page = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if page is None:
        return None
    etree.strip_elements(page, "script", "style", with_tail=False)
    tables = [table for table in page.iter("table") if table.find(".//table") is None]
    found = [features for table in tables if (features := _of_table(list(_rows(table))))]
    return [feature for features in found for feature in features] or None


def _rows(table: Any) -> Iterator[Row]:
    for row in table.iter("tr"):
        cells = [
            (" ".join("".join(cell.itertext()).split()), cell.tag == "th")
            for cell in row
            if cell.tag in {"td", "th"}
        ]
        if cells:
            yield cells


def _of_table(rows: list[Row]) -> list[dict[str, Any]]:
    if len(rows) > 1 and all(is_heading for _, is_heading in rows[0]) and len(rows[0]) > 1:
        names = [text for text, _ in rows[0]]
        return [
            {name: text for name, (text, _) in zip(names, row, strict=False) if name}
            for row in rows[1:]
        ]
    if rows and all(len(row) == 2 for row in rows):
        return [{name: value for (name, _), (value, _) in rows if name}]
    return []
