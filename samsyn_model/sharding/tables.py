"""Which tables are distributed by layer; all others are on the coordinator."""

DISTRIBUTED_TABLES = (
    *("layer_features", "layer_changes", "property_values"),
    *("feature_versions", "layer_change_sets", "layer_seals"),
)
"""The tables that grow with features. Their rows of one layer are on one server; the first has the
triggers that write to the others."""

DISTRIBUTION_COLUMN = "layer_id"
