"""JSON: GeoJSON and its relatives."""
