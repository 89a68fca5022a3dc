"""What verifying finds."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was when it was sealed."""

    kind: Literal["altered", "missing", "added"]
    what: str
    change_set_id: int | None = None
    layer_id: UUID | None = None
    feature_id: int | None = None

    def __str__(self) -> str:
        """Return it as a line for people."""
        places = (
            ("change set", self.change_set_id),
            ("layer", self.layer_id),
            ("feature", self.feature_id),
        )
        named = ", ".join(f"{name} {value}" for name, value in places if value is not None)
        return f"{self.kind}: {self.what}{f' ({named})' if named else ''}"


@dataclass(slots=True)
class Tally:
    """What verifying has gone through."""

    change_sets: int = 0
    states: int = 0
    pruned: int = 0
    """States that are not kept any more, whose removal the chain has."""
    erased: int = 0
    """Change sets whose message and details have been erased."""
