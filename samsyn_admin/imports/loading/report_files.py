"""Reports of imports as files: JSON, or the faults as CSV."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samsyn_admin.imports.loading.report import ImportFaults, ImportReport
from samsyn_model.errors import InvalidParameterError
from samsyn_model.features.spreadsheet_csv import FORMULA

_COLUMNS = ("layer", "number", "line", "feature_id", "field", "reason")


def check_suffix(path: Path) -> None:
    """Raise InvalidParameterError where a report's name does not end in `.json` or `.csv`."""
    if path.suffix.lower() not in {".json", ".csv"}:
        raise InvalidParameterError("The name of a report ends in .json or .csv.")


def write_report(path: Path, report: ImportReport | None, faults: ImportFaults) -> None:
    """Write what an import did with its faults, or the faults of one that failed.

    Raises InvalidParameterError where the file cannot be written.
    """
    rows = faults.as_json()
    if path.suffix.lower() == ".csv":
        text = faults_csv(rows)
    else:
        document = {
            **({"import_id": str(report.import_id), **report.as_json()} if report else {}),
            "fault_count": faults.count,
            "faults": rows,
        }
        text = json.dumps(document, indent=1, ensure_ascii=False, default=str)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidParameterError(f"{path} cannot be written: {error.strerror}.") from error


def faults_csv(faults: Sequence[dict[str, Any]]) -> str:
    """Return faults, as the API shows them, as CSV; a spreadsheet takes no text for a formula."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(_COLUMNS)
    for fault in faults:
        values = (fault.get(column) for column in _COLUMNS)
        writer.writerow(_unlike_a_formula(value) for value in values)
    return stream.getvalue()


def _unlike_a_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and re.match(FORMULA, value) else value
