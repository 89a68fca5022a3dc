"""What verifying finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

_TOLD = 100_000  # between two numbers that are told


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
    """What verifying has gone through; `tell` is told in words what comes next, and how many."""

    tell: Callable[[str], None] = lambda _: None

    change_sets: int = 0
    states: int = 0
    pruned: int = 0
    """States that are not kept any more, whose removal the chain has."""
    erased: int = 0
    """Change sets whose message and details have been erased."""

    def add_change_set(self) -> None:
        """Count a change set."""
        self.change_sets += 1
        if self.change_sets % _TOLD == 0:
            self.tell(f"the chain, {self.change_sets:,} change sets so far")

    def add_state(self, layer_id: UUID) -> None:
        """Count a state of a feature of a layer."""
        self.states += 1
        if self.states % _TOLD == 0:
            self.tell(f"layer {layer_id}, {self.states:,} states of all layers so far")
