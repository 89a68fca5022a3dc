"""What a query reads in place of the present features of a layer: their versions, or comments."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class VersionSet:
    """Versions of features that a query reads in place of the present ones, or comments.

    The relations are SQL: subqueries with the columns of `layer_features` that queries use, and, of
    versions, the moments `valid_from` and `valid_to`, null where one is valid still.
    """

    relation: str
    """The versions, in no order."""
    ordered: str
    """The same in the order of ids, for a page; where the query has no conditions it binds `limit`
    and `offset`."""
    following: str
    """The same after an id that the SQL binds as `after_id`."""
    bound: tuple[tuple[str, Any], ...]
    count: int | None = None
    """The number of these versions, None where it is not known."""
    is_history: bool = False
    """Whether there may be several versions of a feature."""
    is_small: bool = False
    """Whether there are so few that they are counted with every page; they are comments."""
    time_member: str | None = "time"
    """The member of a GeoJSON feature that has its validity, None for none."""
    items_url: str | None = None
    """Where each version has an id of its own in a response, and a link to its feature: the address
    of the items. Else it has the id of its feature."""

    @property
    def values(self) -> dict[str, Any]:
        """The values that the SQL binds, beside the layer's id as `layer`."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in self.bound}


def relation_of(versions: VersionSet | None) -> str:
    """Return the SQL of what a query reads, by the name `layer_features`."""
    return "layer_features" if versions is None else f"{versions.relation} AS layer_features"


def version_columns(versions: VersionSet | None) -> str:
    """Return the columns, after others, that features of these versions are serialized from."""
    return "" if versions is None or versions.is_small else ", valid_from, valid_to"
