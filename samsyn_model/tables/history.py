"""What has been changed: by whom, in which transaction, and what was there before.

`docs/decisions/history.md` describes how the database keeps it, and what an order of times and of
numbers is worth; `docs/decisions/audit.md` what the seals are for.
"""

import uuid
from datetime import date, datetime
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, one_of

SUBJECT_KINDS = (
    *("layer", "map", "map_layer", "collaborator", "comment", "token", "import"),
    *("user", "wms_server"),
)
"""Of a user it is recorded whether they are an administrator."""

SPAN = "int8range(LEAST(from_change, to_change), GREATEST(from_change, to_change), '[]')"
"""The numbers of change sets that a version spans: a transaction may replace what one with a
greater number has made, which was committed before it."""


class ChangeSet(Base):
    """A transaction that changed something: the root of all history."""

    __tablename__ = "change_sets"
    __table_args__ = (
        CheckConstraint(
            one_of("via", "web", "ogc", "import", "restore", "undo", "job", "command", "database"),
            name="via",
        ),
        Index("ix_change_sets_user_id_id", "user_id", "id"),
        Index("ix_change_sets_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[uuid.UUID | None]
    """Who; without a foreign key, whose check would lock the user's row in every transaction."""
    via: Mapped[str]
    """By which way: `database` is SQL that none of our programs sent."""
    request_id: Mapped[str | None]
    message: Mapped[str | None]
    """What it was done for, in a sentence for people."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """When the transaction changed something for the first time, which is before its end."""


class SubjectChange(Base):
    """A change of something that is not a feature."""

    __tablename__ = "subject_changes"
    __table_args__ = (
        CheckConstraint(one_of("kind", *SUBJECT_KINDS), name="kind"),
        CheckConstraint(one_of("action", "create", "update", "delete"), name="action"),
        *(
            Index(
                f"ix_subject_changes_{column}",
                *(column, "change_set_id"),
                postgresql_where=text(f"{column} IS NOT NULL"),
            )
            for column in ("map_id", "layer_id")
        ),
        Index(
            "ix_subject_changes_layer_alone",
            *("layer_id", "change_set_id"),
            postgresql_where=text("map_id IS NULL AND layer_id IS NOT NULL"),
        ),
    )

    change_set_id: Mapped[int] = mapped_column(
        ForeignKey("change_sets.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    action: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    map_id: Mapped[uuid.UUID | None]
    layer_id: Mapped[uuid.UUID | None]
    details: Mapped[dict[str, Any]]
    """`changed`: names of members; `old` and `new`: the values of those that are short and no
    secret."""


class LayerChangeSet(Base):
    """What a transaction did to a layer's features; written when it is committed."""

    __tablename__ = "layer_change_sets"
    __table_args__ = (
        Index("uq_layer_change_sets_committed_at", "layer_id", "committed_at", unique=True),
        Index("ix_layer_change_sets_change_set_id", "change_set_id"),
        Index(
            "ix_layer_change_sets_overtaken",
            "layer_id",
            text("tstzrange(overtaken_at, committed_at)"),
            postgresql_using="gist",
            postgresql_where=text("overtaken_at IS NOT NULL"),
        ),
    )

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    change_set_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    inserted: Mapped[int]
    updated: Mapped[int]
    deleted: Mapped[int]
    committed_at: Mapped[datetime]
    """Later than that of every change set of the layer that was committed before."""
    latest: Mapped[int]
    """The greatest number of a change set of the layer that was committed by then."""
    overtaken_at: Mapped[datetime | None]
    """When a change set with a greater number was committed, where that was before this one."""
    feature_count: Mapped[int | None]
    """How many features the layer had then; null, with the next two, where the transaction could
    not know (`REPEATABLE READ`)."""
    first_id: Mapped[int | None]
    """The least id of a feature of the layer then."""
    last_id: Mapped[int | None]


class FeatureVersion(Base):
    """A feature as it was between two change sets; as it is now it is in `layer_features`."""

    __tablename__ = "feature_versions"
    __table_args__ = (
        Index(
            "ix_feature_versions_deleted",
            *("layer_id", "feature_id", "to_change"),
            postgresql_where=text("was_deleted"),
        ),
        Index(
            "ix_feature_versions_geom",
            *("layer_id", "geom", text(SPAN)),
            postgresql_using="gist",
        ),
        Index("ix_feature_versions_updated_at", "layer_id", "updated_at", "feature_id"),
        *(
            Index(f"ix_feature_versions_{column}", column)
            for column in ("from_change", "to_change")
        ),
    )

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    feature_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    to_change: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The change set that replaced or deleted it."""
    from_change: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The change set that made it; 0: it was there when history began."""
    was_deleted: Mapped[bool]
    """Whether the feature was deleted, not replaced."""
    version: Mapped[int]
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry(geometry_type=None, srid=-1, spatial_index=False)
    )
    properties: Mapped[dict[str, Any]]
    created_by: Mapped[uuid.UUID | None]
    updated_by: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeletedLayer(Base):
    """A layer that was deleted, until it is restored: its features are in `feature_versions`."""

    __tablename__ = "deleted_layers"
    __table_args__ = (Index("ix_deleted_layers_created_by", "created_by", "deleted_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    created_by: Mapped[uuid.UUID]
    definition: Mapped[dict[str, Any]]
    """Its row in `layers`, by names of columns."""
    feature_count: Mapped[int]
    data_version: Mapped[int]
    """What the data versions of the layer, when it is restored, continue from."""
    change_set_id: Mapped[int]
    """The change set that deleted it, and its features."""
    deleted_at: Mapped[datetime]


class HistoryHorizon(Base):
    """Since when the history of a layer is kept, where what was before has been removed."""

    __tablename__ = "history_horizons"

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    begins_at: Mapped[datetime]


class UnsealedChangeSet(Base):
    """A change set that was committed, and is not part of the chain yet; 0: the features that were
    there when history began."""

    __tablename__ = "unsealed_change_sets"

    change_set_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class ChangeSeal(Base):
    """The link of the chain that a change set is, with digests of its rows."""

    __tablename__ = "change_seals"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1, without gaps: the order in which change sets were found after their commits."""
    change_set_id: Mapped[int] = mapped_column(unique=True)
    sealed_at: Mapped[datetime]
    own_digest: Mapped[bytes]
    """Of its row of `change_sets`, without the message."""
    subjects_digest: Mapped[bytes | None]
    """Of its rows of `subject_changes`, without the details; null where there are none."""
    texts_digest: Mapped[bytes | None]
    """Of its message and the details; null where there is neither."""
    salt: Mapped[bytes | None]
    """What nobody guesses those texts without; null with `texts_digest`, or after they have been
    erased."""
    head: Mapped[bytes]


class LayerSeal(Base):
    """Digests of what a change set did to a layer: up to a thousand features in a part."""

    __tablename__ = "layer_seals"
    __table_args__ = (Index("ix_layer_seals_change_set_id", "change_set_id"),)

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    change_set_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    row_digest: Mapped[bytes | None]
    """Of the row of `layer_change_sets`; in the first part."""
    made: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    """Ids of features of which it made a state, in their order, those of the parts before first."""
    digests: Mapped[bytes]
    """The digests of these states, one after the other."""
    ended: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    """Ids of features of which it ended a state, likewise."""
    ended_from: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    """The change sets that had made those."""
    deleted: Mapped[list[bool]] = mapped_column(ARRAY(Boolean))
    """Whether it deleted these features, or replaced their states."""


class DailyHead(Base):
    """The head of the chain at the end of a day in UTC on which there were seals."""

    __tablename__ = "daily_heads"

    day: Mapped[date] = mapped_column(primary_key=True)
    position: Mapped[int]
    head: Mapped[bytes]
