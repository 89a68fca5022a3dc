"""What all tables have in common: names of constraints, keys, times."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    Index,
    MetaData,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def one_of(column: str, *values: str) -> str:
    """Return the SQL of a check that a column has one of these values."""
    return f"{column} IN ({', '.join(f"'{value}'" for value in values)})"


def text_index(table: str) -> Index:
    """Return the index of trigrams by which a table's names and descriptions are searched."""
    searched = text("(name || ' ' || coalesce(description, '')) gin_trgm_ops")
    return Index(f"ix_{table}_text", searched, postgresql_using="gin")


class Base(DeclarativeBase):
    """Declarative base: every constraint gets a name, every time has a zone."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        int: BigInteger,
    }


class Timestamps:
    """`created_at` and `updated_at`; triggers keep the latter."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=900)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=901)


class Row(Timestamps):
    """What all tables with a UUID key have in common."""

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=func.gen_random_uuid(), sort_order=-1
    )
