"""Who may read, write and own a layer: conditions on `layers`, used to check and to list."""

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    false,
    func,
    or_,
)

from samsyn_model.permissions.maps import collaborates
from samsyn_model.permissions.principal import Principal, principal_parameter
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapLayer

HOLDS_FEATURES: ColumnElement[bool] = and_(
    Layer.source_type == "vector",
    func.jsonb_typeof(Layer.source_config.op("->")("gfw4wings")).is_distinct_from("object"),
)
"""Whether a layer is a collection of features: one of Global Fishing Watch is drawn from its
tiles."""


def readable_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on `layers` under which the principal may read a layer.

    A private layer is read through a map by the map's owner and collaborators; a map's other
    readers see it only when the map's owner made the layer, so that only its creator can make a
    private layer public.
    """
    shown_by_creator = and_(Map.view_permission == "public", Map.created_by == Layer.created_by)
    through_map = shown_by_creator
    if not principal.is_anonymous:
        through_map = or_(
            shown_by_creator,
            Map.created_by == principal_parameter(principal),
            collaborates(principal),
        )
    placed = and_(MapLayer.layer_id == Layer.id, Map.id == MapLayer.map_id, through_map)
    # Correlated with nothing but `layers`: any map counts, also where a statement joins maps.
    on_map = exists().where(placed).correlate(Layer)
    rule = or_(Layer.is_global, Layer.visibility == "public", on_map)
    if principal.is_anonymous:
        return rule
    return or_(Layer.created_by == principal_parameter(principal), rule)


def shown_to_all_readers() -> ColumnElement[bool]:
    """Return the condition on `layers` and `maps` that every reader of the map may read the layer.

    Changes of other layers on the map are nothing to all of its readers.
    """
    return or_(
        Layer.is_global,
        Layer.visibility == "public",
        Layer.created_by == Map.created_by,
        Map.view_permission != "public",
    )


def owned_by(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal has made a layer."""
    return false() if principal.is_anonymous else Layer.created_by == principal_parameter(principal)


def library_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which a layer is in the principal's library.

    That is every layer which needs no map to be read: global, public, and one's own.
    """
    return or_(Layer.is_global, Layer.visibility == "public", owned_by(principal))


def editable_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal may write a readable layer's features."""
    if principal.is_anonymous:
        return false()
    rule = or_(Layer.created_by == principal_parameter(principal), Layer.editable == "everyone")
    return or_(rule, Layer.is_global) if principal.is_admin else rule


def owned_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal may delete or share a layer."""
    if principal.is_anonymous:
        return false()
    rule = Layer.created_by == principal_parameter(principal)
    return or_(rule, Layer.is_global) if principal.is_admin else rule
