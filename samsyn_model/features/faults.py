"""What is wrong with features on their way into a layer."""

from dataclasses import dataclass, field
from typing import Any

MAX_FAULTS = 1_000
"""So many faults are kept; the others are counted."""


@dataclass(frozen=True, slots=True)
class FeatureFault:
    """Why a feature, or the value of one of its fields, cannot be stored.

    `number` counts the features of the source from 1; `line` is that of a text file, where it has
    lines; `feature_id` the id in the source. Without a `field` the feature as a whole is at fault:
    it is left out where faulty features are skipped. With one, the value is: it becomes null there.
    `id_label` is what the source calls its ids.
    """

    number: int
    reason: str
    field: str | None = None
    feature_id: Any | None = None
    line: int | None = None
    id_label: str = "id"

    def text(self) -> str:
        """Return the fault in a sentence for people: `Feature 7 (fid 12) cannot be stored: …`."""
        source_id = "" if self.feature_id is None else f" ({self.id_label} {self.feature_id})"
        subject = f"Feature {self.number}{source_id}"
        if self.line is not None:
            subject = f"{subject} in line {self.line}"
        if self.field is not None:
            return f"{subject} has a value of {self.field!r} that cannot be stored: {self.reason}"
        return f"{subject} cannot be stored: {self.reason}"

    def label(self) -> str:
        """Return how to name it to people: `Feature 7 (id 12), 'depth'`."""
        source_id = "" if self.feature_id is None else f" (id {self.feature_id})"
        return f"Feature {self.number}{source_id}{f', {self.field!r}' if self.field else ''}"


@dataclass(slots=True)
class FaultLog:
    """The faults of one reading of a source, in its order."""

    count: int = 0
    dropped: int = 0
    """How many of them are of features as a whole."""
    faults: list[FeatureFault] = field(default_factory=list)

    def record(self, fault: FeatureFault) -> None:
        """Count a fault, and keep it if it is one of the first MAX_FAULTS."""
        self.count += 1
        self.dropped += fault.field is None
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)

    def clear(self) -> None:
        """Forget all, before the source is read again."""
        self.count = self.dropped = 0
        self.faults.clear()
