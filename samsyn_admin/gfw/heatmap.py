"""What may be asked of Global Fishing Watch: a closed vocabulary, of which addresses are made.

Its 4Wings API (https://globalfishingwatch.org/our-apis/documentation) sums hours of presence in
cells of the sea.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from samsyn_model.errors import InvalidParameterError, NotFoundError

PARAMETERS = ("format", "interval", "datasets[0]", "date-range", "filters[0]")
MAX_ZOOM = 12
DATASETS = (
    "public-global-fishing-effort:latest",
    "public-global-presence:latest",
    "public-global-sar-presence:latest",
)
_MAX_DAYS = {"DAY": 366, "MONTH": 10 * 366, "YEAR": 50 * 366}
_FIRST_DAY = date(2012, 1, 1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CONDITION = re.compile(r"\s*(flag|geartype)\s+in\s*\(([^()]{1,400})\)\s*", re.IGNORECASE)
_VALUE = re.compile(r"\s*(['\"])([A-Za-z_]{1,40})\1\s*")
_FLAG = re.compile(r"[A-Z]{3}")
_GEARS = frozenset(
    {
        *("drifting_longlines", "dredge_fishing", "fishing", "fixed_gear", "inconclusive"),
        *("other_fishing", "other_purse_seines", "other_seines", "pole_and_line"),
        *("pots_and_traps", "purse_seines", "seiners", "set_gillnets", "set_longlines"),
        *("squid_jigger", "trawlers", "trollers", "tuna_purse_seines"),
    }
)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A tile's values: of a dataset, in a time, by interval; `filters` is empty for all vessels."""

    dataset: str
    interval: str
    first: date
    last: date
    filters: str = ""

    def address(self, z: int, x: int, y: int) -> str:
        """Return the path and query of a tile; equal ones for requests that mean the same."""
        values = {
            "format": "MVT",
            "interval": self.interval,
            "datasets[0]": self.dataset,
            "date-range": f"{self.first},{self.last}",
        }
        if self.filters:
            values["filters[0]"] = self.filters
        return f"/v3/4wings/tile/heatmap/{z}/{x}/{y}?{urlencode(values)}"

    @property
    def lifetime(self) -> timedelta:
        """How long a tile stays as it is: the month that is not over changes each day."""
        is_over = self.last < datetime.now(UTC).date().replace(day=1)
        return 30 * _DAY if is_over else _DAY


def check_tile(z: int, x: int, y: int) -> None:
    """Raise NotFoundError for a tile that is in no tile matrix."""
    if not 0 <= z <= MAX_ZOOM or not 0 <= x < 1 << z or not 0 <= y < 1 << z:
        raise NotFoundError(f"There is no such tile: zoom is 0 to {MAX_ZOOM}.")


def parse_heatmap(values: Mapping[str, str]) -> Heatmap:
    """Return what the parameters of a tile ask for.

    Raises InvalidParameterError for one that is missing or not of the vocabulary.
    """
    if values.get("format", "MVT") != "MVT":
        raise InvalidParameterError("format is MVT.")
    interval = values.get("interval", "")
    if interval not in _MAX_DAYS:
        raise InvalidParameterError(f"interval is one of {', '.join(_MAX_DAYS)}.")
    dataset = values.get("datasets[0]", "")
    if dataset not in DATASETS:
        raise InvalidParameterError(f"datasets[0] is one of {', '.join(DATASETS)}.")
    first, last = _dates(values.get("date-range", ""))
    if last - first > _MAX_DAYS[interval] * _DAY:
        raise InvalidParameterError(
            f"date-range is at most {_MAX_DAYS[interval]} days with the interval {interval}."
        )
    filters = _filters(values["filters[0]"]) if "filters[0]" in values else ""
    return Heatmap(dataset, interval, first, last, filters)


def _dates(text: str) -> tuple[date, date]:
    parts = text.split(",")
    try:
        if len(parts) != 2 or not all(_DATE.fullmatch(part) for part in parts):
            raise ValueError
        first, last = map(date.fromisoformat, parts)
    except ValueError as error:
        raise InvalidParameterError(
            "date-range is two dates, such as 2024-01-01,2024-12-31."
        ) from error
    if not _FIRST_DAY <= first <= last:
        raise InvalidParameterError(
            f"date-range begins on {_FIRST_DAY} or later, and ends after its beginning."
        )
    return first, last


def _filters(text: str) -> str:
    """Return a filter made anew from its conditions, in one order."""
    conditions = {}
    for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE):
        condition = _CONDITION.fullmatch(part)
        name = condition[1].lower() if condition else ""
        values = _values(name, condition[2]) if condition else None
        if values is None or name in conditions:
            raise InvalidParameterError(
                "filters[0] is of the form flag in ('SWE','DNK') and geartype in ('trawlers')."
            )
        conditions[name] = ",".join(f"'{value}'" for value in sorted(values))
    return " and ".join(f"{name} in ({values})" for name, values in sorted(conditions.items()))


def _values(name: str, text: str) -> set[str] | None:
    """Return the values of a list, None where one is not of the vocabulary."""
    matches = [_VALUE.fullmatch(item) for item in text.split(",")]
    values = {match[2] for match in matches if match}
    is_known = all(
        _FLAG.fullmatch(value) if name == "flag" else value in _GEARS for value in values
    )
    return values if all(matches) and is_known else None
