"""The roles of properties (`x-ogc-role`): which of them hold the time of a feature.

OGC API Features Part 5 (OGC 23-058r2), /req/core-roles-features.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from samsyn_model.errors import Fault
from samsyn_model.properties.schema import property_members

ROLE = "x-ogc-role"
INSTANT = "primary-instant"
START = "primary-interval-start"
END = "primary-interval-end"
_TEMPORAL = (INSTANT, START, END)
_OURS = ("id", "primary-geometry")


@dataclass(frozen=True, slots=True)
class TemporalProperties:
    """The properties that hold when a feature starts and ends; for an instant they are the same.

    An interval without one of them, in the schema or in a feature, is open on that side.
    """

    start: str | None
    end: str | None

    @property
    def is_instant(self) -> bool:
        """Whether one property holds both."""
        return self.start == self.end


def temporal_properties(
    schema: Mapping[str, Any] | None, time_field: str | None
) -> TemporalProperties | None:
    """Return the properties that hold the time of a layer's features: its time field, or by role.

    None where nothing does.
    """
    if time_field is not None:
        return TemporalProperties(time_field, time_field)
    named = {
        member.get(ROLE): name
        for name, member in property_members(schema).items()
        if isinstance(member.get(ROLE), str)
    }
    if INSTANT in named:
        return TemporalProperties(named[INSTANT], named[INSTANT])
    if START in named or END in named:
        return TemporalProperties(named.get(START), named.get(END))
    return None


def time_field_fault(time_field: str, schema: Mapping[str, Any] | None) -> str | None:
    """Return why a layer cannot take its times from this property, None when it can."""
    if moment_format(property_members(schema).get(time_field)) is None:
        return "This names no text of property_schema whose format is date or date-time."
    times = temporal_properties(schema, None)
    if times is not None and times != TemporalProperties(time_field, time_field):
        return "Another property of property_schema has a temporal role."
    return None


def role_faults(schema: Mapping[str, Any], prefix: str = "") -> Iterator[Fault]:
    """Yield the faults of the roles in a property schema."""
    seen: dict[str, str] = {}
    formats: dict[str, str] = {}
    for name, member in property_members(schema).items():
        if ROLE not in member:
            continue
        role = member[ROLE]
        where = f"{prefix}/properties/{name.replace('~', '~0').replace('/', '~1')}/{ROLE}"
        if not isinstance(role, str):
            yield Fault(where, "A role is a text.")
            continue
        if role in _OURS:
            yield Fault(where, f"No property has the role {role}: that is the feature's own.")
        if role in seen:
            yield Fault(where, f"The property {seen[role]!r} has this role already.")
        seen[role] = name
        form = moment_format(member)
        if role in _TEMPORAL:
            formats[role] = form or ""
            if form is None:
                yield Fault(where, "This role is that of a text whose format is date or date-time.")
        if role == "type" and member.get("type") != "string":
            yield Fault(where, "This role is that of a text.")
    where = f"{prefix}/properties"
    if INSTANT in seen and (START in seen or END in seen):
        yield Fault(where, f"A feature has either a {INSTANT} or an interval.")
    elif len({formats[role] for role in (START, END) if role in formats}) > 1:
        yield Fault(where, "An interval has two dates or two date-times.")


def moment_format(member: Any) -> str | None:
    """Return `date` or `date-time` for the schema of a property that holds those, else None."""
    is_text = isinstance(member, dict) and member.get("type") in ("string", ["string", "null"])
    form = member.get("format") if is_text else None
    return form if form in ("date", "date-time") else None
