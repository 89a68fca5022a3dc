"""The faults of an import's features, as JSON and as CSV."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from samsyn_model.features.spreadsheet_csv import FORMULA

COLUMNS = ("layer", "number", "line", "feature_id", "field", "reason")
_BYTE_ORDER_MARK = "\ufeff"
_FORMULA = re.compile(FORMULA)


def faults_as_csv(faults: Sequence[Mapping[str, Any]]) -> str:
    """Return faults as CSV for spreadsheets: texts that could be formulas have an apostrophe."""
    text = io.StringIO(newline="")
    text.write(_BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([[_guarded(fault.get(name)) for name in COLUMNS] for fault in faults])
    return text.getvalue()


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
