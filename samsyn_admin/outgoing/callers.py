"""For whom another server is asked."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what their requests are counted by, and what counts one that is not kept."""

    key: str
    spend: Callable[[], None]
    """Raises TooManyRequestsError."""
