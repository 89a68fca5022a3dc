"""Responses of other servers, and how often those were asked."""

from datetime import date, datetime

from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base


class KeptResponse(Base):
    """A response by the hash of its request: `samsyn_admin.outgoing.kept_responses`."""

    __tablename__ = "kept_responses"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    content: Mapped[bytes]
    fresh_until: Mapped[datetime]
    kept_until: Mapped[datetime] = mapped_column(index=True)


class DailyCalls(Base):
    """How often another server was asked on a day of UTC."""

    __tablename__ = "daily_calls"

    server: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    calls: Mapped[int]
