"""The faults of an import's features, as JSON and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from samsyn_model.features.spreadsheet_csv import BYTE_ORDER_MARK, with_guard

COLUMNS = ("layer", "number", "line", "feature_id", "field", "reason")


def faults_as_csv(faults: Sequence[Mapping[str, Any]]) -> str:
    """Return faults as CSV for spreadsheets: texts that could be formulas have an apostrophe."""
    text = io.StringIO(newline="")
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([[with_guard(fault.get(name)) for name in COLUMNS] for fault in faults])
    return text.getvalue()
