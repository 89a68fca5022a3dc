"""SQL statements as values: text and what it binds."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with psycopg's named placeholders, and their values."""

    text: str
    values: dict[str, Any]
    prepared: bool = False
    """Whether one plan of it is good for every layer."""
